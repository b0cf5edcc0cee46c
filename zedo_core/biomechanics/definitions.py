"""Joint angles from joint positions; docs/angles.md has the definitions in words.

Body axes are those of OpenSim and the ISB: x forward, y up, z to the right of the person. Angles of a joint are those
of the distal segment in the proximal one, about z, then x, then y of the moving segment, as in OpenSim's gait models;
names and signs are those of Rajagopal's model (2016). The pelvis in the room is turned about y, then x, then z (Baker
2001), so that tilt and list do not depend on where the person faces. Two hips do not show how a pelvis is tilted: that
is taken from the whole trunk, since most keypoints have no joint between pelvis and shoulders.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from jaxtyping import Float
from numpy import ndarray

_PELVIS = ("pelvis_tilt", "pelvis_list", "pelvis_rotation")
_LUMBAR = ("lumbar_extension", "lumbar_bending", "lumbar_rotation")
_VERTICAL = np.array((0.0, 1.0, 0.0))
# The axial rotation of a thigh or an upper arm shows only in the plane of the bent knee or elbow.
BENT_DEG = 30.0

Joints = Callable[[str], Float[ndarray, "*b 3"]]
Vectors = Float[ndarray, "*b 3"]
Degrees = Float[ndarray, "*b"]


def joint_angles(points: Mapping[str, Vectors]) -> dict[str, Degrees]:
    """All angles in degrees of bodies given by joints (..., 3), y up, in the names of h36m-17 and of its feet.

    NaN where a joint is NaN, where a segment has no length, and for axial rotations of limbs that are straight. Joints
    that are missing in `points` count as NaN.
    """
    at = _getter(points)
    pelvis = pelvis_axes(points)
    angles: dict[str, Degrees] = dict(zip(_PELVIS, heading_first(pelvis), strict=True))
    angles |= relative_angles(points, pelvis)
    del angles["lumbar_extension"]  # none, since the trunk is one line
    return angles | _inclinations(at)


def relative_angles(points: Mapping[str, Vectors], pelvis: Float[ndarray, "*b 3 3"]) -> dict[str, Degrees]:
    """The angles between segments, with these axes of the pelvis; the trunk begins at the point `pelvis`."""
    at = _getter(points)
    torso = _torso_axes(at)
    turn = pelvis.swapaxes(-1, -2) @ torso
    angles: dict[str, Degrees] = dict(zip(_LUMBAR, cardan(turn), strict=True))
    extension, angles["neck_bending"] = _swing(torso, _unit(at("head_top") - at("thorax")))
    angles["neck_flexion"] = -extension
    for side, sign in (("right", 1.0), ("left", -1.0)):
        angles |= {f"{name}_{side[0]}": value for name, value in _limbs(at, pelvis, torso, side, sign).items()}
    return angles


def _getter(points: Mapping[str, Vectors]) -> Joints:
    unknown = np.full_like(next(iter(points.values())), np.nan, dtype=float)
    return lambda name: points.get(name, unknown)


def _limbs(at: Joints, pelvis: ndarray, torso: ndarray, side: str, sign: float) -> dict[str, Degrees]:
    """Angles of one leg and one arm; `sign` is -1 for the left, whose axes x and y are turned the other way."""
    hip, knee, ankle, shoulder, elbow, wrist, heel, toe = (
        at(f"{side}_{part}")
        for part in ("hip", "knee", "ankle", "shoulder", "elbow", "wrist", "heel", "big_toe")
    )  # fmt: skip
    thigh, shank, foot = _unit(hip - knee), _unit(knee - ankle), _unit(toe - heel)
    arm, forearm = _unit(shoulder - elbow), _unit(elbow - wrist)
    hip_flexion, hip_adduction = _swing(pelvis, thigh)
    arm_flex, arm_add = _swing(torso, arm)
    knee_angle, elbow_flex = between(thigh, shank), between(arm, forearm)
    hip_rotation = _twist(pelvis, thigh, across(shank, thigh))  # the shank bends backwards
    arm_rot = _twist(torso, arm, -across(forearm, arm))
    return {
        "hip_flexion": hip_flexion,
        "hip_adduction": sign * hip_adduction,
        "hip_rotation": sign * np.where(knee_angle >= BENT_DEG, hip_rotation, np.nan),
        "knee_angle": knee_angle,
        "ankle_angle": 90 - between(shank, foot),
        "arm_flex": arm_flex,
        "arm_add": sign * arm_add,
        "arm_rot": sign * np.where(elbow_flex >= BENT_DEG, arm_rot, np.nan),
        "arm_elevation": between(torso[..., :, 1], arm),
        "elbow_flex": elbow_flex,
    }


def _inclinations(at: Joints) -> dict[str, Degrees]:
    """Angles of segments to the vertical, 0 in upright standing with hanging arms; of the foot to the horizontal."""
    segments = {"trunk": ("thorax", "pelvis"), "head": ("head_top", "thorax")}
    for side in ("right", "left"):
        for name, upper, lower in _SEGMENTS:
            segments[f"{name}_{side[0]}"] = (f"{side}_{upper}", f"{side}_{lower}")
    vertical = np.broadcast_to(_VERTICAL, at("pelvis").shape)
    angles = {
        _with_side(name, "to_vertical"): between(_unit(at(upper) - at(lower)), vertical)
        for name, (upper, lower) in segments.items()
    }
    for side in ("right", "left"):
        foot = _unit(at(f"{side}_big_toe") - at(f"{side}_heel"))
        angles[f"foot_to_horizontal_{side[0]}"] = np.degrees(np.arcsin(np.clip(foot[..., 1], -1, 1)))
    return angles


_SEGMENTS = (
    ("thigh", "hip", "knee"),
    ("shank", "knee", "ankle"),
    ("upper_arm", "shoulder", "elbow"),
    ("forearm", "elbow", "wrist"),
)


def _with_side(name: str, what: str) -> str:
    """`thigh_r` and `to_vertical` as `thigh_to_vertical_r`."""
    return f"{name[:-2]}_{what}{name[-2:]}" if name[-2:] in ("_r", "_l") else f"{name}_{what}"


# Axes of segments, as the columns of matrices


def pelvis_axes(points: Mapping[str, Vectors]) -> Float[ndarray, "*b 3 3"]:
    """z along the hips, y as close as possible to the line from pelvis to thorax."""
    at = _getter(points)
    z = _unit(at("right_hip") - at("left_hip"))
    y = across(at("thorax") - at("pelvis"), z)
    return np.stack([np.cross(y, z), y, z], axis=-1)


def _torso_axes(at: Joints) -> Float[ndarray, "*b 3 3"]:
    """y from the pelvis to the thorax, z as close as possible to the line of the shoulders."""
    y = _unit(at("thorax") - at("pelvis"))
    z = across(at("right_shoulder") - at("left_shoulder"), y)
    return np.stack([np.cross(y, z), y, z], axis=-1)


# Geometry


def _unit(vectors: Vectors) -> Vectors:
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / np.where(lengths > 1e-9, lengths, np.nan)


def across(vectors: Vectors, axes: Vectors) -> Vectors:
    """Unit vectors along the parts of vectors that are perpendicular to unit axes."""
    return _unit(vectors - (vectors * axes).sum(-1, keepdims=True) * axes)


def between(a: Vectors, b: Vectors) -> Degrees:
    """Angles between unit vectors, exact for small ones as well (Kahan)."""
    return np.degrees(2 * np.arctan2(np.linalg.norm(a - b, axis=-1), np.linalg.norm(a + b, axis=-1)))


def cardan(R: Float[ndarray, "*b 3 3"]) -> tuple[Degrees, Degrees, Degrees]:
    """Angles about z, x and y with R = Rz Rx Ry."""
    z = np.arctan2(-R[..., 0, 1], R[..., 1, 1])
    x = np.arcsin(np.clip(R[..., 2, 1], -1, 1))
    y = np.arctan2(-R[..., 2, 0], R[..., 2, 2])
    return np.degrees(z), np.degrees(x), np.degrees(y)


def heading_first(R: Float[ndarray, "*b 3 3"]) -> tuple[Degrees, Degrees, Degrees]:
    """Angles about z, x and y with R = Ry Rx Rz."""
    z = np.arctan2(R[..., 1, 0], R[..., 1, 1])
    x = np.arcsin(np.clip(-R[..., 1, 2], -1, 1))
    y = np.arctan2(R[..., 0, 2], R[..., 2, 2])
    return np.degrees(z), np.degrees(x), np.degrees(y)


def _swing(axes: Float[ndarray, "*b 3 3"], y: Vectors) -> tuple[Degrees, Degrees]:
    """Angles about z and x of a segment in the axes of another, from its axis y alone."""
    local = np.einsum("...ab,...a->...b", axes, y)
    z = np.arctan2(-local[..., 0], local[..., 1])
    return np.degrees(z), np.degrees(np.arcsin(np.clip(local[..., 2], -1, 1)))


def _twist(axes: Float[ndarray, "*b 3 3"], y: Vectors, x: Vectors) -> Degrees:
    """The angle about y of a segment with axes x and y, after those of `_swing`."""
    z = np.cross(x, y)
    R = axes.swapaxes(-1, -2) @ np.stack([x, y, z], axis=-1)
    return cardan(R)[2]
