"""Rotations of the rig with fixed bones from joint positions.

A bone gets the smallest rotation that takes it from its direction in the parent's frame to the observed one, since
joint positions do not show twist about a bone. Two orientations are fitted to several bones (Kabsch 1976): that of the
pelvis (`root`), and the twist of the chest. The motion is thus exact for bones of constant length. Where a program
wants a pelvis that is one piece, the hips are moved, and the knees so that the feet are kept.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from zedo_core.errors import InputError
from zedo_core.export._rig import LEFT, RIGHT, SIDES, UP, Motion, Node, along, rig
from zedo_core.export._turns import fit_rotation, point, twist
from zedo_core.skeleton import H36M17, Skeleton

# Lengths in metres of what no joint shows: from root to pelvis, from ankle to ball, and of unknown bones.
_STUB_M, _FOOT_M, _UNKNOWN_M = 0.06, 0.13, 0.1
_SHORTEST_M = 0.001
# Parts of the way from spine to thorax where the chest lies (Blender takes a bone as long as its parent, whose children
# lie at its end, for one without length), and from pelvis to spine where the spine begins if the pelvis is one piece.
_CHEST, _WAIST = 0.45, 0.3


def solve(
    points: Float[ndarray, "t j 3"],
    skeleton: Skeleton,
    times_s: Float[ndarray, " t"] | None = None,
    *,
    rigid_pelvis: bool = False,
) -> Motion:
    """The rig's motion through joints in metres, y up; missing joints are interpolated over time, or held at the ends.

    With `rigid_pelvis` the root lies at the pelvis, and hips and waist are fixed to it. InputError for a joint set
    other than h36m-17.
    """
    if skeleton.joints != H36M17.joints:
        raise InputError(f"bvh, glb: expected the joint set {H36M17.name}, found {skeleton.name}; use csv, trc or c3d")
    lengths = _lengths(points)
    joints = dict(zip(H36M17.joints, np.moveaxis(interpolate_missing(points, times_s), 1, 0), strict=True))
    pelvis = _pelvis(joints)
    if rigid_pelvis:
        joints, lengths = _with_rigid_pelvis(joints, lengths, pelvis)
    nodes, offsets = rig(), _offsets(lengths, rigid_pelvis)
    world: list[ndarray] = []
    local = np.empty((len(points), len(nodes), 3, 3))
    for k, node in enumerate(nodes):
        local[:, k] = _rotation(node, joints, world[node.parent]) if k else pelvis
        world.append(world[node.parent] @ local[:, k] if k else pelvis)
    root = joints["pelvis"] - (0.0 if rigid_pelvis else pelvis @ np.array(along(UP, _STUB_M)))
    return Motion(nodes=nodes, offsets=offsets, root=np.nan_to_num(root), rotations=local)


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
    """The median length in metres of the bone that ends in each joint."""
    return {
        H36M17.joints[child]: _median(np.linalg.norm(points[:, child] - points[:, parent], axis=-1))
        for child, parent in H36M17.edges
    }


def _median(length: Float[ndarray, " t"]) -> float:
    length = length[np.isfinite(length)]
    return max(float(np.median(length)), _SHORTEST_M) if length.size else _UNKNOWN_M


def _offsets(lengths: dict[str, float], rigid_pelvis: bool) -> Float[ndarray, "k 3"]:
    """Positions of the nodes relative to their parents in the rest pose."""
    lengths = lengths | {"root": 0.0, "pelvis": lengths["waist"] if rigid_pelvis else _STUB_M}
    for side in SIDES:
        lengths |= {f"{side}_pelvis": 0.0 if rigid_pelvis else _STUB_M, f"{side}_toe": _FOOT_M}
    upper = lengths["thorax"]
    lengths |= dict.fromkeys(("thorax", "left_clavicle", "right_clavicle"), (1 - _CHEST) * upper)
    lengths["chest"] = _CHEST * upper
    return np.array([along(node.rest, lengths[node.name]) for node in rig()])


def _rotation(node: Node, joints: dict[str, ndarray], parent: Float[ndarray, "t 3 3"]) -> Float[ndarray, "t 3 3"]:
    """Rotation of a node relative to its parent, given the parent's orientation."""
    if node.name == "chest":  # its bone has the direction of the spine's, which is its parent
        shoulders = np.stack([joints[f"{side}_shoulder"] - joints["thorax"] for side in SIDES], axis=1)
        return twist(UP, np.array([*SIDES.values()]), shoulders @ parent)
    if node.aims is None:
        return np.tile(np.eye(3), (len(parent), 1, 1))
    origin = joints["waist"] if node.name == "pelvis" and "waist" in joints else joints[str(node.joint)]
    rest = next(other.rest for other in rig() if other.name == node.aims)
    return point(rest, np.einsum("tba,tb->ta", parent, joints[node.aims] - origin))


def _pelvis(joints: dict[str, ndarray]) -> Float[ndarray, "t 3 3"]:
    """Orientation of the pelvis."""
    vectors = np.stack([joints[j] - joints["pelvis"] for j in ("left_hip", "right_hip", "spine")], axis=1)
    return fit_rotation(np.array((LEFT, RIGHT, UP)), vectors)


def _with_rigid_pelvis(
    joints: dict[str, ndarray], lengths: dict[str, float], orientation: Float[ndarray, "t 3 3"]
) -> tuple[dict[str, ndarray], dict[str, float]]:
    """Hips at fixed places of the pelvis, and a `waist` above it; knees are bent such that the ankles stay."""
    joints = dict(joints)
    lengths = lengths | {"waist": _WAIST * lengths["spine"]}
    joints["waist"] = joints["pelvis"] + orientation @ np.array(along(UP, lengths["waist"]))
    lengths["spine"] = _median(np.linalg.norm(joints["spine"] - joints["waist"], axis=-1))
    for side, outwards in SIDES.items():
        hip, knee, ankle = (f"{side}_{part}" for part in ("hip", "knee", "ankle"))
        joints[hip] = joints["pelvis"] + orientation @ np.array(along(outwards, lengths[hip]))
        joints[knee] = _bend(joints[hip], joints[knee], joints[ankle], lengths[knee], lengths[ankle])
    return joints, lengths


def _bend(
    start: Float[ndarray, "t 3"], middle: Float[ndarray, "t 3"], end: Float[ndarray, "t 3"], first: float, second: float
) -> Float[ndarray, "t 3"]:
    """The middle joint of two bones of given lengths from start to end, in the plane of the one given.

    By the law of cosines; an end that is out of reach is approached as far as the bones allow.
    """
    reach = end - start
    distance = np.linalg.norm(reach, axis=-1, keepdims=True)
    direction = reach / np.maximum(distance, _SHORTEST_M)
    distance = np.clip(distance, abs(first - second) + _SHORTEST_M, first + second)
    across = middle - start
    across = across - (across * direction).sum(-1, keepdims=True) * direction
    across /= np.maximum(np.linalg.norm(across, axis=-1, keepdims=True), _SHORTEST_M**2)
    cosine = np.clip((first**2 + distance**2 - second**2) / (2 * first * distance), -1, 1)
    return start + first * (cosine * direction + np.sqrt(1 - cosine**2) * across)
