"""Many bodies in one image, each in its own cell, to show the poses that a prior draws, completes or denoises."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from zedo_core.errors import InputError
from zedo_core.render.draw import BACKGROUND, SIDES, Canvas, draw_bones, draw_dot
from zedo_core.render.video import write_png
from zedo_core.skeleton import Skeleton

MAX_BODIES = 400
_CELL_PX = 220
_TURN, _TILT = math.radians(30), math.radians(10)  # viewing angles
_CELL_M = 2.0  # height and width of a cell, enough for raised arms
_GHOST_ALPHA = 0.35


def save_bodies(
    poses: Float[ndarray, "n h j 3"],
    skeleton: Skeleton,
    path: Path,
    *,
    known: Bool[ndarray, "n j"] | None = None,
) -> None:
    """Draw n bodies in a grid to the PNG `path`, the first of h poses strongly, the others faintly.

    Poses are in metres in camera axes; `known` joints get a dot. InputError for no bodies or more than 400.
    """
    if not 1 <= len(poses) <= MAX_BODIES:
        raise InputError(f"expected 1 to {MAX_BODIES} bodies in one image, got {len(poses)}")
    columns = math.ceil(math.sqrt(len(poses)))
    rows = math.ceil(len(poses) / columns)
    image = np.full((rows * _CELL_PX, columns * _CELL_PX, 3), BACKGROUND, np.uint8)
    for number, body in enumerate(poses):
        row, column = divmod(number, columns)
        cell = image[row * _CELL_PX : (row + 1) * _CELL_PX, column * _CELL_PX : (column + 1) * _CELL_PX]
        cell[:] = _draw_cell(body, skeleton, None if known is None else known[number])
    write_png(image, path)


def _draw_cell(body: Float[ndarray, "h j 3"], skeleton: Skeleton, known: Bool[ndarray, " j"] | None) -> Canvas:
    cell = np.full((_CELL_PX, _CELL_PX, 3), BACKGROUND, np.uint8)
    xy = _project(body)
    for other in xy[1:]:
        draw_bones(cell, other, skeleton, 1, outline=False)
    cell[:] = np.round(np.asarray(BACKGROUND) + _GHOST_ALPHA * (cell.astype(float) - BACKGROUND))
    draw_bones(cell, xy[0], skeleton, 3)
    for joint in () if known is None else np.flatnonzero(known).tolist():
        draw_dot(cell, xy[0, joint], SIDES["centre"], 3.5)
    return cell


def _project(body: Float[ndarray, "h j 3"]) -> Float[ndarray, "h j 2"]:
    """Pixels in the cell: rotated about the vertical, seen slightly from above, the first pose centred."""
    turn = np.array([[math.cos(_TURN), 0, math.sin(_TURN)], [0, 1, 0], [-math.sin(_TURN), 0, math.cos(_TURN)]])
    tilt = np.array([[1, 0, 0], [0, math.cos(_TILT), -math.sin(_TILT)], [0, math.sin(_TILT), math.cos(_TILT)]])
    xy = (body @ (tilt @ turn).T)[..., :2]
    middle = (xy[0].min(0) + xy[0].max(0)) / 2
    return (xy - middle) * (_CELL_PX / _CELL_M) + _CELL_PX / 2
