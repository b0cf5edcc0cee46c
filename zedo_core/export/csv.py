"""The chosen poses as a table: a row per frame, person and joint, in metres and camera axes as in npz and JSON.

Who or what is not known has no row; a spread, score or time that is not known is an empty cell.
`filled` is 1 where the pose was made up between two frames, `doubtful` where it is not to be trusted.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from pathlib import Path

from zedo_core.packed import packed
from zedo_core.storage.files import written_whole
from zedo_core.types import Poses

SUFFIX = ".csv"

_HEAD = (
    "frame",
    "time_s",
    "track",
    "joint",
    "x_m",
    "y_m",
    "z_m",
    "spread_m",
    "score",
    "hypothesis",
    "filled",
    "doubtful",
)


def write(poses: Poses, path: Path) -> None:
    """Write the table; OutputError when the place cannot be written to."""
    with written_whole(path) as partial, open(partial, "w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(_HEAD)
        table.writerows(_rows(poses))


def _rows(poses: Poses) -> Iterator[tuple[object, ...]]:
    poses = packed(poses)
    best, filled, doubtful = poses.best, poses.is_filled, poses.doubtful
    for t, number in enumerate(poses.frame_numbers.tolist()):
        time = "" if poses.times_s is None else _cell(float(poses.times_s[t]))
        for p in poses.present[t].nonzero()[0]:
            chosen, track = int(poses.chosen[t, p]), int(poses.track_ids[poses.tracks(t)[p]])
            flags = int(filled[t, p]), int(doubtful[t, p])
            score = _cell(float(poses.score[t, p, chosen]))
            for j, joint in enumerate(poses.skeleton.joints):
                place = [_cell(value) for value in best[t, p, j].tolist()]
                if all(place):
                    spread = _cell(float(poses.spread[t, p, j]))
                    yield number, time, track, joint, *place, spread, score, chosen, *flags


def _cell(value: float) -> str:
    """A number to the micrometre or microsecond, nothing for what is none."""
    return f"{value:.6f}" if math.isfinite(value) else ""
