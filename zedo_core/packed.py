"""Columns that tracks share: for clips of many people of whom few are there at once.

With a column per track, ten minutes in which 158 people walk by take 6 GB though two are there at a time. Packed, the
people of a frame stand in its first columns in the order of their tracks and `who` says whose each column is, so that
there are as many columns as people in the fullest frame. What looks at frames one by one (lifting, exporters, pictures)
takes packed values as any others; what follows a person goes through `each_track`. The price: a column is nobody's for
long, and one frame with a crowd makes all frames as wide.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Int, Shaped
from numpy import ndarray

from zedo_core.motions.timeline import times_of
from zedo_core.types import Keypoints, Poses

People = TypeVar("People", bound=Keypoints | Poses)

# The arrays that have columns, and what stands there for nobody.
ABSENT: dict[type, dict[str, Any]] = {
    Keypoints: {"xy": 0.0, "confidence": 0.0},
    Poses: {"joints": np.nan, "score": np.nan, "chosen": -1, "spread": np.nan, "filled": False},
}


def packed(people: People) -> People:
    """The same people in as few columns as the fullest frame needs; what is packed stays as it is."""
    if people.who is not None:
        return people
    t, p = np.nonzero(people.present)
    return seated(people, t, p, {name: array[t, p] for name, array in _columns(people).items()})


def unpacked(people: People) -> People:
    """The same people with a column per track, as the public functions give them."""
    if people.who is None:
        return people
    t, column = np.nonzero(people.present)
    p, tracks = people.who[t, column], len(people.track_ids)
    rows = {name: array[t, column] for name, array in _columns(people).items()}
    return replace(people, who=None, **_scattered(people, t, p, tracks, rows))


def relabelled(people: People, becomes: Int[ndarray, " p"], kept: Int[ndarray, " k"]) -> People:
    """Packed people with the frames of track p given to track `becomes[p]`, and of the tracks only those in `kept`.

    Tracks that become one must not meet in a frame.
    """
    assert people.who is not None
    place = np.full(len(people.track_ids), -1)
    place[kept] = np.arange(len(kept))
    t, column = np.nonzero(people.present)
    p = place[becomes[people.who[t, column]]]
    t, column, p = t[p >= 0], column[p >= 0], p[p >= 0]
    rows = {name: array[t, column] for name, array in _columns(people).items()}
    return seated(people, t, p, rows, track_ids=people.track_ids[kept])


def each_track(poses: Poses, work: Callable[[Poses], Poses]) -> Poses:
    """Packed poses after `work` on every track alone, over the frames from its first to its last.

    `work` may also place people in frames between. What it records it does for a clip of nobody as well.
    """
    poses = packed(poses)
    nobody = work(_stretch(poses, slice(0, 0), np.arange(len(poses.track_ids))))
    arrays = _columns(nobody)
    times_s = times_of(poses)
    parts: list[tuple[ndarray, ndarray, dict[str, ndarray]]] = []
    for p in range(len(poses.track_ids)):
        t, column = places(poses, p)
        if len(t):
            done = work(_alone(poses, p, t, column, times_s))
            there = np.flatnonzero(done.present[:, 0])
            rows = {name: getattr(done, name)[there, 0] for name in arrays}
            parts.append((t[0] + there, np.full(len(there), p), rows))
    none = np.zeros(0, int)
    parts.append((none, none, {name: array.reshape(0, *array.shape[2:]) for name, array in arrays.items()}))
    t, p = (np.concatenate(part) for part in ([t for t, _, _ in parts], [p for _, p, _ in parts]))
    rows = {name: np.concatenate([part[2][name] for part in parts]) for name in arrays}
    return seated(poses, t, p, rows, provenance=nobody.provenance)


def places(people: Keypoints | Poses, track: int) -> tuple[Int[ndarray, " n"], Int[ndarray, " n"]]:
    """Frames and columns in which the track at this place of `track_ids` is present."""
    if people.who is None:
        t = np.flatnonzero(people.present[:, track])
        return t, np.full(len(t), track)
    t, column = np.nonzero((people.who == track) & people.present)
    return t, column


def wide_frames(poses: Poses, array: Shaped[ndarray, "t p *n"], absent: Any) -> Iterator[Shaped[ndarray, "tracks *n"]]:
    """Frame by frame, an array of packed poses with a place per track."""
    present, shape = poses.present, (len(poses.track_ids), *array.shape[2:])
    for t, there in enumerate(present):
        frame = np.full(shape, absent, array.dtype)
        frame[poses.tracks(t)[there]] = array[t, there]
        yield frame


def of_tracks(poses: Poses, array: Shaped[ndarray, "t p *n"], absent: Any) -> Iterator[Shaped[ndarray, "t *n"]]:
    """Track by track, in the order of `track_ids`, an array of poses over all frames."""
    for p in range(len(poses.track_ids)):
        t, column = places(poses, p)
        whole = np.full((len(array), *array.shape[2:]), absent, array.dtype)
        whole[t] = array[t, column]
        yield whole


def _columns(people: Keypoints | Poses) -> dict[str, ndarray]:
    """The arrays (t, p, ...)."""
    arrays = {name: getattr(people, name) for name in ABSENT[type(people)]}
    return {name: array for name, array in arrays.items() if array is not None}


def _alone(poses: Poses, p: int, t: ndarray, column: ndarray, times_s: ndarray) -> Poses:
    """One track, over the frames from its first to its last."""
    span = slice(int(t[0]), int(t[-1]) + 1)
    base = _stretch(replace(poses, times_s=times_s), span, np.array([p]))
    rows = {name: array[t, column] for name, array in _columns(poses).items()}
    return replace(base, **_scattered(base, t - t[0], np.zeros(len(t), int), 1, rows))


def _stretch(poses: Poses, span: slice, tracks: Int[ndarray, " p"]) -> Poses:
    """Some of the frames with columns of these tracks, and nobody in them."""
    frames = len(poses.frame_numbers[span])
    arrays = {
        name: np.full((frames, len(tracks), *array.shape[2:]), ABSENT[Poses][name], array.dtype)
        for name, array in _columns(poses).items()
    }
    return replace(
        poses,
        **arrays,
        who=None,
        track_ids=poses.track_ids[tracks],
        cameras=poses.cameras[span] if len(poses.cameras) > 1 and frames else poses.cameras[:1],
        frame_numbers=poses.frame_numbers[span],
        times_s=None if poses.times_s is None else poses.times_s[span],
    )


def seated(people: People, t: ndarray, p: ndarray, rows: dict[str, ndarray], **changes: Any) -> People:
    """Packed people of these frames and tracks, one a row; all else as in `people`, or as in `changes`."""
    order = np.lexsort((p, t))
    t, p = t[order], p[order]
    column = np.arange(len(t)) - np.searchsorted(t, t)
    width = int(column.max(initial=-1)) + 1
    who = np.full((len(people.frame_numbers), width), -1)
    who[t, column] = p
    rows = {name: array[order] for name, array in rows.items()}
    return replace(people, who=who, **_scattered(people, t, column, width, rows), **changes)


def _scattered(
    people: Keypoints | Poses, t: ndarray, column: ndarray, columns: int, rows: dict[str, ndarray]
) -> dict[str, ndarray]:
    """Arrays (t, p, ...) that hold the rows, and nobody elsewhere."""
    arrays = {}
    for name, values in rows.items():
        shape = len(people.frame_numbers), columns, *values.shape[1:]
        arrays[name] = np.full(shape, ABSENT[type(people)][name], values.dtype)
        arrays[name][t, column] = values
    return arrays
