"""Thumbnails of the people of a clip, each with id, frames, share of the frames and size, to choose among them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from jaxtyping import Float, Int, UInt8
from numpy import ndarray

from zedo_core.errors import InputError
from zedo_core.keypoints.filters import areas_px2
from zedo_core.render.draw import (
    BACKGROUND,
    OUTLINE,
    Canvas,
    draw_bones,
    draw_dots,
    draw_text,
    text_width,
    track_colour,
)
from zedo_core.render.video import write_png
from zedo_core.types import Keypoints

if TYPE_CHECKING:
    from zedo_core.source import Source

MOST = 120  # thumbnails on a sheet

_WIDTH_PX, _HEIGHT_PX, _TEXT_PX, _GAP_PX = 220, 280, 15, 10
_MARGIN = 0.15  # around a person, relative to their size
_LEAST_PX = 16.0  # of the input in a thumbnail
_BONE_PX, _DOT_PX = 2, 3.0


@dataclass(frozen=True, kw_only=True)
class Person:
    """A track: its first and last frame number, rows, share of all frames, median height, and its clearest row."""

    id: int
    first: int
    last: int
    frames: int
    share: float
    height_px: float
    row: int


def people_of(keypoints: Keypoints) -> tuple[Person, ...]:
    """The people of a clip in the order of their ids."""
    area, sure = areas_px2(keypoints), keypoints.confidence.mean(-1)
    found = []
    for track, rows in keypoints.tracks:
        numbers = keypoints.frame_numbers[keypoints.frame[rows]]
        height = np.ptp(_boxes(keypoints, rows)[..., 1], axis=-1)
        found.append(
            Person(
                id=track,
                first=int(numbers[0]),
                last=int(numbers[-1]),
                frames=len(numbers),
                share=len(numbers) / len(keypoints.frame_numbers),
                height_px=float(np.median(height)),
                row=rows.start + int(np.argmax(area[rows] * sure[rows] ** 2)),
            )
        )
    return tuple(found)


def save_people(
    people: Sequence[Person],
    keypoints: Keypoints,
    path: Path,
    *,
    source: Source | None = None,
    on_frame: Callable[[int], None] = lambda done: None,
) -> None:
    """Draw a thumbnail of each person, in their clearest frame, to the PNG `path`.

    At most `MOST` people, those in the most frames. Without a `source` the background is dark. `on_frame` receives the
    number of frames read. InputError without people, or when the source lacks the frames.
    """
    if not people:
        raise InputError("expected at least one person to draw, got none")
    shown = sorted(sorted(people, key=lambda person: -person.frames)[:MOST], key=lambda person: person.id)
    images = _images(shown, keypoints, source, on_frame)
    cells = [_cell(person, keypoints, images[person.id]) for person in shown]
    columns = min(len(cells), max(1, round(math.sqrt(len(cells) * 1.9))))
    height, width = cells[0].shape[0] + _GAP_PX, cells[0].shape[1] + _GAP_PX
    sheet = np.full((-(-len(cells) // columns) * height + _GAP_PX, columns * width + _GAP_PX, 3), BACKGROUND, np.uint8)
    for place, cell in enumerate(cells):
        y, x = (_GAP_PX + part * side for part, side in zip(divmod(place, columns), (height, width), strict=True))
        sheet[y : y + cell.shape[0], x : x + cell.shape[1]] = cell
    write_png(sheet, path)


def _images(
    people: Sequence[Person], keypoints: Keypoints, source: Source | None, on_frame: Callable[[int], None]
) -> dict[int, Canvas]:
    """The thumbnail of each person by id, without words."""
    if source is None:
        return {person.id: _thumbnail(None, keypoints, person.row) for person in people}
    wanted: dict[int, list[Person]] = {}
    for person in people:
        wanted.setdefault(int(keypoints.frame_numbers[keypoints.frame[person.row]]), []).append(person)
    images: dict[int, Canvas] = {}
    for done, frame in enumerate(source, start=1):
        for person in wanted.pop(frame.number, ()):
            images[person.id] = _thumbnail(frame.image, keypoints, person.row)
        on_frame(done)
        if not wanted:
            return images
    raise InputError(f"{source.path}: frame {min(wanted)} was not found; give the input of the result")


def _thumbnail(image: UInt8[ndarray, "_ _ 3"] | None, keypoints: Keypoints, row: int) -> Canvas:
    """The surroundings of a person, with the keypoints."""
    low, high = _boxes(keypoints, slice(row, row + 1))[0]
    cell = np.array([_WIDTH_PX, _HEIGHT_PX])
    shrink = float(
        np.max(np.maximum((high - low) * (1 + 2 * _MARGIN), _LEAST_PX) / cell)
    )  # pixels of the input per pixel
    size = np.ceil(cell * shrink).astype(int)
    corner = np.floor((low + high - size) / 2).astype(int)
    canvas = np.full((_HEIGHT_PX, _WIDTH_PX, 3), OUTLINE, np.uint8)
    if image is not None:
        way = cv2.INTER_AREA if shrink > 1 else cv2.INTER_LINEAR
        canvas[:] = cv2.resize(_cut(image, corner, size), (_WIDTH_PX, _HEIGHT_PX), interpolation=way)
    places = (keypoints.xy[row] - corner + 0.5) * (cell / size) - 0.5
    xy = np.where(keypoints.confidence[row, :, None] > 0, places, np.nan)
    draw_bones(canvas, xy, keypoints.skeleton, _BONE_PX)
    draw_dots(canvas, xy, keypoints.skeleton, _DOT_PX, keypoints.confidence[row])
    return canvas


def _cut(image: UInt8[ndarray, "_ _ 3"], corner: Int[ndarray, "2"], size: Int[ndarray, "2"]) -> UInt8[ndarray, "_ _ 3"]:
    """A part of an image by its upper left (x, y) and size, dark where it reaches beyond."""
    part = np.full((size[1], size[0], 3), OUTLINE, np.uint8)
    (left, top), (right, bottom) = np.maximum(corner, 0), np.minimum(corner + size, (image.shape[1], image.shape[0]))
    if left < right and top < bottom:
        x, y = corner
        part[top - y : bottom - y, left - x : right - x] = image[top:bottom, left:right]
    return part


def _cell(person: Person, keypoints: Keypoints, image: Canvas) -> UInt8[ndarray, "_ _ 3"]:
    """A thumbnail with its words below, and the id in the colour that it has elsewhere."""
    words = np.full((round(5.8 * _TEXT_PX), image.shape[1], 3), BACKGROUND, np.uint8)
    colour = track_colour(int(np.searchsorted(keypoints.track_ids, person.id)))
    name = f"{person.id}"
    wide = text_width(name, _TEXT_PX) + _TEXT_PX
    words[4 : 4 + round(1.5 * _TEXT_PX), :wide] = colour
    draw_text(words, name, (_TEXT_PX / 2, 4 + 0.75 * _TEXT_PX), _TEXT_PX, OUTLINE)
    draw_text(words, f"{100 * person.share:.0f} % of the frames", (wide + 8, 4 + 0.75 * _TEXT_PX), _TEXT_PX)
    for line, text in enumerate((f"frames {person.first} to {person.last}", f"{person.height_px:.0f} px tall")):
        draw_text(words, text, (0, (3.1 + 1.6 * line) * _TEXT_PX), _TEXT_PX)
    return np.vstack([image, words])


def _boxes(keypoints: Keypoints, rows: slice) -> Float[ndarray, "n 2 2"]:
    """Lowest and highest (x, y) of the seen joints of each row."""
    seen, xy = (keypoints.confidence[rows] > 0)[..., None], keypoints.xy[rows]
    return np.stack([np.where(seen, xy, np.inf).min(1), np.where(seen, xy, -np.inf).max(1)], axis=1)
