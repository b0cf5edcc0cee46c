"""Poses turned upright: from camera axes to y up, right-handed, with the floor at y = 0.

Without a calibration x stays the camera's right and z points towards the camera, so that a person who looks into the
camera looks along +z, as animation programs expect. With the extrinsics of a calibration the axes are those of its
world, turned so that y is up.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from zedo_core.errors import InputError
from zedo_core.skeleton import Skeleton
from zedo_core.types import Poses

Direction = tuple[float, float, float]

CAMERA_UP: Direction = (0.0, -1.0, 0.0)

_BODY = ("pelvis", "thorax", "head_top", "left_ankle", "right_ankle")
_FEET = tuple(f"{side}_{part}" for side in ("left", "right") for part in ("ankle", "heel", "big_toe", "small_toe"))
_STRAIGHT = np.cos(np.radians(25))  # legs and trunk of a person who stands or walks are in line to this angle
_LEVEL = np.cos(np.radians(45))  # a body farther than this from the picture's upright does not say where up is
_FLOOR_QUANTILE = 0.02  # of the lowest foot of every frame: single frames may be wrong
# Calibrations have z up as a rule, y at times, either of them downwards in a few.
_WORLD_UPS = {"z": (0, 0, 1), "y": (0, 1, 0), "-y": (0, -1, 0), "-z": (0, 0, -1)}
_Z_FIRST = np.array((0.5, 0.0, 0.0, 0.0))  # what z is ahead of the others where picture and people disagree


@dataclass(frozen=True, kw_only=True)
class Upright:
    """The chosen poses (t, p, j, 3) in metres, y up, floor at 0; NaN where absent; and where up came from.

    `R_up_from_cam` (t, 3, 3) and `t_up_from_cam` (t, 3) in metres lead there from camera axes.
    """

    points: Float[ndarray, "t p j 3"]
    R_up_from_cam: Float[ndarray, "t 3 3"]
    t_up_from_cam: Float[ndarray, "t 3"]
    source: str


def upright(poses: Poses, up: Direction | None = None) -> Upright:
    """The chosen poses upright; `up` is a direction in camera axes, found from calibration or people if None.

    InputError for a direction that is none.
    """
    best = poses.best.astype(float)
    R, offset, source = _turned(poses, best, up)
    points = np.einsum("tab,tpjb->tpja", R, best) + offset[:, None, None]
    rise = np.array((0.0, -_floor(points, poses.skeleton), 0.0))
    return Upright(points=points + rise, R_up_from_cam=R, t_up_from_cam=offset + rise, source=source)


def _turned(
    poses: Poses, best: Float[ndarray, "t p j 3"], up: Direction | None
) -> tuple[Float[ndarray, "t 3 3"], Float[ndarray, "t 3"], str]:
    """Rotation and shift of every frame, without the floor, and where they came from."""
    frames = len(best)
    if up is not None:
        return *_same(frames, up), "given"
    if all(camera.R_cam_from_world and camera.t_cam_from_world for camera in poses.cameras):
        return _of_world(poses, best)
    bodies = _bodies(best, poses.skeleton)
    standing = bodies[bodies @ np.array(CAMERA_UP) > _LEVEL]
    if len(standing):
        mean = standing.mean(0)
        return *_same(frames, (mean[0], mean[1], mean[2])), f"estimated from {len(standing)} standing poses"
    return *_same(frames, CAMERA_UP), "the camera's, nobody stands upright"


def _same(frames: int, up: Direction) -> tuple[Float[ndarray, "t 3 3"], Float[ndarray, "t 3"]]:
    """One rotation for all frames, about the camera."""
    direction = np.array(up, dtype=float)
    length = float(np.linalg.norm(direction))
    if direction.shape != (3,) or not np.isfinite(length) or length < 1e-9:
        raise InputError(f"up: expected a direction x,y,z in camera axes, got {up}")
    return np.tile(_onto_y(direction / length), (frames, 1, 1)), np.zeros((frames, 3))


def _of_world(
    poses: Poses, best: Float[ndarray, "t p j 3"]
) -> tuple[Float[ndarray, "t 3 3"], Float[ndarray, "t 3"], str]:
    """Through the calibration's world, whose upward axis is the one that the pictures and the people agree on."""
    cameras = [poses.camera(t) for t in range(len(best))]
    R_world_from_cam = np.array([camera.R_cam_from_world for camera in cameras]).reshape(-1, 3, 3).swapaxes(1, 2)
    t_cam_from_world = np.array([camera.t_cam_from_world for camera in cameras]).reshape(-1, 3)
    pictures = R_world_from_cam @ np.array(CAMERA_UP)
    bodies = _bodies(np.einsum("tab,tpjb->tpja", R_world_from_cam, best), poses.skeleton)
    agreed = sum((found.mean(0) for found in (pictures, bodies) if len(found)), np.zeros(3))
    axis, direction = list(_WORLD_UPS.items())[int((np.array([*_WORLD_UPS.values()]) @ agreed + _Z_FIRST).argmax())]
    R = _onto_y(np.array(direction, dtype=float)) @ R_world_from_cam
    return R, -np.einsum("tab,tb->ta", R, t_cam_from_world), f"calibration, {axis} up"


def _bodies(points: Float[ndarray, "t p j 3"], skeleton: Skeleton) -> Float[ndarray, "n 3"]:
    """Unit directions from the ankles to the head of all people whose legs and trunk are in line."""
    if not set(_BODY) <= set(skeleton.joints):
        return np.zeros((0, 3))
    pelvis, thorax, head, left, right = (points[..., i, :].reshape(-1, 3) for i in skeleton.indices(_BODY))
    ankles = (left + right) / 2
    trunk, legs, body = (_unit(v) for v in (thorax - pelvis, pelvis - ankles, head - ankles))
    return body[_in_line(trunk, legs)]


def _in_line(a: Float[ndarray, "n 3"], b: Float[ndarray, "n 3"]) -> Bool[ndarray, " n"]:
    return (a * b).sum(-1) > _STRAIGHT  # False where NaN


def _unit(vectors: Float[ndarray, "n 3"]) -> Float[ndarray, "n 3"]:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)


def _onto_y(up: Float[ndarray, "3"]) -> Float[ndarray, "3 3"]:
    """The rotation that takes the unit vector `up` to y and keeps x as nearly as it can (z towards -x if up is x)."""
    kept = np.eye(3)[0] if abs(up[0]) < 0.9 else -np.sign(up[0]) * np.eye(3)[1]
    x = kept - (kept @ up) * up
    x /= np.linalg.norm(x)
    return np.stack([x, up, np.cross(x, up)])


def _floor(points: Float[ndarray, "t p j 3"], skeleton: Skeleton) -> float:
    """Height of the lowest foot; of the lowest joint where a joint set has no feet, 0 where nobody is."""
    feet = [joint for joint in _FEET if joint in skeleton.joints] or list(skeleton.joints)
    heights = points[..., skeleton.indices(tuple(feet)), 1]
    lowest = np.where(np.isfinite(heights), heights, np.inf).min(-1)
    known = lowest[np.isfinite(lowest)]
    return float(np.quantile(known, _FLOOR_QUANTILE)) if known.size else 0.0
