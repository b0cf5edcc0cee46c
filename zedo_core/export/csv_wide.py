"""The chosen poses as a wide table: a row per frame and person, a column per coordinate, such as `right_knee_x`.

Metres, in camera axes or others, see `_axes`; heels and toes are there where they are known. What is unknown is an
empty cell, absent people have no row. The file is called `poses_wide.csv`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from zedo_core.export._axes import axes_of, points_in
from zedo_core.export._cells import write_table
from zedo_core.skeleton import FEET
from zedo_core.types import Poses

SUFFIX = ".csv-wide"


def write(poses: Poses, path: Path) -> tuple[Path, ...]:
    """Write the table and return its file; OutputError when it cannot be written."""
    points, feet, _ = points_in(poses, axes_of(poses, "camera"))
    joints = poses.skeleton.joints
    if feet is not None:
        points, joints = np.concatenate([points, feet], axis=1), joints + FEET
    order = np.lexsort((poses.track, poses.frame))
    times_s = np.full(len(poses.frame_numbers), np.nan) if poses.times_s is None else poses.times_s
    table = {
        "frame": poses.frame_numbers[poses.frame],
        "time_s": times_s[poses.frame],
        "track": poses.track,
        **{f"{joint}_{axis}": points[:, j, i] for j, joint in enumerate(joints) for i, axis in enumerate("xyz")},
        "score": -poses.expected_error_m,
        "filled": poses.filled.astype(int),
        "doubtful": poses.doubtful.astype(int),
    }
    file = path.with_name(f"{path.stem}_wide.csv")
    write_table({name: column[order] for name, column in table.items()}, file)
    return (file,)
