"""Poses turned upright: from camera axes to y up, right-handed, with the floor at y = 0.

Without a calibration x stays the camera's right and z points towards the camera, so that a person who looks into the
camera looks along +z, as animation programs expect. With the extrinsics of a calibration the axes are those of its
world, turned so that y is up.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from zedo_core.errors import InputError
from zedo_core.skeleton import Skeleton
from zedo_core.types import Poses

Direction = tuple[float, float, float]
Up = Direction | str

CAMERA_UP: Direction = (0.0, -1.0, 0.0)
# auto: the calibration if there is one, else people, else the camera.
UPS = ("auto", "camera", "calibration", "people")

_RECORDED = "up"  # among the options of a result's provenance
_BODY = ("pelvis", "thorax", "head_top", "left_ankle", "right_ankle")
_ACROSS = tuple(f"{side}_{part}" for side in ("right", "left") for part in ("hip", "shoulder"))
_FEET = tuple(f"{side}_{part}" for side in ("left", "right") for part in ("ankle", "heel", "big_toe", "small_toe"))
_STRAIGHT = np.cos(np.radians(35))  # legs and trunk of a person who stands or walks are in line to this angle
_LEVEL = np.cos(np.radians(60))  # a body farther than this from the picture's upright does not say where up is
# How far forward people lean from the ankles to the head: the median of 407 sequences of motion capture.
_LEAN = np.tan(np.radians(4.0))
_ROUNDS = 20  # of the median direction, which moves by less than 0.01 degrees after 10
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

    def turned(self, points_cam: Float[ndarray, "t *n 3"]) -> Float[ndarray, "t *n 3"]:
        """Other points of the same frames, from camera axes."""
        frames, inner = points_cam.shape[0], points_cam.shape[1:]
        flat = points_cam.reshape(frames, -1, 3)
        return (flat @ self.R_up_from_cam.swapaxes(1, 2) + self.t_up_from_cam[:, None]).reshape(frames, *inner)


def up_of(text: str) -> Up:
    """One of `UPS`, or X,Y,Z as a direction in camera axes; InputError for anything else."""
    word = text.strip().lower()
    if word in UPS:
        return word
    try:
        x, y, z = (float(part) for part in text.split(","))
    except ValueError:
        raise InputError(f"up: expected {', '.join(UPS)} or X,Y,Z such as 0,-1,0, found '{text}'") from None
    return _unit_direction((x, y, z))


def with_up(poses: Poses, up: Up) -> Poses:
    """The same poses made with this choice: every later export takes it for its own, unless told otherwise."""
    chosen = up_of(up) if isinstance(up, str) else _unit_direction(up)
    made_by = replace(poses.provenance, options=poses.provenance.options | {_RECORDED: chosen})
    return replace(poses, provenance=made_by)


def upright(poses: Poses, up: Up | None = None) -> Upright:
    """The chosen poses upright; `up` is one of `UPS` or a direction in camera axes, as the result was made if None.

    InputError for a direction that is none, and for a calibration that the result does not have.
    """
    best = poses.best.astype(float)
    R, offset, source = _turned(poses, best, _recorded(poses) if up is None else up)
    points = np.einsum("tab,tpjb->tpja", R, best) + offset[:, None, None]
    rise = np.array((0.0, -_floor(points, poses.skeleton), 0.0))
    return Upright(points=points + rise, R_up_from_cam=R, t_up_from_cam=offset + rise, source=source)


def _recorded(poses: Poses) -> Up:
    """The choice that a result was made with; a file holds a direction as a list."""
    found = poses.provenance.options.get(_RECORDED, "auto")
    if isinstance(found, str):
        return up_of(found)
    return _unit_direction(found)


def _turned(
    poses: Poses, best: Float[ndarray, "t p j 3"], up: Up
) -> tuple[Float[ndarray, "t 3 3"], Float[ndarray, "t 3"], str]:
    """Rotation and shift of every frame, without the floor, and where they came from."""
    frames = len(best)
    if not isinstance(up, str):
        return *_same(frames, _unit_direction(up)), "given"
    up = str(up_of(up))
    calibrated = all(camera.R_cam_from_world and camera.t_cam_from_world for camera in poses.cameras)
    if up == "calibration" and not calibrated:
        raise InputError("up: expected a camera file with extrinsics, the result has none; choose another --up")
    if up == "calibration" or (up == "auto" and calibrated):
        return _of_world(poses, best)
    if up == "camera":
        return *_same(frames, CAMERA_UP), "the camera's"
    found, count = _of_people(best, poses.skeleton)
    if found is None:
        return *_same(frames, CAMERA_UP), "the camera's, nobody stands upright"
    return *_same(frames, found), f"estimated from {count} standing poses"


def _same(frames: int, up: Direction) -> tuple[Float[ndarray, "t 3 3"], Float[ndarray, "t 3"]]:
    """One rotation for all frames, about the camera."""
    return np.tile(_onto_y(np.array(up)), (frames, 1, 1)), np.zeros((frames, 3))


def _unit_direction(up: object) -> Direction:
    try:
        direction = np.asarray(up, dtype=float)
    except (TypeError, ValueError):
        direction = np.zeros(0)
    length = float(np.linalg.norm(direction))
    if direction.shape != (3,) or not np.isfinite(length) or length < 1e-9:
        raise InputError(f"up: expected a direction x,y,z in camera axes, found {up}")
    x, y, z = (direction / length).tolist()
    return x, y, z


# From people


def _of_people(best: Float[ndarray, "t p j 3"], skeleton: Skeleton) -> tuple[Direction | None, int]:
    """Upward in camera axes from all who stand or walk, their lean taken off, and how many poses said so."""
    bodies, right = _bodies(best, skeleton)
    near = bodies @ np.array(CAMERA_UP) > _LEVEL
    bodies, right = bodies[near], right[near]
    if not len(bodies):
        return None, 0
    up = bodies
    for _ in range(3):  # what is forward depends on what is up
        across = np.cross(_median(up), right)
        up = _unit(bodies - _LEAN * across)
    x, y, z = _median(up).tolist()
    return (x, y, z), len(bodies)


def _bodies(
    points: Float[ndarray, "t p j 3"], skeleton: Skeleton
) -> tuple[Float[ndarray, "n 3"], Float[ndarray, "n 3"]]:
    """Unit directions of all people whose legs and trunk are in line: from the ankles to the head, and to their right.

    Who has no hips or shoulders to tell the right from has the right 0.
    """
    if not set(_BODY) <= set(skeleton.joints):
        return np.zeros((0, 3)), np.zeros((0, 3))
    pelvis, thorax, head, left, right = (points[..., i, :].reshape(-1, 3) for i in skeleton.indices(_BODY))
    ankles = (left + right) / 2
    trunk, legs, body = (_unit(v) for v in (thorax - pelvis, pelvis - ankles, head - ankles))
    straight = (trunk * legs).sum(-1) > _STRAIGHT  # False where NaN
    return body[straight], _across(points, skeleton)[straight]


def _across(points: Float[ndarray, "t p j 3"], skeleton: Skeleton) -> Float[ndarray, "n 3"]:
    if not set(_ACROSS) <= set(skeleton.joints):
        return np.zeros((points.shape[0] * points.shape[1], 3))
    signs = np.array([1.0 if joint.startswith("right") else -1.0 for joint in _ACROSS])
    sides = points[..., skeleton.indices(_ACROSS), :].reshape(-1, len(_ACROSS), 3)
    return np.nan_to_num(_unit(np.einsum("njc,j->nc", sides, signs)))


def _median(directions: Float[ndarray, "n 3"]) -> Float[ndarray, "3"]:
    """The unit direction of least summed distance from the given ones (Weiszfeld 1937)."""
    middle = _unit(directions.mean(0))
    for _ in range(_ROUNDS):
        weights = 1 / np.maximum(np.linalg.norm(directions - middle, axis=-1), 0.02)
        middle = _unit((directions * weights[:, None]).sum(0))
    return middle


# From a calibration


def _of_world(
    poses: Poses, best: Float[ndarray, "t p j 3"]
) -> tuple[Float[ndarray, "t 3 3"], Float[ndarray, "t 3"], str]:
    """Through the calibration's world, whose upward axis is the one that the pictures and the people agree on."""
    cameras = [poses.camera(t) for t in range(len(best))]
    R_world_from_cam = np.array([camera.R_cam_from_world for camera in cameras]).reshape(-1, 3, 3).swapaxes(1, 2)
    t_cam_from_world = np.array([camera.t_cam_from_world for camera in cameras]).reshape(-1, 3)
    pictures = R_world_from_cam @ np.array(CAMERA_UP)
    bodies, _ = _bodies(np.einsum("tab,tpjb->tpja", R_world_from_cam, best), poses.skeleton)
    agreed = sum((found.mean(0) for found in (pictures, bodies) if len(found)), np.zeros(3))
    axis, direction = list(_WORLD_UPS.items())[int((np.array([*_WORLD_UPS.values()]) @ agreed + _Z_FIRST).argmax())]
    R = _onto_y(np.array(direction, dtype=float)) @ R_world_from_cam
    return R, -np.einsum("tab,tb->ta", R, t_cam_from_world), f"calibration, {axis} up"


# Geometry


def _unit(vectors: Float[ndarray, "*n 3"]) -> Float[ndarray, "*n 3"]:
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
