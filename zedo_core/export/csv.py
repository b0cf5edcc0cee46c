"""The chosen poses as a table with a row per frame, person and joint, in metres and camera axes as in npz and JSON.

Absent people and unknown joints have no row; an unknown spread, score or time is an empty cell. `filled` is 1 for
poses that were interpolated in a gap, `doubtful` for unreliable poses, `contact` (where known) for ankles of feet that
stand. Other axes are a choice, see `_axes`.
"""

from __future__ import annotations

from pathlib import Path

from zedo_core.export._axes import axes_of, points_in
from zedo_core.export._cells import write_table
from zedo_core.types import Poses

SUFFIX = ".csv"


def write(poses: Poses, path: Path) -> None:
    """Write the table; OutputError when it cannot be written."""
    axes = axes_of(poses, "camera")
    write_table(poses.table(None if axes == "camera" else points_in(poses, axes)[0]), path)
