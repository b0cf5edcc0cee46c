"""The legend of pictures: beside the people in a panel, or a strip below a sheet of many frames."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from jaxtyping import Bool
from numpy import ndarray

from zedo_core.render.draw import (
    BACKGROUND,
    SIDES,
    Canvas,
    dot_radius,
    draw_dashes,
    draw_dot,
    draw_line,
    draw_outline,
    draw_text,
    line_width,
    pale,
    text_width,
)
from zedo_core.types import Poses

MAX_GHOSTS = 10  # more hypotheses would only blur

_FAINT = (112, 114, 120)
_ROW = 1.5  # distance of rows in text sizes
_SAMPLE = 1.4  # length of a drawn sample in text sizes
_ROWS, _MOST = 4, 0.3  # rows in a panel, and the most of its height that they take

_Draw = Callable[[Canvas, ndarray, ndarray], None]


@dataclass(frozen=True)
class Entry:
    """A sample, drawn between two positions, and what it stands for."""

    draw: _Draw
    name: str


Legend = tuple[tuple[Entry, ...], ...]  # rows of entries


def legend_of(poses: Poses, seen: Bool[ndarray, "n j"], height: int) -> Legend:
    """The rows of entries that explain these poses, the most important first, for an image of `height` pixels."""
    width, centre = line_width(height), SIDES["centre"]
    left, right = (Entry(partial(_line, colour=SIDES[side], width=width), side) for side in ("left", "right"))
    unsure: list[Entry] = []
    if (poses.doubtful & ~poses.filled).any():
        unsure.append(Entry(partial(_doubtful, width=width), "doubtful"))
    if not seen.all():
        unsure.append(Entry(partial(_dashes, colour=pale(centre), width=(width + 1) // 2), "joint not seen"))
    hypotheses = [Entry(partial(_line, colour=centre, width=width), "chosen hypothesis")]
    if others := min(poses.hypotheses - 1, MAX_GHOSTS):
        name = "other hypothesis" if others == 1 else f"{others} other hypotheses"
        hypotheses.append(Entry(partial(_line, colour=_FAINT, width=1), name))
    keypoint = Entry(partial(_dot, radius=dot_radius(height)), "2D keypoint")
    rows = (left, right), tuple(unsure), tuple(hypotheses), (keypoint,)
    return tuple(row for row in rows if row)


def fitting(rows: Legend, size: tuple[int, int], text: int) -> Legend:
    """The rows, or the first of them, that leave room for the people in a panel of `size` (width, height) pixels."""
    wide = [row for row in rows for row in ([row] if _width(row, text) <= size[0] else [(entry,) for entry in row])]
    return tuple(wide[: legend_rows(size, text)])


def legend_rows(size: tuple[int, int], text: int) -> int:
    """The number of rows that space is left for in a panel, the same whatever the legend has to say."""
    return max(0, min(_ROWS, int(_MOST * size[1] / text / _ROW - 1)))


def legend_height(rows: int, text: int) -> float:
    """Height in pixels of a legend with so many rows, and the space below it."""
    return _ROW * (rows + 1) * text if rows else text


def _width(row: tuple[Entry, ...], text: int) -> float:
    return 0.8 * text + sum(3.0 * text + text_width(entry.name, text) for entry in row)


def draw_legend(image: Canvas, rows: Legend, text: int) -> tuple[int, int]:
    """Draw rows of entries at the upper left, and return the width and height in pixels that they take."""
    right = 0.0
    for number, row in enumerate(rows):
        x, y = 0.8 * text, (1.2 + _ROW * number) * text
        for entry in row:
            x = _draw_entry(image, entry, x, y, text) + text
        right = max(right, x)
    return round(right), round(_ROW * len(rows) * text + 0.5 * text) if rows else 0


def legend_strip(rows: Legend, width: int, text: int) -> Canvas:
    """An image of `width` pixels with all entries side by side, in as many lines as they need."""
    lines, x = 1, 0.8 * text
    places = []
    for entry in (entry for row in rows for entry in row):
        wide = 2.0 * text + text_width(entry.name, text)
        if x + wide > width and x > text:
            lines, x = lines + 1, 0.8 * text
        places.append((entry, x, (1.2 + _ROW * (lines - 1)) * text))
        x += wide + 1.5 * text
    strip = np.full((round((_ROW * lines + 1.0) * text), width, 3), BACKGROUND, np.uint8)
    for entry, left, y in places:
        _draw_entry(strip, entry, left, y, text)
    return strip


def _draw_entry(image: Canvas, entry: Entry, x: float, y: float, text: int) -> float:
    """Draw a sample with its name and return where it ends."""
    entry.draw(image, np.array([x, y]), np.array([x + _SAMPLE * text, y]))
    draw_text(image, entry.name, (x + 2.0 * text, y), text)
    return x + 2.0 * text + text_width(entry.name, text)


def _line(image: Canvas, start: ndarray, end: ndarray, *, colour: tuple[int, int, int], width: int) -> None:
    draw_line(image, start, end, colour, width)


def _dashes(image: Canvas, start: ndarray, end: ndarray, *, colour: tuple[int, int, int], width: int) -> None:
    draw_dashes(image, start, end, colour, width)


def _doubtful(image: Canvas, start: ndarray, end: ndarray, *, width: int) -> None:
    draw_outline(image, start, end, width, doubtful=True)
    draw_line(image, start, end, pale(SIDES["centre"]), width)


def _dot(image: Canvas, start: ndarray, end: ndarray, *, radius: float) -> None:
    draw_dot(image, (start + end) / 2, SIDES["centre"], radius)
