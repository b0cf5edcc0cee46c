"""Many single bodies on one picture, each in a cell of its own: what a prior draws, completes or cleans."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray
from PIL import Image

from zedo_core.errors import InputError
from zedo_core.render.draw import BACKGROUND, SIDES, Canvas, draw_bones, draw_dot
from zedo_core.skeleton import Skeleton
from zedo_core.storage.files import written_whole

MOST_BODIES = 400
_CELL_PX = 220
_TURN, _TILT = math.radians(30), math.radians(10)  # from where the bodies are seen
_ROOM_M = 2.0  # height and width of a cell, enough for raised arms
_GHOST = 0.35


def save_bodies(
    poses: Float[ndarray, "n h j 3"],
    skeleton: Skeleton,
    path: Path,
    *,
    known: Bool[ndarray, "n j"] | None = None,
) -> None:
    """Draw n bodies in a square of cells to the picture `path`, the first of h poses strongly, the others faintly.

    Poses in metres in camera axes; `known` joints get a dot. InputError for no bodies or more than 400.
    """
    if not 1 <= len(poses) <= MOST_BODIES:
        raise InputError(f"expected 1 to {MOST_BODIES} bodies on one picture, got {len(poses)}")
    columns = math.ceil(math.sqrt(len(poses)))
    rows = math.ceil(len(poses) / columns)
    picture = np.full((rows * _CELL_PX, columns * _CELL_PX, 3), BACKGROUND, np.uint8)
    for number, body in enumerate(poses):
        row, column = divmod(number, columns)
        cell = picture[row * _CELL_PX : (row + 1) * _CELL_PX, column * _CELL_PX : (column + 1) * _CELL_PX]
        cell[:] = _drawn(body, skeleton, None if known is None else known[number])
    with written_whole(path) as partial:
        Image.fromarray(picture).save(partial, format="PNG")


def _drawn(body: Float[ndarray, "h j 3"], skeleton: Skeleton, known: Bool[ndarray, " j"] | None) -> Canvas:
    cell = np.full((_CELL_PX, _CELL_PX, 3), BACKGROUND, np.uint8)
    xy = _projected(body)
    for other in xy[1:]:
        draw_bones(cell, other, skeleton, 1, outline=False)
    cell[:] = np.round(np.asarray(BACKGROUND) + _GHOST * (cell.astype(float) - BACKGROUND))
    draw_bones(cell, xy[0], skeleton, 3)
    for joint in () if known is None else np.flatnonzero(known).tolist():
        draw_dot(cell, xy[0, joint], SIDES["centre"], 3.5)
    return cell


def _projected(body: Float[ndarray, "h j 3"]) -> Float[ndarray, "h j 2"]:
    """Pixels in the cell: turned about the vertical, seen a little from above, the first pose in the middle."""
    turn = np.array([[math.cos(_TURN), 0, math.sin(_TURN)], [0, 1, 0], [-math.sin(_TURN), 0, math.cos(_TURN)]])
    tilt = np.array([[1, 0, 0], [0, math.cos(_TILT), -math.sin(_TILT)], [0, math.sin(_TILT), math.cos(_TILT)]])
    xy = (body @ (tilt @ turn).T)[..., :2]
    middle = (xy[0].min(0) + xy[0].max(0)) / 2
    return (xy - middle) * (_CELL_PX / _ROOM_M) + _CELL_PX / 2
