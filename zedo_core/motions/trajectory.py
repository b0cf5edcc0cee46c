"""The trajectory of every track: what is known of it is gathered from hypotheses and keypoints, then fitted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import scipy  # its parts load when they are used
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from zedo_core.camera import Camera
from zedo_core.errors import InputError
from zedo_core.motions.body import Body, body_of
from zedo_core.motions.contact import ANKLES
from zedo_core.motions.fit import NEAREST_M, TERMS, Observations, Terms, fit_motion
from zedo_core.motions.ground import Motion, on_the_ground
from zedo_core.motions.segments import Segments
from zedo_core.motions.timeline import motions
from zedo_core.motions.upright import upright
from zedo_core.types import Keypoints, Poses, same_rows
from zedo_core.types.rows import apply_cameras

# Noise of keypoints, relative to the person's size in the picture.
_NOISE, _DOUBT = 0.002, 0.03  # with confidence 1, which no detector has, and how much more without
_WHITE = 1.5  # times the jitter that is measured, since errors last for several frames

_SIZE = 0.42  # of a standing person, relative to the sum of the bones
_SEEN = 0.3  # least confidence of joints that place a person
_FEW, _PLACED = 4, 8  # least number of those, to use a frame and to start from it
_MAX_JUMP = 1.5  # largest ratio of a person's distance to those in the frames around
_AROUND = 15  # frames
_MIN_SPREAD_M, _UNKNOWN_SPREAD_M = 0.02, 0.08


def trajectories(
    poses: Poses,
    keypoints: Keypoints | None = None,
    terms: Terms = TERMS,
    *,
    ground: bool = True,
    segments: Segments | None = None,
) -> Poses:
    """The chosen poses replaced by one body of fixed bones per track that moves as a body can; see `fit`.

    `keypoints` are those that the poses were lifted from; without them the chosen poses' projections are taken. Rows
    that are `filled`, or far too small or large for the person, are bridged and marked `filled`. People of whom no pose
    is complete stay as they are. Without `ground`, or in front of cameras whose extrinsics move, no foot is taken to
    stand. `segments` are measured bones. InputError for keypoints of other people.
    """
    if not len(poses):
        return poses
    ground &= len({(camera.R_cam_from_world, camera.t_cam_from_world) for camera in poses.cameras}) == 1
    if not ground:
        terms = replace(terms, foot=0.0, standing=0.0)
    slopes, confidence = _observed(poses, keypoints)
    best, filled = poses.best.astype(float), poses.filled.copy()
    bodies = {track: _body(poses.take(rows), segments or Segments(), track) for track, rows in poses.tracks}
    known: list[Motion] = []
    for rows, times_s in motions(poses):
        body = bodies[int(poses.track[rows[0]])]
        seen = body and _observations(poses, best[rows], rows, times_s, slopes[rows], confidence[rows], body)
        if body and seen:
            filled[rows] = np.logical_not(seen[1])
            known.append(Motion(rows, body, seen[0], fit_motion(seen[0], body, terms), np.zeros((len(rows), 2), bool)))
    joints, contact = poses.joints.astype(float), np.zeros((len(poses), 2), bool)
    if ground and set(ANKLES) <= set(poses.skeleton.joints):
        known = on_the_ground(known, _up(poses), terms)
    for one in known:
        joints[one.rows, poses.chosen[one.rows]] = one.joints
        contact[one.rows] = one.contact
    return replace(
        poses,
        joints=joints.astype(poses.joints.dtype),
        filled=filled,
        contact=contact if ground else None,
        provenance=replace(poses.provenance, options={**poses.provenance.options, "motion": "full"}),
    )


def _body(person: Poses, segments: Segments, track: int) -> Body | None:
    """The body of one person, from the poses that are not made up and the segments that were measured."""
    known = person.take(np.logical_not(person.filled))
    body = body_of(known.best, known.spread, known.skeleton)
    return body and segments.applied(body, track)


def _up(poses: Poses) -> Float[ndarray, "3"]:
    """The mean upward direction in camera axes."""
    up = upright(poses).R_up_from_cam[:, 1].mean(0)
    return up / np.linalg.norm(up)


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
    off = best[..., :2] / np.maximum(best[..., 2:], NEAREST_M) - slopes  # where the lifter did not believe a keypoint
    noise = np.hypot(noise, np.linalg.norm(np.nan_to_num(off), axis=-1))
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
    return np.abs(away - scipy.ndimage.median_filter(away, 2 * _AROUND + 1, mode="mirror")) < np.log(_MAX_JUMP)


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
