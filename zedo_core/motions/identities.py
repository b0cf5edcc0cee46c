"""Ids of people set right by hand: two tracks that are one person, or one track that is two."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TypeVar

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from zedo_core.errors import InputError
from zedo_core.motions import FILL_S
from zedo_core.motions.height import check_ids
from zedo_core.motions.tracks import fill_gaps, one_size
from zedo_core.motions.trajectory import trajectories
from zedo_core.types import Keypoints, Poses, in_order
from zedo_core.types.rows import Rows

R = TypeVar("R", bound=Rows)

_MOST_TOGETHER = 0.5  # of the frames of the shorter of two tracks, in which both may be there and yet one person


@dataclass(frozen=True)
class Merge:
    """Tracks that are one person, who gets the first id."""

    tracks: tuple[int, ...]

    @classmethod
    def parse(cls, text: str) -> Merge:
        """Parse ids such as `3,5`; InputError for anything else."""
        if not re.fullmatch(r"\d{1,9}(,\d{1,9})+", text.replace(" ", "")):
            raise InputError(f"expected two or more ids of one person, such as 3,5, got '{text}'")
        tracks = tuple(dict.fromkeys(int(part) for part in text.split(",")))
        if len(tracks) < 2:
            raise InputError(f"expected two different ids or more, got '{text}'")
        return cls(tracks)


@dataclass(frozen=True)
class Split:
    """A track that is another person, with a new id, from the frame with this number on."""

    track: int
    frame: int

    @classmethod
    def parse(cls, text: str) -> Split:
        """Parse an id and a frame number such as `3@120`; InputError for anything else."""
        if not (found := re.fullmatch(r"(\d{1,9})@(\d{1,9})f?", text.strip())):
            raise InputError(f"expected an id and the first frame of the other person, such as 3@120, got '{text}'")
        return cls(int(found[1]), int(found[2]))


@dataclass(frozen=True, kw_only=True)
class Corrected:
    """What came out: poses and keypoints, the new ids by those they were split from, and rows that were left out."""

    poses: Poses
    keypoints: Keypoints | None
    new_ids: tuple[tuple[Split, int], ...] = ()
    dropped: int = 0
    refitted: tuple[int, ...] = ()


def correct_ids(
    poses: Poses, keypoints: Keypoints | None, splits: Sequence[Split], merges: Sequence[Merge]
) -> Corrected:
    """Poses and their keypoints with tracks split, then merged.

    In frames that hold several of the merged, the one with more confident keypoints stays. If the motion of the
    poses is `full`, it is fitted again to the tracks that changed. InputError for unknown ids, a split that leaves
    nobody on one side, or merged tracks that are there at the same time for more than half of the shorter.
    """
    new_ids: list[tuple[Split, int]] = []
    changed: set[int] = set()
    for split in splits:
        new = int(poses.track_ids.max(initial=-1)) + 1
        poses = _split(poses, split, new)
        keypoints = None if keypoints is None else _split(keypoints, split, new, check=False)
        new_ids.append((split, new))
        changed |= {split.track, new}
    dropped = 0
    for merge in merges:
        _check_merge(poses, merge)
        before = len(poses)
        lost = _weaker(poses, keypoints, merge)
        poses, keypoints = _merge(poses, merge, lost), None if keypoints is None else _merge(keypoints, merge, lost)
        dropped += before - len(poses)
        changed = (changed - set(merge.tracks)) | {merge.tracks[0]}
    refit = tuple(sorted(changed)) if poses.provenance.options.get("motion") == "full" else ()
    return Corrected(
        poses=_refitted(poses, keypoints, refit),
        keypoints=keypoints,
        new_ids=tuple(new_ids),
        dropped=dropped,
        refitted=refit,
    )


def _split(rows: R, split: Split, new: int, check: bool = True) -> R:
    if check:
        check_ids({split.track: None}, rows.track_ids)
    numbers = rows.frame_numbers[rows.frame]
    is_track = rows.track == split.track
    later = is_track & (numbers >= split.frame)
    if check and later.sum() in (0, is_track.sum()):
        ends = f"{numbers[is_track].min()} to {numbers[is_track].max()}"
        raise InputError(f"person {split.track}: expected a frame within {ends} to split at, got {split.frame}")
    return _with_tracks(rows, np.where(later, new, rows.track))


def _check_merge(poses: Poses, merge: Merge) -> None:
    check_ids(dict.fromkeys(merge.tracks), poses.track_ids)
    frames = {track: set(poses.frame[(poses.track == track) & ~poses.filled].tolist()) for track in merge.tracks}
    for a, b in combinations(merge.tracks, 2):
        together, least = len(frames[a] & frames[b]), min(len(frames[a]), len(frames[b]))
        if together > _MOST_TOGETHER * least:
            raise InputError(
                f"people {a} and {b} are there together in {together} frames of {least}, so they are two; split one "
                "before"
            )


def _confidence(rows: Keypoints | Poses) -> Float[ndarray, " n"]:
    """How sure each row is, between 0 and 1: of keypoints, or of poses by their expected error in metres."""
    if isinstance(rows, Keypoints):
        return rows.confidence.mean(-1)
    return np.where(rows.filled, 0.0, 1 / (1 + np.nan_to_num(rows.expected_error_m)))


def _weaker(poses: Poses, keypoints: Keypoints | None, merge: Merge) -> set[tuple[int, int]]:
    """The ids and frame numbers of rows that give way to a surer one of the same frame."""
    sureness = _by_row(poses, _confidence(poses) - (0 if keypoints is None else 2))  # less than all that have keypoints
    if keypoints is not None:
        sureness |= _by_row(keypoints, _confidence(keypoints))
    best: dict[int, tuple[float, int]] = {}
    for (track, number), sure in sureness.items():
        if track in merge.tracks:
            best[number] = max(best.get(number, (sure, track)), (sure, track))
    return {(track, n) for track, n in sureness if track in merge.tracks and best[n][1] != track}


def _by_row(rows: Rows, values: Float[ndarray, " n"]) -> dict[tuple[int, int], float]:
    """A value by id and frame number."""
    return dict(zip(_pairs(rows), values.tolist(), strict=True))


def _pairs(rows: Rows) -> list[tuple[int, int]]:
    """The id and the frame number of each row."""
    return list(zip(rows.track.tolist(), rows.frame_numbers[rows.frame].tolist(), strict=True))


def _merge(rows: R, merge: Merge, lost: set[tuple[int, int]]) -> R:
    """The rows of all tracks, but for those that lost, under the first id."""
    rows = rows.take(np.array([pair not in lost for pair in _pairs(rows)], bool))
    return _with_tracks(rows, np.where(np.isin(rows.track, merge.tracks), merge.tracks[0], rows.track))


def _with_tracks(rows: R, track: Int[ndarray, " n"]) -> R:
    """The rows with other ids, in order."""
    fields = {name: getattr(rows, name) for name in rows.PER_ROW}
    return replace(rows, **in_order(**{**fields, "track": track}))


def _refitted(poses: Poses, keypoints: Keypoints | None, tracks: Sequence[int]) -> Poses:
    """The poses with the motion of some tracks fitted again to what was found in single frames."""
    if not tracks:
        return poses
    changed = np.isin(poses.track, tracks)
    known = one_size(poses.take(changed))  # what fills gaps is bridged anew
    there = keypoints if keypoints is not None and np.isin(keypoints.track, tracks).any() else None
    fitted = trajectories(fill_gaps(known, FILL_S), there, ground=poses.contact is not None)
    return _joined(poses.take(~changed), fitted)


def _joined(a: Poses, b: Poses) -> Poses:
    """The rows of both."""
    if a.contact is None or b.contact is None:
        a, b = replace(a, contact=None), replace(b, contact=None)
    names = [name for name in a.PER_ROW if getattr(a, name) is not None]
    rows = {name: np.concatenate([getattr(a, name), getattr(b, name)]) for name in names}
    return replace(b, **in_order(**rows))
