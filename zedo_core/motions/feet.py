"""Heels and toes: a rigid foot at each ankle, turned so that it lies on the keypoints of heel and toes.

Poses end at the ankles. Where the keypoints have feet, each foot is a body of the proportions of adults, of a size that
fits the shanks, whose rotation R_t in every frame of a motion minimises

    sum_k rho(|pi(a_t + R_t c_k) - u_tk|^2 z^2 / s_tk^2) + priors(R_t) + |R_t - R_t-1|^2 / v^2,

with a_t the ankle, c_k heel and toes, and u_tk their keypoints, moved by what the ankle is off its own. In one view a
foot may point towards the camera or away from it, so the priors matter: a foot is about at a right angle to the shank,
points about where the pelvis faces, and lies level while it stands. Gauss-Newton from the best of some rotations.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from scipy.linalg import solveh_banded
from scipy.spatial.transform import Rotation

from zedo_core.camera import Camera
from zedo_core.motions.timeline import motions
from zedo_core.motions.upright import upright
from zedo_core.skeleton import FEET, Skeleton
from zedo_core.types import Keypoints, Poses, same_rows
from zedo_core.types.rows import apply_cameras

# Big toe, small toe and heel of an adult's right foot from the ankle in metres, where annotators mark them: x forward,
# y up, z to the right. The shank of that adult.
_FOOT_M = np.array(((0.165, -0.05, -0.015), (0.13, -0.05, 0.045), (-0.045, -0.045, 0.0)))
_SHANK_M = 0.43
_OTHER_NAMES = {"big_toe": "foot"}  # BlazePose's

# Standard deviations of the terms. On a video with triangulated markers, OpenPose's heels and toes, of confidences
# about 0.5, were 17 to 48 mm off relative to its ankles.
_NOISE_M, _DOUBT_M = 0.02, 0.05  # of keypoints of confidence 1, and how much more without
_FLEXION, _TILT = 0.45, 0.2  # of sines to the right angle with the shank, forwards and sideways
_FACING = 0.5  # of the sine between the foot and where the pelvis faces
_LEVEL = 0.15  # of sines to the floor while the foot stands
_SPEED = 4.0  # radians per second
_STEPS = 12
_BRIDGED_S = 0.25  # longest time from a frame in which a foot was seen
_MIN_SEEN = 2  # of the three points
_YAWS, _PITCHES = np.radians((-60, -30, 0, 30, 60)), np.radians((-40, -10, 20))


@dataclass(frozen=True, kw_only=True)
class _Seen:
    """What is known of one foot in the t frames of a motion: see the top of the module; `c` (3 points) in metres."""

    times_s: Float[ndarray, " t"]
    ankle: Float[ndarray, "t 3"]
    slopes: Float[ndarray, "t k 2"]
    noise_m: Float[ndarray, "t k"]  # infinite where not seen
    shank: Float[ndarray, "t 3"]  # unit vectors: upwards along the shank, where the pelvis faces, its right, and up
    forward: Float[ndarray, "t 3"]
    right: Float[ndarray, "t 3"]
    up: Float[ndarray, "t 3"]
    standing: Bool[ndarray, " t"]
    c: Float[ndarray, "k 3"]


def with_feet(poses: Poses, keypoints: Keypoints, *, tracked: bool = True) -> Poses:
    """The poses with heels and toes where the keypoints that they were lifted from have them.

    Without `tracked`, frames know nothing of each other.
    """
    names = [_joint(name, keypoints.skeleton) for name in FEET]
    if not any(names) or not len(poses) or not set(poses.skeleton.joints) >= _NEEDED:
        return poses
    slopes, confidence = _observed(poses, keypoints, names)
    if not (confidence > 0).any():
        return poses
    up = upright(poses).R_up_from_cam[poses.frame][:, 1]
    best, feet = poses.best.astype(float), np.full((len(poses), len(FEET), 3), np.nan)
    size = {track: _size(best[rows], poses.skeleton) for track, rows in poses.tracks}
    for rows, times_s in motions(poses):
        for s, side in enumerate(("left", "right")):
            part = slice(3 * s, 3 * s + 3)
            seen, standing = confidence[rows, part], _standing(poses, rows, s)
            one = _seen_of(best[rows], slopes[rows, part], seen, poses.skeleton, side, size[int(poses.track[rows[0]])],
                           times_s=times_s, up=up[rows], standing=standing)  # fmt: skip
            ankle = best[rows, poses.skeleton.index(f"{side}_ankle")]
            near = _near_sight(seen, times_s) & np.isfinite(ankle).all(-1)
            if near.any():
                feet[rows[near], part] = _fitted(one, tracked)[near]
    feet[:, [name is None for name in names]] = np.nan
    return replace(poses, feet=feet)


_NEEDED = {"pelvis", *(f"{side}_{part}" for side in ("left", "right") for part in ("hip", "knee", "ankle"))}


def _joint(name: str, skeleton: Skeleton) -> str | None:
    """The name of a foot's joint in a joint set; None if it has none."""
    side, _, part = name.partition("_")
    other = f"{side}_{_OTHER_NAMES.get(part)}"
    return name if name in skeleton.joints else other if other in skeleton.joints else None


def _observed(
    poses: Poses, keypoints: Keypoints, names: list[str | None]
) -> tuple[Float[ndarray, "n f 2"], Float[ndarray, "n f"]]:
    """Slopes x/z and y/z of the feet's keypoints, moved by what the ankles are off theirs; confidences, 0 if unseen."""
    pinhole = keypoints.undistorted(poses.cameras)
    rows, there = same_rows(poses, pinhole)
    slopes, confidence = np.zeros((len(poses), len(names), 2)), np.zeros((len(poses), len(names)))
    seen = apply_cameras(poses.cameras, poses.frame[rows], pinhole.xy[there], _slopes)
    best = poses.best.astype(float)[rows]
    for i, name in enumerate(names):
        ankle = f"{FEET[i].partition('_')[0]}_ankle"
        if name is None or ankle not in pinhole.skeleton.joints:
            continue
        j, a = pinhole.skeleton.index(name), pinhole.skeleton.index(ankle)
        place = best[:, poses.skeleton.index(ankle)]
        off = place[:, :2] / place[:, 2:] - seen[:, a]
        off[pinhole.confidence[there, a] == 0] = 0.0
        slopes[rows, i] = np.nan_to_num(seen[:, j] + off)
        confidence[rows, i] = np.where(np.isfinite(off).all(-1), pinhole.confidence[there, j], 0.0)
    return slopes, confidence


def _slopes(camera: Camera, xy: Float[ndarray, "*b 2"]) -> Float[ndarray, "*b 2"]:
    return (xy - (camera.cx, camera.cy)) / (camera.fx, camera.fy)


def _size(best: Float[ndarray, "n j 3"], skeleton: Skeleton) -> float:
    """The person's size relative to the adult's, from the shanks."""
    lengths = [
        np.linalg.norm(best[:, skeleton.index(f"{side}_knee")] - best[:, skeleton.index(f"{side}_ankle")], axis=-1)
        for side in ("left", "right")
    ]
    known = np.concatenate(lengths)[np.isfinite(np.concatenate(lengths))]
    return float(np.median(known)) / _SHANK_M if len(known) else 1.0


def _standing(poses: Poses, rows: Int[ndarray, " t"], side: int) -> Bool[ndarray, " t"]:
    return np.zeros(len(rows), bool) if poses.contact is None else poses.contact[rows, side]


def _near_sight(confidence: Float[ndarray, "t k"], times_s: Float[ndarray, " t"]) -> Bool[ndarray, " t"]:
    """Frames near one in which enough of a foot was seen."""
    seen = times_s[np.count_nonzero(confidence > 0, axis=-1) >= _MIN_SEEN]
    if not len(seen):
        return np.zeros(len(times_s), bool)
    after = np.clip(np.searchsorted(seen, times_s), 1, max(len(seen) - 1, 1))
    nearest = np.minimum(np.abs(times_s - seen[after - 1]), np.abs(times_s - seen[np.minimum(after, len(seen) - 1)]))
    return nearest <= _BRIDGED_S


def _seen_of(
    best: Float[ndarray, "t j 3"],
    slopes: Float[ndarray, "t k 2"],
    confidence: Float[ndarray, "t k"],
    skeleton: Skeleton,
    side: str,
    size: float,
    **others: ndarray,
) -> _Seen:
    sign = 1.0 if side == "right" else -1.0

    def at(name: str) -> Float[ndarray, "t 3"]:
        return np.nan_to_num(best[:, skeleton.index(name)])

    shank = _unit(at(f"{side}_knee") - at(f"{side}_ankle"))
    right = _unit(at("right_hip") - at("left_hip"))
    forward = _unit(np.cross(others["up"], right))
    noise = _NOISE_M + _DOUBT_M * (1 - confidence)
    return _Seen(
        ankle=at(f"{side}_ankle"),
        slopes=slopes,
        noise_m=np.where(confidence > 0, noise, np.inf),
        shank=shank,
        forward=forward,
        right=right,
        c=size * _FOOT_M * (1.0, 1.0, sign),
        **others,
    )


def _fitted(seen: _Seen, tracked: bool) -> Float[ndarray, "t k 3"]:
    """The places of the three points."""
    R = _start(seen)
    for _ in range(_STEPS):
        R = Rotation.from_rotvec(_step(R, seen, tracked)).as_matrix() @ R
    return seen.ankle[:, None] + np.einsum("tab,kb->tka", R, seen.c)


def _start(seen: _Seen) -> Float[ndarray, "t 3 3"]:
    """In each frame the best of some rotations about the shank and the foot's own axis."""
    y = seen.shank
    x = _unit(seen.forward - (seen.forward * y).sum(-1, keepdims=True) * y)
    base = np.stack([x, y, np.cross(x, y)], axis=-1)
    turns = [Rotation.from_euler("YZ", (yaw, pitch)).as_matrix() for yaw in _YAWS for pitch in _PITCHES]
    candidates = [base @ turn for turn in turns]
    costs = np.array([_cost(R, seen) for R in candidates])
    return np.array(candidates)[costs.argmin(0), np.arange(len(base))]


def _residuals(R: Float[ndarray, "t 3 3"], seen: _Seen) -> tuple[Float[ndarray, "t r"], Float[ndarray, "t r 3"]]:
    """Residuals over their standard deviations, and their derivatives by a small rotation of the foot."""
    arms = np.einsum("tab,kb->tka", R, seen.c)
    x = seen.ankle[:, None] + arms
    z = np.maximum(x[..., 2:], 0.1)
    off = (x[..., :2] / z - seen.slopes) * z / seen.noise_m[..., None]
    D = np.zeros((*z.shape[:2], 2, 3))
    D[..., 0, 0] = D[..., 1, 1] = 1.0
    D[..., 2] = -x[..., :2] / z
    J = D @ _cross(-arms) / seen.noise_m[..., None, None]
    robust = 1 / np.sqrt(1 + (off**2).sum(-1))  # Cauchy's loss by weights
    values = [(off * robust[..., None]).reshape(len(R), -1)]
    slopes = [(J * robust[..., None, None]).reshape(len(R), -1, 3)]
    level = np.where(seen.standing, 1 / _LEVEL, 0.0)
    for axis, direction, weight in (
        (0, seen.shank, 1 / _FLEXION),
        (2, seen.shank, 1 / _TILT),
        (0, seen.right, 1 / _FACING),
        (0, seen.up, level),
        (2, seen.up, level),
    ):
        e = R[..., axis]
        values.append((weight * (e * direction).sum(-1))[:, None])
        slopes.append((np.cross(e, direction) * np.asarray(weight).reshape(-1, 1))[:, None])
    return np.concatenate(values, axis=1), np.concatenate(slopes, axis=1)


def _cost(R: Float[ndarray, "t 3 3"], seen: _Seen) -> Float[ndarray, " t"]:
    return (_residuals(R, seen)[0] ** 2).sum(-1)


def _step(R: Float[ndarray, "t 3 3"], seen: _Seen, tracked: bool) -> Float[ndarray, "t 3"]:
    """Rotation vectors that lessen the sum of squares."""
    r, J = _residuals(R, seen)
    t = len(R)
    H = J.swapaxes(1, 2) @ J + 1e-6 * np.eye(3)
    g = (J.swapaxes(1, 2) @ r[..., None])[..., 0]
    coupling = np.zeros((t, 3, 3))  # of each frame with the one before
    if tracked and t > 1:
        weight = 1 / (_SPEED * np.diff(seen.times_s)) ** 2
        after, before = _cross(R[1:].swapaxes(1, 2)), _cross(R[:-1].swapaxes(1, 2))  # of the three axes
        coupling[1:] = -weight[:, None, None] / 2 * (after.swapaxes(-1, -2) @ before).sum(1)
        pull = weight[:, None] / 2 * np.cross(R[:-1], R[1:], axis=1).sum(-1)
        g[1:] += pull
        g[:-1] -= pull
        H[1:] += weight[:, None, None] * np.eye(3)
        H[:-1] += weight[:, None, None] * np.eye(3)
    step = -_solve(H, coupling, g)
    return step * np.minimum(1.0, 0.5 / np.maximum(np.linalg.norm(step, axis=-1, keepdims=True), 1e-9))


def _solve(
    H: Float[ndarray, "t 3 3"], coupling: Float[ndarray, "t 3 3"], right: Float[ndarray, "t 3"]
) -> Float[ndarray, "t 3"]:
    """Solve the symmetric equations with blocks `H` on the diagonal and `coupling` left of it, in lower band form."""
    bands = np.zeros((6, right.size))
    for row in range(3):
        for column in range(3):
            if row >= column:
                bands[row - column, column::3] = H[:, row, column]
            bands[3 + row - column, column:-3:3] = coupling[1:, row, column]
    return solveh_banded(bands, right.ravel(), lower=True).reshape(right.shape)


def _cross(vectors: Float[ndarray, "*b 3"]) -> Float[ndarray, "*b 3 3"]:
    """Matrices M with M w = vector x w."""
    x, y, z = np.moveaxis(vectors, -1, 0)
    zero = np.zeros_like(x)
    return np.stack([np.stack(row, axis=-1) for row in ((zero, -z, y), (z, zero, -x), (-y, x, zero))], axis=-2)


def _unit(vectors: Float[ndarray, "*b 3"]) -> Float[ndarray, "*b 3"]:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)
