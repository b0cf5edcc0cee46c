"""The chosen poses as a table with a row per frame, person and joint, in metres and camera axes as in npz and JSON.

Absent people and unknown joints have no row; an unknown spread, score or time is an empty cell. `filled` is 1 for
poses that were interpolated in a gap, `doubtful` for unreliable poses, `contact` (where known) for ankles of feet that
stand.
"""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np

from zedo_core.storage.files import atomic_write
from zedo_core.types import Poses

SUFFIX = ".csv"


def write(poses: Poses, path: Path) -> None:
    """Write the table; OutputError when it cannot be written."""
    table = poses.table()
    columns = (map(_cell, column) if column.dtype.kind == "f" else column for column in table.values())
    with atomic_write(path) as partial, open(partial, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(table)
        writer.writerows(zip(*columns, strict=True))


def _cell(value: np.floating) -> str:
    """A number to the micrometre or microsecond; empty if it is not finite."""
    return f"{value:.6f}" if math.isfinite(value) else ""
