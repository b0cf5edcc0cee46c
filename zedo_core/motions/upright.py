"""Turning poses upright: from camera axes to y up, right-handed, with the floor at y = 0.

Without a calibration x stays the camera's right and z points towards the camera, so that a person who faces the camera
looks along +z, as animation programs expect. With the extrinsics of a calibration the axes are those of its world,
rotated so that y is up, unless that world has the axes of a camera or disagrees with the people who stand in it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from zedo_core.camera import Camera
from zedo_core.errors import InputError
from zedo_core.skeleton import Skeleton
from zedo_core.types import Poses

Direction = tuple[float, float, float]
Up = Direction | str

CAMERA_UP: Direction = (0.0, -1.0, 0.0)
# auto: the calibration if there is one, otherwise people, otherwise the camera.
UPS = ("auto", "camera", "calibration", "people")

_OPTION = "up"  # name among the options of a result's provenance
_BODY = ("pelvis", "thorax", "head_top", "left_ankle", "right_ankle")
_ACROSS = tuple(f"{side}_{part}" for side in ("right", "left") for part in ("hip", "shoulder"))
_FEET = tuple(f"{side}_{part}" for side in ("left", "right") for part in ("ankle", "heel", "big_toe", "small_toe"))
_STRAIGHT = np.cos(np.radians(35))  # largest angle between legs and trunk of a person who stands or walks
_LEVEL = np.cos(np.radians(60))  # bodies farther than this from the image's upward direction are ignored
# Forward lean of people from the ankles to the head: the median of 407 sequences of motion capture.
_LEAN = np.tan(np.radians(4.0))
_ITERATIONS = 20  # of the median direction, which moves by less than 0.01 degrees after 10
_FLOOR_QUANTILE = 0.02  # of the lowest foot in every row, robust against single wrong poses
_FEET_APART_M = 0.1  # largest difference in height between the feet of a person who stands on both
# People overrule a calibration from which they differ by more than this, and by more than a quarter of them differ from
# each other, if at least a third of the poses stand. Of 22 motions of capture one does so wrongly, while jumping.
_MAX_DISAGREEMENT_DEG, _STANDING = 10.0, 1 / 3
# Most calibrations have z up, some y, a few have either of them pointing down.
_WORLD_UPS = {"z": (0, 0, 1), "y": (0, 1, 0), "-y": (0, -1, 0), "-z": (0, 0, -1)}
_Z_FIRST = np.array((0.5, 0.0, 0.0, 0.0))  # preference for z when image and people disagree


@dataclass(frozen=True, kw_only=True)
class Upright:
    """The chosen pose of every row (n, j, 3) in metres, y up, floor at 0, and how the upward direction was found.

    `R_up_from_cam` (t, 3, 3) and `t_up_from_cam` (t, 3) in metres transform from the camera axes of every frame.
    """

    points: Float[ndarray, "n j 3"]
    R_up_from_cam: Float[ndarray, "t 3 3"]
    t_up_from_cam: Float[ndarray, "t 3"]
    source: str

    def transform(self, points_cam: Float[ndarray, "n *d 3"], frame: Int[ndarray, " n"]) -> Float[ndarray, "n *d 3"]:
        """Transform other points of rows in these frames from camera axes."""
        return _transform_rows(points_cam, self.R_up_from_cam[frame], self.t_up_from_cam[frame])


def _transform_rows(
    points_cam: Float[ndarray, "n *d 3"], R: Float[ndarray, "n 3 3"], t: Float[ndarray, "n 3"]
) -> Float[ndarray, "n *d 3"]:
    flat = points_cam.reshape(len(points_cam), math.prod(points_cam.shape[1:-1]), 3)
    return (flat @ R.swapaxes(1, 2) + t[:, None]).reshape(points_cam.shape)


def parse_up(text: str) -> Up:
    """Parse one of `UPS`, or X,Y,Z as a direction in camera axes; InputError for anything else."""
    word = text.strip().lower()
    if word in UPS:
        return word
    try:
        x, y, z = (float(part) for part in text.split(","))
    except ValueError:
        raise InputError(f"up: expected {', '.join(UPS)} or X,Y,Z such as 0,-1,0, found '{text}'") from None
    return _unit_direction((x, y, z))


def with_up(poses: Poses, up: Up) -> Poses:
    """The poses with this choice recorded, which later exports use by default."""
    chosen = parse_up(up) if isinstance(up, str) else _unit_direction(up)
    provenance = replace(poses.provenance, options=poses.provenance.options | {_OPTION: chosen})
    return replace(poses, provenance=provenance)


def upright(poses: Poses, up: Up | None = None) -> Upright:
    """The chosen poses upright; `up` is one of `UPS` or a direction in camera axes, None for the recorded choice.

    InputError for an invalid direction, or if `up` is the calibration and the result has none.
    """
    best = poses.best.astype(float)
    R, t, source = _find_transform(poses, best, _recorded_up(poses) if up is None else up)
    points = _transform_rows(best, R[poses.frame], t[poses.frame])
    rise = np.array((0.0, -_floor(points, poses.skeleton), 0.0))
    return Upright(points=points + rise, R_up_from_cam=R, t_up_from_cam=t + rise, source=source)


def _recorded_up(poses: Poses) -> Up:
    """The choice recorded in a result; a direction is a list in files."""
    recorded = poses.provenance.options.get(_OPTION, "auto")
    if isinstance(recorded, str):
        return parse_up(recorded)
    return _unit_direction(recorded)


def _find_transform(
    poses: Poses, best: Float[ndarray, "n j 3"], up: Up
) -> tuple[Float[ndarray, "t 3 3"], Float[ndarray, "t 3"], str]:
    """Rotation and translation of every frame, without the floor, and their source."""
    frames = len(poses.frame_numbers)
    if not isinstance(up, str):
        return *_fixed_rotation(frames, _unit_direction(up)), "given"
    up = str(parse_up(up))
    calibrated = all(camera.R_cam_from_world and camera.t_cam_from_world for camera in poses.cameras)
    if up == "calibration" and not calibrated:
        raise InputError("up: expected a camera file with extrinsics, the result has none; choose another --up")
    if up == "calibration":
        return _from_calibration(poses, best)
    if up == "auto" and calibrated:
        return _from_calibration_or_people(poses, best)
    if up == "camera":
        return *_fixed_rotation(frames, CAMERA_UP), "the camera's"
    estimate, count = _up_from_people(*_body_directions(best, poses.skeleton))
    if estimate is None:
        return *_fixed_rotation(frames, CAMERA_UP), "the camera's, as there are no standing poses"
    return *_fixed_rotation(frames, estimate), f"estimated from {count} standing poses"


def _fixed_rotation(frames: int, up: Direction) -> tuple[Float[ndarray, "t 3 3"], Float[ndarray, "t 3"]]:
    """One rotation about the camera for all frames."""
    return np.tile(_rotation_to_y(np.array(up)), (frames, 1, 1)), np.zeros((frames, 3))


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


def _up_from_people(
    bodies: Float[ndarray, "m 3"], right: Float[ndarray, "m 3"], about: Float[ndarray, "3"] | None = None
) -> tuple[Direction | None, int]:
    """Upward direction from people who stand or walk, corrected for lean, and the number of poses.

    Bodies too far from `about`, by default that of the image, are left out.
    """
    is_level = bodies @ (np.array(CAMERA_UP) if about is None else about) > _LEVEL
    bodies, right = bodies[is_level], right[is_level]
    if not len(bodies):
        return None, 0
    up = bodies
    for _ in range(3):  # the forward direction depends on the upward one
        forward = np.cross(_median(up), right)
        up = _unit(bodies - _LEAN * forward)
    x, y, z = _median(up).tolist()
    return (x, y, z), len(bodies)


def _body_directions(
    points: Float[ndarray, "n j 3"], skeleton: Skeleton
) -> tuple[Float[ndarray, "m 3"], Float[ndarray, "m 3"]]:
    """Unit directions from the ankles to the head and to the right, of poses whose legs and trunk are in line.

    The right is 0 for poses without hips or shoulders.
    """
    if not set(_BODY) <= set(skeleton.joints):
        return np.zeros((0, 3)), np.zeros((0, 3))
    pelvis, thorax, head, left, right = (points[:, i] for i in skeleton.indices(_BODY))
    ankles = (left + right) / 2
    trunk, legs, body = (_unit(v) for v in (thorax - pelvis, pelvis - ankles, head - ankles))
    straight = (trunk * legs).sum(-1) > _STRAIGHT  # False where NaN
    on_both = straight & (np.abs(((left - right) * body).sum(-1)) < _FEET_APART_M)
    if np.count_nonzero(on_both) > max(2, np.count_nonzero(straight) / 10):
        straight = on_both  # a raised foot turns the direction from the ankles
    return body[straight], _across(points, skeleton)[straight]


def _across(points: Float[ndarray, "n j 3"], skeleton: Skeleton) -> Float[ndarray, "n 3"]:
    if not set(_ACROSS) <= set(skeleton.joints):
        return np.zeros((len(points), 3))
    signs = np.array([1.0 if joint.startswith("right") else -1.0 for joint in _ACROSS])
    return np.nan_to_num(_unit(np.einsum("njc,j->nc", points[:, skeleton.indices(_ACROSS)], signs)))


def _median(directions: Float[ndarray, "n 3"]) -> Float[ndarray, "3"]:
    """Geometric median of unit directions (Weiszfeld 1937)."""
    median = _unit(directions.mean(0))
    for _ in range(_ITERATIONS):
        weights = 1 / np.maximum(np.linalg.norm(directions - median, axis=-1), 0.02)
        median = _unit((directions * weights[:, None]).sum(0))
    return median


# From a calibration


def _from_calibration_or_people(
    poses: Poses, best: Float[ndarray, "n j 3"]
) -> tuple[Float[ndarray, "t 3 3"], Float[ndarray, "t 3"], str]:
    """The calibration's, unless its world has the axes of a camera or is far from upright: then that of the people."""
    R, t, source = _from_calibration(poses, best)
    if not len(best):
        return R, t, source
    in_world = _transform_rows(best, R[poses.frame], np.zeros((len(best), 3)))
    bodies, right = _body_directions(in_world, poses.skeleton)
    estimate, count = _up_from_people(bodies, right, _unit((R @ np.array(CAMERA_UP)).mean(0)))
    if estimate is None:
        return R, t, source
    off_deg, doubt_deg = _angles_deg(np.array([estimate]), np.eye(3)[1])[0], _spread_deg(bodies)
    if any(camera.world_is_camera or _is_identity(camera) for camera in poses.cameras):
        reason = "the calibration has the axes of a camera"
    elif off_deg > max(_MAX_DISAGREEMENT_DEG, doubt_deg) and count >= _STANDING * len(best):
        reason = f"the calibration ({source.partition(', ')[2]}) is {off_deg:.0f} degrees off"
    else:
        return R, t, source
    if bool(np.all(R[0] == R)):
        x, y, z = (R[0].T @ estimate).tolist()
        R, t = _fixed_rotation(len(R), (x, y, z))
    else:
        turn = _rotation_to_y(np.array(estimate))
        R, t = turn @ R, t @ turn.T
    return R, t, f"estimated from {count} standing poses, since {reason} (--up calibration keeps it)"


def _spread_deg(bodies: Float[ndarray, "m 3"]) -> float:
    """The angle that three of four bodies keep to their median direction."""
    return float(np.quantile(_angles_deg(bodies, _median(bodies)), 0.75))


def _angles_deg(directions: Float[ndarray, "n 3"], to: Float[ndarray, "3"]) -> Float[ndarray, " n"]:
    """Angles between unit directions."""
    return np.degrees(np.arccos(np.clip(directions @ to, -1.0, 1.0)))


def _is_identity(camera: Camera) -> bool:
    """Whether the world is that of this camera."""
    R, t = camera.R_cam_from_world, camera.t_cam_from_world
    return R is not None and t is not None and np.allclose(R, np.eye(3), atol=1e-6) and np.allclose(t, 0, atol=1e-6)


def _from_calibration(
    poses: Poses, best: Float[ndarray, "n j 3"]
) -> tuple[Float[ndarray, "t 3 3"], Float[ndarray, "t 3"], str]:
    """Transform to the world of the calibration, whose upward axis is the one closest to cameras and people."""
    cameras = [poses.camera(t) for t in range(len(poses.frame_numbers))]
    R_world_from_cam = np.array([camera.R_cam_from_world for camera in cameras]).reshape(-1, 3, 3).swapaxes(1, 2)
    t_cam_from_world = np.array([camera.t_cam_from_world for camera in cameras]).reshape(-1, 3)
    camera_ups = R_world_from_cam @ np.array(CAMERA_UP)
    best_world = _transform_rows(best, R_world_from_cam[poses.frame], np.zeros((len(best), 3)))
    bodies, _ = _body_directions(best_world, poses.skeleton)
    evidence = sum((directions.mean(0) for directions in (camera_ups, bodies) if len(directions)), np.zeros(3))
    axis, direction = list(_WORLD_UPS.items())[int((np.array([*_WORLD_UPS.values()]) @ evidence + _Z_FIRST).argmax())]
    R = _rotation_to_y(np.array(direction, dtype=float)) @ R_world_from_cam
    return R, -np.einsum("tab,tb->ta", R, t_cam_from_world), f"calibration, {axis} up"


# Geometry


def _unit(vectors: Float[ndarray, "*n 3"]) -> Float[ndarray, "*n 3"]:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)


def _rotation_to_y(up: Float[ndarray, "3"]) -> Float[ndarray, "3 3"]:
    """The rotation that takes the unit vector `up` to y and changes x least (z towards -x if up is x)."""
    preferred = np.eye(3)[0] if abs(up[0]) < 0.9 else -np.sign(up[0]) * np.eye(3)[1]
    x = preferred - (preferred @ up) * up
    x /= np.linalg.norm(x)
    return np.stack([x, up, np.cross(x, up)])


def _floor(points: Float[ndarray, "n j 3"], skeleton: Skeleton) -> float:
    """Height of the lowest foot, or of the lowest joint if the joint set has no feet; 0 without poses."""
    feet = [joint for joint in _FEET if joint in skeleton.joints] or list(skeleton.joints)
    heights = points[..., skeleton.indices(tuple(feet)), 1]
    lowest = np.where(np.isfinite(heights), heights, np.inf).min(-1)
    known = lowest[np.isfinite(lowest)]
    return float(np.quantile(known, _FLOOR_QUANTILE)) if known.size else 0.0
