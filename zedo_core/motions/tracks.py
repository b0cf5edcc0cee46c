"""Tracks as wholes: joined where a person comes back, of one size, with short gaps filled."""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray
from scipy.interpolate import CubicHermiteSpline

from zedo_core.errors import InputError
from zedo_core.keypoints.linking import MAX_DISTANCE, distances
from zedo_core.metrics import bone_lengths
from zedo_core.motions.timeline import times_of
from zedo_core.packed import packed, places, relabelled, unpacked
from zedo_core.types import Keypoints, Poses

JOIN_S = 1.0  # who left for longer is somebody else for all we know
FILL_S = 0.5  # longest gap that is filled; on motion capture cubics are then 31 mm off on average, 11 mm at 0.25 s

_VELOCITY_S = 0.1  # over which the velocity at the ends of a gap is taken
_DRIFT_M_S = 0.06  # error that a second of a gap adds, measured likewise

_log = logging.getLogger(__name__)


def join_tracks(keypoints: Keypoints, longest_gap_s: float = JOIN_S) -> Keypoints:
    """The same people with one track for who left and came back within the time, near the same place in the picture.

    The second track begins after the first has ended; of several that would fit, the nearest. The id is the first's.
    """
    people = packed(keypoints)
    heirs = _heirs(people, times_of(keypoints), longest_gap_s)
    ids = people.track_ids
    becomes = np.arange(len(ids))
    for earlier, later in heirs.items():
        becomes[later] = earlier
        _log.info("person %d is taken for person %d, who left shortly before", ids[later], ids[earlier])
    while (becomes[becomes] != becomes).any():  # who came back twice
        becomes = becomes[becomes]
    joined = relabelled(people, becomes, np.unique(becomes))
    return joined if keypoints.who is not None else unpacked(joined)


def _heirs(people: Keypoints, times_s: Float[ndarray, " t"], longest_gap_s: float) -> dict[int, int]:
    """Which track goes on in which, as places in the ids."""
    where = {p: found for p in range(len(people.track_ids)) if len((found := places(people, p))[0])}
    tracks = np.array(list(where), int)
    first, last = (np.array([t[i] for t, _ in where.values()], int) for i in (0, -1))
    begins, ends = (
        {p: _person(people, int(t[i]), int(column[i])) for p, (t, column) in where.items()} for i in (0, -1)
    )
    gaps_s = times_s[first][None] - times_s[last][:, None]
    fits = tracks[np.argwhere((gaps_s > 0) & (gaps_s <= longest_gap_s))].tolist()
    pairs = [(float(distances(ends[a], begins[b][None])[0]), a, b) for a, b in fits]
    heirs: dict[int, int] = {}
    for distance, a, b in sorted(pairs):
        if distance < MAX_DISTANCE and a not in heirs and b not in heirs.values():
            heirs[a] = b
    return heirs


def _person(people: Keypoints, t: int, column: int) -> Float[ndarray, "j 3"]:
    return np.concatenate([people.xy[t, column], people.confidence[t, column, :, None]], axis=-1)


def one_size(poses: Poses) -> Poses:
    """The same poses with all of a track's bodies as large as the median of the chosen ones.

    Bodies are scaled about the camera, so that their projections stay. Lifters that fix the size have done it before.
    """
    size_m = bone_lengths(poses.joints.astype(np.float64), poses.skeleton.edges).sum(-1)
    chosen_m = np.take_along_axis(size_m, np.maximum(poses.chosen, 0)[..., None], axis=2)[..., 0]
    chosen_m = np.where(poses.present, chosen_m, np.nan)
    factor = np.ones_like(size_m)
    for p in np.flatnonzero(np.isfinite(chosen_m).any(0)):
        factor[:, p] = np.nanmedian(chosen_m[:, p]) / np.where(size_m[:, p] > 0, size_m[:, p], np.nan)
    factor = np.where(np.isfinite(factor), factor, 1.0)
    return replace(poses, joints=(poses.joints * factor[..., None, None]).astype(poses.joints.dtype))


def fill_gaps(poses: Poses, longest_gap_s: float = FILL_S) -> Poses:
    """The same poses with those of people who were away for less than the time made up between, and marked `filled`.

    Joints move on cubics that keep their places and velocities at the ends; the only hypothesis of a filled frame is
    the first. Frames that the input does not have stay away. InputError for a negative time.
    """
    check_fill(longest_gap_s)
    times_s, best = times_of(poses), poses.best.astype(np.float64)
    known = poses.present & np.isfinite(best).all((-1, -2))
    joints, score, spread = poses.joints.copy(), poses.score.copy(), poses.spread.copy()
    filled = poses.is_filled.copy()
    for p in range(len(poses.track_ids)):
        rows = np.flatnonzero(known[:, p])
        for i in np.flatnonzero((np.diff(rows) > 1) & (np.diff(times_s[rows]) <= longest_gap_s)):
            gap = np.arange(int(rows[i]) + 1, int(rows[i + 1]))
            if poses.present[gap, p].any():  # a pose with unknown joints is better than none
                continue
            joints[gap, p], score[gap, p], filled[gap, p] = np.nan, np.nan, True
            joints[gap, p, 0] = _between(best[:, p], times_s, rows, int(i), gap)
            ends = rows[[i, i + 1]]
            error_m = np.interp(times_s[gap], times_s[ends], np.nan_to_num(poses.expected_error_m[ends, p]))
            drift_m = _DRIFT_M_S * float(np.diff(times_s[ends])[0])
            score[gap, p, 0] = -(error_m + drift_m)
            spread[gap, p] = np.hypot(np.nan_to_num(spread[ends, p]).max(0), drift_m)
    return replace(
        poses, joints=joints, score=score, spread=spread, chosen=np.where(filled, 0, poses.chosen), filled=filled
    )


def check_fill(longest_gap_s: float) -> None:
    """InputError for a time that is none."""
    if not (np.isfinite(longest_gap_s) and longest_gap_s >= 0):
        raise InputError(f"expected gaps to be filled of 0 seconds or more, got {longest_gap_s:g}")


def _between(
    motion: Float[ndarray, "t j 3"],
    times_s: Float[ndarray, " t"],
    rows: Int[ndarray, " n"],
    i: int,
    gap: Int[ndarray, " g"],
) -> Float[ndarray, "g j 3"]:
    """Joints in the gap after the i-th of the rows in which the person is known."""
    before, after = rows[: i + 1], rows[i + 1 :]
    before = before[times_s[before[-1]] - times_s[before] <= _VELOCITY_S + 1e-9]
    after = after[times_s[after] - times_s[after[0]] <= _VELOCITY_S + 1e-9]
    ends = [before[-1], after[0]]
    velocity = [_velocity(motion[part], times_s[part]) for part in (before, after)]
    return CubicHermiteSpline(times_s[ends], motion[ends], np.stack(velocity))(times_s[gap])


def _velocity(motion: Float[ndarray, "t j 3"], times_s: Float[ndarray, " t"]) -> Float[ndarray, "j 3"]:
    """Mean velocity in metres a second; 0 of a single frame."""
    return (motion[-1] - motion[0]) / max(float(times_s[-1] - times_s[0]), 1e-9)
