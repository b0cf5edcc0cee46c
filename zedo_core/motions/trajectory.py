"""The trajectory of every track: what is known of it is gathered from hypotheses and keypoints, then fitted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from scipy.ndimage import median_filter

from zedo_core.camera import Camera
from zedo_core.errors import InputError
from zedo_core.motions.body import Body, body_of
from zedo_core.motions.contact import ANKLES, contacts
from zedo_core.motions.fit import NEAREST_M, TERMS, Observations, Terms, fit_motion
from zedo_core.motions.timeline import motions
from zedo_core.motions.upright import upright
from zedo_core.types import Keypoints, Poses, same_rows
from zedo_core.types.rows import apply_cameras

# Noise of keypoints, relative to the person's size in the picture.
_NOISE, _DOUBT = 0.004, 0.03  # with confidence 1, which no detector has, and how much more without
_WHITE = 1.5  # times the jitter that is measured, since errors last for several frames

_SIZE = 0.42  # of a standing person, relative to the sum of the bones
_SEEN = 0.3  # least confidence of joints that place a person
_FEW, _PLACED = 4, 8  # least number of those, to use a frame and to start from it
_MAX_JUMP = 1.5  # largest ratio of a person's distance to those in the frames around
_AROUND = 15  # frames
_MIN_SPREAD_M, _UNKNOWN_SPREAD_M = 0.02, 0.08
_CONTACT_ROUNDS, _STEPS = 2, 2  # fits with the contacts of the one before, and steps of each
_WINDOW, _OVERLAP = 1000, 30  # frames that are fitted at once, and those that windows share


def trajectories(poses: Poses, keypoints: Keypoints | None = None, terms: Terms = TERMS) -> Poses:
    """The chosen poses replaced by one body of fixed bones per track that moves as a body can; see `fit`.

    `keypoints` are those that the poses were lifted from; without them the chosen poses' projections are taken. Rows
    that are `filled`, or far too small or large for the person, are bridged and marked `filled`. People of whom no pose
    is complete stay as they are. In front of cameras that are known to move, no foot is taken to stand. InputError for
    keypoints of other people.
    """
    if not len(poses):
        return poses
    stands = len({(camera.R_cam_from_world, camera.t_cam_from_world) for camera in poses.cameras}) == 1
    if not stands:
        terms = replace(terms, foot=0.0, standing=0.0)
    slopes, confidence = _observed(poses, keypoints)
    joints, best, filled = poses.joints.astype(float), poses.best.astype(float), poses.filled.copy()
    contact, up = np.zeros((len(poses), 2), bool), _up(poses)
    bodies = {track: _body(poses.take(rows)) for track, rows in poses.tracks}
    for rows, times_s in motions(poses):
        body = bodies[int(poses.track[rows[0]])]
        known = body and _observations(poses, best[rows], rows, times_s, slopes[rows], confidence[rows], body)
        if body and known:
            seen, usable = known
            joints[rows, poses.chosen[rows]], contact[rows] = _fit_with_contacts(seen, body, up, terms)
            filled[rows] = np.logical_not(usable)
    return replace(
        poses,
        joints=joints.astype(poses.joints.dtype),
        filled=filled,
        contact=contact if stands else None,
        provenance=replace(poses.provenance, options={**poses.provenance.options, "motion": "full"}),
    )


def _body(person: Poses) -> Body | None:
    """The body of one person, from the poses that are not made up."""
    known = person.take(np.logical_not(person.filled))
    return body_of(known.best, known.spread, known.skeleton)


def _fit_with_contacts(
    seen: Observations, body: Body, up: Float[ndarray, "3"], terms: Terms
) -> tuple[Float[ndarray, "t j 3"], Bool[ndarray, "t 2"]]:
    """The joints, and which feet stand; those are found in one fit and do not move in the next."""
    joints = _fit_in_windows(seen, body, terms)
    contact = np.zeros((len(joints), 2), bool)
    ankles = [name in ANKLES for name in body.skeleton.joints]
    for _ in range(_CONTACT_ROUNDS if sum(ankles) == len(ANKLES) and terms.standing else 0):
        contact = contacts(joints, seen.times_s, up, body.skeleton)
        standing = np.zeros(joints.shape[:2])
        standing[:, body.skeleton.indices(ANKLES)] = contact
        joints = _fit_in_windows(replace(seen, start=joints, standing=standing), body, replace(terms, steps=_STEPS))
    return joints, contact


def _up(poses: Poses) -> Float[ndarray, "3"]:
    """The mean upward direction in camera axes."""
    up = upright(poses).R_up_from_cam[:, 1].mean(0)
    return up / np.linalg.norm(up)


def _fit_in_windows(seen: Observations, body: Body, terms: Terms) -> Float[ndarray, "t j 3"]:
    """Long motions in parts that overlap, so that memory stays bounded; what lies beyond the overlap hardly matters."""
    return np.concatenate([
        fit_motion(_part(seen, window), body, terms)[inner] for window, inner in _windows(len(seen.times_s))
    ])  # fmt: skip


def _windows(count: int) -> Iterator[tuple[slice, slice]]:
    """Windows of frames, and which frames of each are kept."""
    for start in range(0, count, _WINDOW):
        stop = min(start + _WINDOW, count)
        first = max(start - _OVERLAP, 0)
        yield slice(first, min(stop + _OVERLAP, count)), slice(start - first, stop - first)


def _part(seen: Observations, window: slice) -> Observations:
    return Observations(**{name: value[window] for name, value in vars(seen).items()})


def _observed(poses: Poses, keypoints: Keypoints | None) -> tuple[Float[ndarray, "n j 2"], Float[ndarray, "n j"]]:
    """Slopes x/z and y/z of the keypoints of every row, and their confidence, 0 where there are none."""
    if keypoints is None:
        best = np.where(poses.filled[:, None, None], np.nan, poses.best.astype(float))
        z = np.where(best[..., 2:] > NEAREST_M, best[..., 2:], np.nan)
        slopes = best[..., :2] / z
        known = np.asarray(np.isfinite(slopes).all(-1))
        return np.where(known[..., None], slopes, 0.0), known.astype(float)
    pinhole = keypoints.undistorted(poses.cameras).to_skeleton(poses.skeleton)
    rows, there = same_rows(poses, pinhole)
    if not len(rows):
        raise InputError("expected keypoints of the people and frames of the poses, found none in common")
    slopes, confidence = np.zeros((len(poses), len(poses.skeleton), 2)), np.zeros((len(poses), len(poses.skeleton)))
    slopes[rows] = apply_cameras(poses.cameras, poses.frame[rows], pinhole.xy[there], _slopes)
    confidence[rows] = pinhole.confidence[there]
    return slopes, confidence


def _slopes(camera: Camera, xy: Float[ndarray, "*b 2"]) -> Float[ndarray, "*b 2"]:
    return (xy - (camera.cx, camera.cy)) / (camera.fx, camera.fy)


def _observations(
    poses: Poses,
    best: Float[ndarray, "t j 3"],
    rows: Int[ndarray, " t"],
    times_s: Float[ndarray, " t"],
    slopes: Float[ndarray, "t j 2"],
    confidence: Float[ndarray, "t j"],
    body: Body,
) -> tuple[Observations, Bool[ndarray, " t"]] | None:
    """What is known of one motion, and which rows are of the person; None when none is good enough to start from."""
    weight = np.where(confidence >= _SEEN, confidence, 0.0)
    joints = _on_rays(body.relative(body.directions(best)), slopes, weight)
    seen = np.count_nonzero(weight, axis=-1)
    usable = ~poses.filled[rows] & np.isfinite(joints).all((-1, -2)) & (seen >= _FEW)
    usable[usable] = _near(joints[usable, body.skeleton.root, 2])
    placed = np.flatnonzero(usable & (seen >= _PLACED))
    if not len(placed):
        return None
    flat = joints[placed].reshape(len(placed), -1).T
    start = np.stack([np.interp(times_s, times_s[placed], values) for values in flat], axis=-1).reshape(joints.shape)
    size = _SIZE * body.lengths_m.sum() / start[:, [body.skeleton.root], 2]
    jitter = _jitter(slopes / size[..., None], confidence > 0)
    noise = size * np.hypot(_NOISE + _DOUBT * np.sqrt(1 - confidence), _WHITE * jitter)
    hypotheses = body.relative(body.directions(poses.joints[rows].astype(float)))
    observations = Observations(
        times_s=times_s,
        slopes=slopes,
        noise=np.where((confidence > 0) & usable[:, None], noise, np.inf),
        hypotheses=np.where(usable[:, None, None, None], hypotheses, np.nan),
        error_m=-np.nan_to_num(poses.score[rows].astype(float), nan=0.0, neginf=-1e3),
        spread_m=np.maximum(np.nan_to_num(poses.spread[rows].astype(float), nan=_UNKNOWN_SPREAD_M), _MIN_SPREAD_M),
        start=start,
        standing=np.zeros(confidence.shape),
    )
    return observations, usable


def _near(distance: Float[ndarray, " n"]) -> Bool[ndarray, " n"]:
    """Whether people are about as far as in the frames around; what is not is another person or a mistake."""
    away = np.log(np.maximum(distance, NEAREST_M))
    return np.abs(away - median_filter(away, 2 * _AROUND + 1, mode="mirror")) < np.log(_MAX_JUMP)


def _jitter(points: Float[ndarray, "t j 2"], seen: Bool[ndarray, "t j"]) -> Float[ndarray, " j"]:
    """Standard deviation of each joint's white noise, from third differences in time, of which motion has little."""
    if len(points) < 4:
        return np.zeros(points.shape[1])
    known = np.asarray(np.lib.stride_tricks.sliding_window_view(seen, 4, axis=0).all(-1))  # t - 3, j
    third = np.where(known[..., None], np.abs(np.diff(points, n=3, axis=0)), np.nan)
    counted = known.any(0)
    median = np.zeros(points.shape[1])
    median[counted] = np.nanmedian(third[:, counted], axis=(0, 2))
    return 1.4826 / np.sqrt(20) * median  # 1 + 9 + 9 + 1


def _on_rays(
    relative: Float[ndarray, "t j 3"], slopes: Float[ndarray, "t j 2"], weight: Float[ndarray, "t j"]
) -> Float[ndarray, "t j 3"]:
    """The poses with the root where the joints lie on their rays by weighted least squares: p_x - u p_z = u z - x."""
    w = weight / np.maximum(weight.sum(-1, keepdims=True), 1e-9)
    mean = (w[..., None] * slopes).sum(1)
    H = np.zeros((len(slopes), 3, 3))
    H[:, 0, 0] = H[:, 1, 1] = 1.0
    H[:, :2, 2] = H[:, 2, :2] = -mean
    H[:, 2, 2] = (w[..., None] * slopes**2).sum((1, 2))
    off = w[..., None] * (slopes * relative[..., 2:] - relative[..., :2])
    right = np.concatenate([off.sum(1), -(slopes * off).sum((1, 2))[:, None]], axis=1)
    return relative + np.linalg.solve(H + 1e-9 * np.eye(3), right[..., None])[:, None, :, 0]
