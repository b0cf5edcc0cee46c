"""Joint positions as the rotations of a skeleton with fixed bones, as animation programs want them.

The rest pose is a T-pose, y up, that looks along +z with its left arm along +x. A joint with one child turns by the
smallest rotation that takes the bone from where its parent holds it to where it was found: twist about a bone cannot
be seen in joint positions. The orientation of pelvis and trunk is the least-squares rotation of several bones (Kabsch
1976). Bones that leave such a joint move against each other too, so each gets a node of its own at the same place
(`left_clavicle`). With bones of constant length the rig is thus exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy.spatial.transform import Rotation

from zedo_core.errors import InputError
from zedo_core.skeleton import H36M17, Skeleton

_UP, _DOWN, _LEFT, _RIGHT = (0.0, 1.0, 0.0), (0.0, -1.0, 0.0), (1.0, 0.0, 0.0), (-1.0, 0.0, 0.0)
# Where the bone that ends in a joint points to in the rest pose.
_REST = {
    **dict.fromkeys(("spine", "thorax", "neck_nose", "head_top"), _UP),
    **{f"{side}_{part}": _DOWN for side in ("left", "right") for part in ("knee", "ankle")},
    **{f"left_{part}": _LEFT for part in ("hip", "shoulder", "elbow", "wrist")},
    **{f"right_{part}": _RIGHT for part in ("hip", "shoulder", "elbow", "wrist")},
}
# The joints around a joint that give its orientation, and where they lie in the rest pose. The trunk's is told by the
# spine below, not by the head above, which turns by itself.
_AROUND = {
    "pelvis": {"left_hip": _LEFT, "right_hip": _RIGHT, "spine": _UP},
    "thorax": {"left_shoulder": _LEFT, "right_shoulder": _RIGHT, "spine": _DOWN},
}
# Names of the nodes that turn the bones leaving such a joint.
_BRANCHES = {
    "left_hip": "left_pelvis",
    "right_hip": "right_pelvis",
    "spine": "waist",
    "left_shoulder": "left_clavicle",
    "right_shoulder": "right_clavicle",
    "neck_nose": "neck",
}


@dataclass(frozen=True, kw_only=True)
class Node:
    """A node at the place of `joint`; `parent` is its place in the rig, -1 for the root.

    `ends` is the joint whose bone from the parent ends here (None at a branch, which lies at its parent), `aims` the
    joint that it points to (None where several bones leave or none).
    """

    name: str
    parent: int
    joint: str
    ends: str | None
    aims: str | None


@dataclass(frozen=True, kw_only=True)
class Motion:
    """A rig in motion: `offsets` (k, 3) from the parent in the rest pose in metres, `root` (t, 3) in metres, and
    `rotations` (t, k, 3, 3) against the parent."""

    nodes: tuple[Node, ...]
    offsets: Float[ndarray, "k 3"]
    root: Float[ndarray, "t 3"]
    rotations: Float[ndarray, "t k 3 3"]


@cache
def rig() -> tuple[Node, ...]:
    """The nodes, every parent before its children and every branch in one piece."""
    nodes: list[Node] = []

    def add(joint: str, parent: int, ends: str | None) -> None:
        children = [child for child, above in H36M17.bones if above == joint]
        single = children[0] if len(children) == 1 else None
        nodes.append(Node(name=joint, parent=parent, joint=joint, ends=ends, aims=single))
        here = len(nodes) - 1
        for child in children:
            if single is None:
                nodes.append(Node(name=_BRANCHES[child], parent=here, joint=joint, ends=None, aims=child))
            add(child, here if single is not None else len(nodes) - 1, child)

    add("pelvis", -1, None)
    return tuple(nodes)


def solve(points: Float[ndarray, "t j 3"], skeleton: Skeleton) -> Motion:
    """The rig's motion through joints in metres, y up; what is missing is interpolated, or held at the ends.

    InputError for a joint set other than h36m-17.
    """
    if skeleton.joints != H36M17.joints:
        raise InputError(f"bvh, glb: expected the joint set {H36M17.name}, found {skeleton.name}; use csv, trc or c3d")
    lengths = _lengths(points)
    joints = dict(zip(H36M17.joints, np.moveaxis(filled(points), 1, 0), strict=True))
    nodes = rig()
    world: list[ndarray] = []
    local = np.empty((len(points), len(nodes), 3, 3))
    for k, node in enumerate(nodes):
        above = world[node.parent] if node.parent >= 0 else np.tile(np.eye(3), (len(points), 1, 1))
        world.append(_orientation(node, joints, above))
        local[:, k] = above.swapaxes(1, 2) @ world[-1]
    offsets = np.array([np.multiply(_REST[n.ends], lengths[n.ends]) if n.ends else np.zeros(3) for n in nodes])
    return Motion(nodes=nodes, offsets=offsets, root=np.nan_to_num(joints["pelvis"]), rotations=local)


def filled(points: Float[ndarray, "t j 3"]) -> Float[ndarray, "t j 3"]:
    """Joints with their gaps interpolated, held before the first and after the last; NaN if never known."""
    out = points.copy()
    frames = np.arange(len(points))
    for j, track in enumerate(np.moveaxis(points, 1, 0)):
        known = np.isfinite(track).all(-1)
        if known.any() and not known.all():
            for axis in range(3):
                out[:, j, axis] = np.interp(frames, frames[known], track[known, axis])
    return out


def _lengths(points: Float[ndarray, "t j 3"]) -> dict[str, float]:
    """The median length in metres of the bone that ends in each joint; 0 if it was never seen."""
    lengths = {}
    for child, parent in H36M17.edges:
        found = np.linalg.norm(points[:, child] - points[:, parent], axis=-1)
        found = found[np.isfinite(found)]
        lengths[H36M17.joints[child]] = float(np.median(found)) if found.size else 0.0
    return lengths


def _orientation(node: Node, joints: dict[str, ndarray], above: Float[ndarray, "t 3 3"]) -> Float[ndarray, "t 3 3"]:
    """World orientation of a node, given its parent's."""
    at = joints[node.joint]
    if node.name in _AROUND:
        around = _AROUND[node.name]
        return _fitted(np.array([*around.values()]), np.stack([joints[j] - at for j in around], axis=1), above)
    if node.aims is None:
        return above
    return _smallest(above @ np.array(_REST[node.aims]), joints[node.aims] - at) @ above


def _fitted(
    rest: Float[ndarray, "n 3"], found: Float[ndarray, "t n 3"], otherwise: Float[ndarray, "t 3 3"]
) -> Float[ndarray, "t 3 3"]:
    """The rotation that takes the directions at rest nearest to those found (Kabsch); `otherwise` where unknown."""
    directions = found / np.maximum(np.linalg.norm(found, axis=-1, keepdims=True), 1e-9)
    known = np.isfinite(directions).all((1, 2))
    U, _, Vt = np.linalg.svd(np.einsum("tna,nb->tab", np.where(known[:, None, None], directions, 0.0), rest))
    U[:, :, 2] *= np.linalg.det(U @ Vt)[:, None]  # no mirror image
    return np.where(known[:, None, None], U @ Vt, otherwise)


def _smallest(a: Float[ndarray, "t 3"], b: Float[ndarray, "t 3"]) -> Float[ndarray, "t 3 3"]:
    """The smallest rotation from the direction of unit vectors `a` to that of `b`; none where b is not known."""
    length = np.linalg.norm(b, axis=-1, keepdims=True)
    known = np.isfinite(length) & (length > 1e-9)
    b = np.where(known, b, a) / np.where(known, length, 1.0)
    axis, cosine = np.cross(a, b), (a * b).sum(-1)
    sine = np.linalg.norm(axis, axis=-1)
    # Opposite directions: half a turn about any axis across.
    across = np.cross(a, np.eye(3)[np.abs(a).argmin(-1)])
    axis = np.where(sine[:, None] > 1e-9, axis, across)
    axis /= np.linalg.norm(axis, axis=-1, keepdims=True)
    return Rotation.from_rotvec(axis * np.arctan2(sine, cosine)[:, None]).as_matrix()
