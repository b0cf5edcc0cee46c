"""The mean motion that Diff3DHPE lifts, as the first hypothesis of people who are seen in several frames."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy import ndarray

from zedo_core.camera import Camera
from zedo_core.methods.diff3dhpe.grid import grids
from zedo_core.methods.diff3dhpe.lifter import DiffLifter
from zedo_core.methods.protocol import OnRows
from zedo_core.types import Keypoints, Lifted

_LEAST_ROWS = 9  # of a motion: fewer tell little more than each alone


def with_motions(
    lifted: Lifted, rows: Keypoints, cameras: Sequence[Camera], sequence: DiffLifter, on_rows: OnRows
) -> Lifted:
    """The hypotheses with the mean motion of each track before them, and without the last.

    It has the distance of what was the first: pose and place are scaled together, so that its projection stays. The
    expected error of its pose is the smaller of both, so that it stays first, and that of each joint the larger.
    """
    moving = np.zeros(len(rows), bool)
    for motion in grids(rows, sequence.loaded.rates_hz):
        moving[motion.first : motion.first + len(motion.place)] = len(motion.place) >= _LEAST_ROWS
    if not moving.any():
        return lifted
    found, root = sequence.lift(rows.take(moving), cameras, 1, on_rows=on_rows), sequence.skeleton.root
    assert lifted.score is not None and lifted.spread is not None and lifted.origin is not None
    assert found.score is not None and found.spread is not None and found.origin is not None
    first = lifted.joints[moving, :1]
    scale = first[:, :, [root], 2:] / found.joints[:, :, [root], 2:]

    def preceded(values: ndarray, by: ndarray) -> ndarray:
        values = values.copy()
        values[moving] = np.concatenate([by, values[moving, :-1]], axis=1)
        return values

    spread = lifted.spread.copy()
    spread[moving] = np.maximum(found.spread, spread[moving])
    return Lifted(
        joints=preceded(lifted.joints, scale * found.joints),
        origin=preceded(lifted.origin, scale[:, :, 0] * found.origin),
        score=preceded(lifted.score, np.maximum(found.score, lifted.score[moving, :1])),
        spread=spread,
    )
