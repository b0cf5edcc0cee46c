"""Rotations of a rig with fixed bones from joint positions, as animation programs need them.

The rest pose is a T-pose, y up, that faces +z with its left arm along +x. A joint with one child gets the smallest
rotation that takes the bone from its direction in the parent's frame to the observed one, since joint positions do not
show twist about a bone. The orientation of pelvis and thorax is the least-squares rotation of several bones (Kabsch
1976). The bones that leave such a joint also move relative to each other, so each has its own node at the same position
(`left_clavicle`). The rig is thus exact for bones of constant length.
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
# Direction in the rest pose of the bone that ends in a joint.
_REST = {
    **dict.fromkeys(("spine", "thorax", "neck_nose", "head_top"), _UP),
    **{f"{side}_{part}": _DOWN for side in ("left", "right") for part in ("knee", "ankle")},
    **{f"left_{part}": _LEFT for part in ("hip", "shoulder", "elbow", "wrist")},
    **{f"right_{part}": _RIGHT for part in ("hip", "shoulder", "elbow", "wrist")},
}
# The neighbours of a joint that determine its orientation, and their directions in the rest pose. The thorax follows
# the spine below, not the head above, which turns independently.
_NEIGHBOURS = {
    "pelvis": {"left_hip": _LEFT, "right_hip": _RIGHT, "spine": _UP},
    "thorax": {"left_shoulder": _LEFT, "right_shoulder": _RIGHT, "spine": _DOWN},
}
# Names of the nodes that rotate the bones leaving such a joint.
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
    """A node at the position of `joint`; `parent` is the index of its parent in the rig, -1 for the root.

    `ends` is the joint whose bone from the parent ends here (None for a branch, which lies at its parent), `aims` the
    joint that it points to (None if no bone or several bones leave it).
    """

    name: str
    parent: int
    joint: str
    ends: str | None
    aims: str | None


@dataclass(frozen=True, kw_only=True)
class Motion:
    """Motion of a rig: `offsets` (k, 3) from the parent in the rest pose in metres, `root` (t, 3) in metres, and
    `rotations` (t, k, 3, 3) relative to the parent."""

    nodes: tuple[Node, ...]
    offsets: Float[ndarray, "k 3"]
    root: Float[ndarray, "t 3"]
    rotations: Float[ndarray, "t k 3 3"]


@cache
def rig() -> tuple[Node, ...]:
    """The nodes in depth-first order, every parent before its children."""
    nodes: list[Node] = []

    def add(joint: str, parent: int, ends: str | None) -> None:
        children = [child for child, bone_parent in H36M17.bones if bone_parent == joint]
        single = children[0] if len(children) == 1 else None
        nodes.append(Node(name=joint, parent=parent, joint=joint, ends=ends, aims=single))
        index = len(nodes) - 1
        for child in children:
            if single is None:
                nodes.append(Node(name=_BRANCHES[child], parent=index, joint=joint, ends=None, aims=child))
            add(child, index if single is not None else len(nodes) - 1, child)

    add("pelvis", -1, None)
    return tuple(nodes)


def solve(points: Float[ndarray, "t j 3"], skeleton: Skeleton, times_s: Float[ndarray, " t"] | None = None) -> Motion:
    """The rig's motion through joints in metres, y up; missing joints are interpolated over time, or held at the ends.

    InputError for a joint set other than h36m-17.
    """
    if skeleton.joints != H36M17.joints:
        raise InputError(f"bvh, glb: expected the joint set {H36M17.name}, found {skeleton.name}; use csv, trc or c3d")
    lengths = _lengths(points)
    joints = dict(zip(H36M17.joints, np.moveaxis(interpolate_missing(points, times_s), 1, 0), strict=True))
    nodes = rig()
    world: list[ndarray] = []
    local = np.empty((len(points), len(nodes), 3, 3))
    for k, node in enumerate(nodes):
        parent = world[node.parent] if node.parent >= 0 else np.tile(np.eye(3), (len(points), 1, 1))
        world.append(_orientation(node, joints, parent))
        local[:, k] = parent.swapaxes(1, 2) @ world[-1]
    offsets = np.array([np.multiply(_REST[n.ends], lengths[n.ends]) if n.ends else np.zeros(3) for n in nodes])
    return Motion(nodes=nodes, offsets=offsets, root=np.nan_to_num(joints["pelvis"]), rotations=local)


def interpolate_missing(
    points: Float[ndarray, "t j 3"], times_s: Float[ndarray, " t"] | None = None
) -> Float[ndarray, "t j 3"]:
    """Joints interpolated where missing, held before the first and after the last known frame; NaN if never known."""
    out = points.copy()
    frames = np.arange(len(points)) if times_s is None else times_s
    for j, track in enumerate(np.moveaxis(points, 1, 0)):
        known = np.isfinite(track).all(-1)
        if known.any() and not known.all():
            for axis in range(3):
                out[:, j, axis] = np.interp(frames, frames[known], track[known, axis])
    return out


def _lengths(points: Float[ndarray, "t j 3"]) -> dict[str, float]:
    """The median length in metres of the bone that ends in each joint; 0 if it is never known."""
    lengths = {}
    for child, parent in H36M17.edges:
        length = np.linalg.norm(points[:, child] - points[:, parent], axis=-1)
        length = length[np.isfinite(length)]
        lengths[H36M17.joints[child]] = float(np.median(length)) if length.size else 0.0
    return lengths


def _orientation(node: Node, joints: dict[str, ndarray], parent: Float[ndarray, "t 3 3"]) -> Float[ndarray, "t 3 3"]:
    """World orientation of a node, given its parent's."""
    origin = joints[node.joint]
    if node.name in _NEIGHBOURS:
        neighbours = _NEIGHBOURS[node.name]
        vectors = np.stack([joints[j] - origin for j in neighbours], axis=1)
        return _fit_rotation(np.array([*neighbours.values()]), vectors, parent)
    if node.aims is None:
        return parent
    return _smallest_rotation(parent @ np.array(_REST[node.aims]), joints[node.aims] - origin) @ parent


def _fit_rotation(
    rest: Float[ndarray, "n 3"], vectors: Float[ndarray, "t n 3"], default: Float[ndarray, "t 3 3"]
) -> Float[ndarray, "t 3 3"]:
    """The rotation of directions in the rest pose to the given vectors by least squares (Kabsch); `default` if unknown.

    In numpy, since scipy aligns only one frame per call, and roma needs torch, which takes seconds and 700 MB to load.
    """
    directions = vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)
    known = np.isfinite(directions).all((1, 2))[:, None, None]
    U, _, Vt = np.linalg.svd(np.einsum("tna,nb->tab", np.where(known, directions, 0.0), rest))
    U[:, :, 2] *= np.linalg.det(U @ Vt)[:, None]  # no reflection
    return np.where(known, U @ Vt, default)


def _smallest_rotation(a: Float[ndarray, "t 3"], b: Float[ndarray, "t 3"]) -> Float[ndarray, "t 3 3"]:
    """The smallest rotation from unit vectors `a` to the direction of `b`; the identity where b is unknown."""
    length = np.linalg.norm(b, axis=-1, keepdims=True)
    known = np.isfinite(length) & (length > 1e-9)
    b = np.where(known, b, a) / np.where(known, length, 1.0)
    axis, cosine = np.cross(a, b), (a * b).sum(-1)
    sine = np.linalg.norm(axis, axis=-1)
    # Opposite directions: half a turn about any perpendicular axis.
    perpendicular = np.cross(a, np.eye(3)[np.abs(a).argmin(-1)])
    axis = np.where(sine[:, None] > 1e-9, axis, perpendicular)
    axis /= np.linalg.norm(axis, axis=-1, keepdims=True)
    return Rotation.from_rotvec(axis * np.arctan2(sine, cosine)[:, None]).as_matrix()
