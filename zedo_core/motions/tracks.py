"""Operations on whole tracks: joining them when a person returns, one body size, and filling short gaps."""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import replace

import numpy as np
import scipy  # its parts load when they are used
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from zedo_core.detection.matching import match, pose_distances
from zedo_core.errors import InputError
from zedo_core.metrics import bone_lengths
from zedo_core.motions import FILL_S
from zedo_core.motions.timeline import times_of
from zedo_core.skeleton import FEET
from zedo_core.types import Keypoints, Poses, in_order

JOIN_S = 1.0  # longest absence after which tracks are joined

_VELOCITY_S = 0.1  # duration over which the velocity at the ends of a gap is averaged
_DRIFT_M_S = 0.06  # additional error per second of a gap, measured on motion capture

_log = logging.getLogger(__name__)


def join_tracks(keypoints: Keypoints, longest_gap_s: float = JOIN_S, *, cuts: Collection[int] = ()) -> Keypoints:
    """The keypoints with tracks joined of people who left and returned within the time near the same image position.

    The later track begins after the earlier one has ended and gets its id. With several candidates, the pairs with the
    smallest total distance are joined, none across `cuts`, which are numbers of the frames that begin another shot.
    """
    new_ids = {track: track for track in keypoints.track_ids.tolist()}
    for earlier, later in sorted(_continuations(keypoints, longest_gap_s, cuts).items(), key=lambda pair: pair[1]):
        new_ids[later] = earlier
        _log.info("person %d continues the track of person %d, who left shortly before", later, earlier)
    while any(new_ids[new_ids[track]] != new_ids[track] for track in new_ids):  # chains of several tracks
        new_ids = {track: new_ids[earlier] for track, earlier in new_ids.items()}
    track = np.array([new_ids[track] for track in keypoints.track.tolist()], keypoints.track.dtype)
    rows = in_order(frame=keypoints.frame, track=track, xy=keypoints.xy, confidence=keypoints.confidence)
    return replace(keypoints, **rows)


def _continuations(people: Keypoints, longest_gap_s: float, cuts: Collection[int]) -> dict[int, int]:
    """The id of the later track by that of the earlier one which it continues."""
    ids, times_s = people.track_ids.tolist(), times_of(people)
    first, last = (np.array([rows.start for _, rows in people.tracks], int),
                   np.array([rows.stop - 1 for _, rows in people.tracks], int))  # fmt: skip
    gaps_s = times_s[people.frame[first]][None] - times_s[people.frame[last]][:, None]
    joints = np.concatenate([people.xy, people.confidence[..., None]], axis=-1)
    cost = np.full((len(ids), len(ids)), np.inf)
    shot = np.searchsorted(np.sort(np.array([*cuts], int)), people.frame_numbers, side="right")
    one_shot = shot[people.frame[first]][None] == shot[people.frame[last]][:, None]
    for a, candidates in enumerate(np.asarray((gaps_s > 0) & (gaps_s <= longest_gap_s) & one_shot)):
        cost[a, candidates] = pose_distances(joints[last[a]], joints[first[candidates]])
    return {ids[a]: ids[b] for a, b in match(cost)}


def one_size(poses: Poses) -> Poses:
    """The poses with all bodies of a track scaled to the median size of its chosen ones.

    Bodies are scaled about the camera, so that projections stay. No effect for lifters that fix the size.
    """
    size_m = bone_lengths(poses.joints.astype(np.float64), poses.skeleton.edges).sum(-1)
    chosen_m = size_m[np.arange(len(poses)), poses.chosen]
    factor = np.ones_like(size_m)
    for _, rows in poses.tracks:
        if np.isfinite(chosen_m[rows]).any():
            factor[rows] = np.nanmedian(chosen_m[rows]) / np.where(size_m[rows] > 0, size_m[rows], np.nan)
    factor = np.where(np.isfinite(factor), factor, 1.0)
    return replace(poses, joints=(poses.joints * factor[..., None, None]).astype(poses.joints.dtype))


def fill_gaps(poses: Poses, longest_gap_s: float = FILL_S) -> Poses:
    """The poses with interpolated ones, marked `filled`, where a person was absent for at most `longest_gap_s`.

    Joints move on cubics with the positions and velocities at both ends; only the first hypothesis of a filled row is
    known. Frames that the input lacks are not added. InputError for a negative time.
    """
    check_fill(longest_gap_s)
    times_s, best = times_of(poses), poses.best.astype(np.float64)
    known = np.asarray(np.isfinite(best).all((-1, -2)))
    gaps = [
        _fill(poses, best, times_s, rows, i)
        for _, track in poses.tracks
        for rows in (track.start + np.flatnonzero(known[track]),)
        for i in np.flatnonzero(_fillable(poses.frame, rows, times_s, longest_gap_s)).tolist()
    ]
    fields = {name: array for name in poses.PER_ROW if (array := getattr(poses, name)) is not None}
    rows = {name: np.concatenate([array, *(gap[name] for gap in gaps)]) for name, array in fields.items()}
    return replace(poses, **in_order(**rows))


def _fillable(
    frame: Int[ndarray, " n"], rows: Int[ndarray, " k"], times_s: Float[ndarray, " t"], longest_gap_s: float
) -> Bool[ndarray, " g"]:
    """After which of a track's known rows there is a short gap that contains no rows with unknown joints."""
    is_gap, is_short = np.diff(frame[rows]) > 1, np.diff(times_s[frame[rows]]) <= longest_gap_s
    return np.asarray(is_gap & is_short & (np.diff(rows) == 1))  # rows with unknown joints are not replaced


def _fill(
    poses: Poses, best: Float[ndarray, "n j 3"], times_s: Float[ndarray, " t"], rows: Int[ndarray, " k"], i: int
) -> dict[str, ndarray]:
    """Fields of the rows that fill the gap after the i-th of a track's known rows."""
    ends = rows[[i, i + 1]]
    frame = np.arange(int(poses.frame[ends[0]]) + 1, int(poses.frame[ends[1]]))
    known_s, gap_s = times_s[poses.frame[rows]], times_s[frame]
    drift_m = _DRIFT_M_S * float(known_s[i + 1] - known_s[i])
    error_m = np.interp(gap_s, known_s[[i, i + 1]], np.nan_to_num(poses.expected_error_m[ends]))
    joints = np.full((len(frame), *poses.joints.shape[1:]), np.nan, poses.joints.dtype)
    joints[:, 0] = _interpolate(best[rows], known_s, i, gap_s)
    score = np.full((len(frame), poses.hypotheses), np.nan, poses.score.dtype)
    score[:, 0] = -(error_m + drift_m)
    spread = np.hypot(np.nan_to_num(poses.spread[ends]).max(0), drift_m).astype(poses.spread.dtype)
    return {
        "frame": frame,
        "track": np.full(len(frame), poses.track[ends[0]]),
        "joints": joints,
        "score": score,
        "chosen": np.zeros(len(frame), poses.chosen.dtype),
        "spread": np.tile(spread, (len(frame), 1)),
        "filled": np.ones(len(frame), bool),
        "contact": np.zeros((len(frame), 2), bool),
        "seen": np.zeros((len(frame), len(poses.skeleton)), bool),
        "feet": np.full((len(frame), len(FEET), 3), np.nan),
    }


def check_fill(longest_gap_s: float) -> None:
    """InputError for a negative or infinite time."""
    if not (np.isfinite(longest_gap_s) and longest_gap_s >= 0):
        raise InputError(f"expected the longest gap to fill to be 0 seconds or more, got {longest_gap_s:g}")


def _interpolate(
    motion: Float[ndarray, "k j 3"], known_s: Float[ndarray, " k"], i: int, gap_s: Float[ndarray, " g"]
) -> Float[ndarray, "g j 3"]:
    """Joints at the times in the gap after the i-th of the known poses."""
    before, after = np.arange(i + 1), np.arange(i + 1, len(motion))
    before = before[known_s[i] - known_s[before] <= _VELOCITY_S + 1e-9]
    after = after[known_s[after] - known_s[i + 1] <= _VELOCITY_S + 1e-9]
    velocity = [_velocity(motion[part], known_s[part]) for part in (before, after)]
    return scipy.interpolate.CubicHermiteSpline(known_s[[i, i + 1]], motion[[i, i + 1]], np.stack(velocity))(gap_s)


def _velocity(motion: Float[ndarray, "t j 3"], times_s: Float[ndarray, " t"]) -> Float[ndarray, "j 3"]:
    """Mean velocity in metres per second; 0 for a single frame."""
    return (motion[-1] - motion[0]) / max(float(times_s[-1] - times_s[0]), 1e-9)
