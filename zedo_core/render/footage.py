"""What overlays are drawn on: the frames of the input that belong to a result, and the people in them."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray

from zedo_core.errors import InputError
from zedo_core.render.draw import BACKGROUND, Canvas, dot_radius, draw_dots, line_width, text_size
from zedo_core.render.people import draw_name, draw_person
from zedo_core.types import Frame, Keypoints, Poses

if TYPE_CHECKING:
    from zedo_core.source import Source

_log = logging.getLogger(__name__)

_LEAST_PX, _WIDEST_PX = 64, 1920
_USUAL_FPS, _SLIDES_FPS = 25.0, 1.0


@dataclass(frozen=True, kw_only=True)
class Footage:
    """A result with the frames it is of; `source` None gives a dark picture to draw on."""

    poses: Poses
    keypoints: Keypoints
    source: Source | None

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the input in pixels, from whoever knows it."""
        if self.source is not None and self.source.size is not None:
            return self.source.size
        if self.keypoints.image_sizes is not None:
            width, height = np.max(self.keypoints.image_sizes, axis=0)
            return int(width), int(height)
        if (size := self.poses.camera(0).size) is not None:
            return size
        corner = self.keypoints.xy[self.keypoints.confidence > 0].max(axis=0, initial=0.0)
        width, height = np.clip(corner * 1.1, _LEAST_PX, _WIDEST_PX)
        return int(width), int(height)

    @property
    def fps(self) -> float:
        """Frames per second; pictures that belong to no recording are shown one after another."""
        known = (self.source.fps if self.source is not None else None) or self.poses.fps
        return known or (_USUAL_FPS if self.source is None or self.source.sequence else _SLIDES_FPS)

    def check(self) -> None:
        """InputError when the source's pictures have another shape than those that the result is of."""
        of_result, of_source = self.poses.camera(0).size, self.source.size if self.source is not None else None
        if of_result is None or of_source is None or self.source is None:
            return
        if abs(of_source[0] * of_result[1] - of_source[1] * of_result[0]) > max(of_result) + max(of_source):
            raise InputError(
                f"{self.source.path}: expected the pictures of the result, {of_result[0]}x{of_result[1]} px, found "
                f"{of_source[0]}x{of_source[1]} px; give the input that was lifted"
            )

    def frames(self) -> Iterator[tuple[int, Frame]]:
        """Each row of the poses with its frame, found by its number; `time_s` is always finite.

        InputError when the source has none of the frames.
        """
        rows = {int(number): t for t, number in enumerate(self.poses.frame_numbers)}
        found = 0
        for frame in self._blank() if self.source is None else self.source:
            if frame.number not in rows:
                continue
            t = rows[frame.number]
            time_s = frame.time_s
            if not np.isfinite(time_s):
                times = self.poses.times_s
                time_s = float(times[t]) if times is not None else frame.number / self.fps
            yield t, Frame(image=frame.image, number=frame.number, time_s=time_s, name=frame.name)
            found += 1
            if found == len(rows):
                return
        if found == 0:
            raise InputError(
                f"overlay: expected frames {min(rows)} to {max(rows)} in the source, found none; give its source"
            )
        _log.warning("overlay: %d of %d frames were not found in the source", len(rows) - found, len(rows))

    def _blank(self) -> Iterator[Frame]:
        width, height = self.size
        image = np.full((height, width, 3), BACKGROUND, np.uint8)
        for number in self.poses.frame_numbers:
            yield Frame(image=image, number=int(number), time_s=float("nan"))

    def drawn(self, t: int, frame: Frame, size: tuple[int, int]) -> Canvas:
        """The frame of row `t` in the middle of a canvas of `size` (width, height), with the people as seen."""
        canvas, place = _placed(frame.image, size)
        _draw_people(canvas, self.poses, t, self.keypoints, frame.number, place)
        return canvas


def even(length: float) -> int:
    """The nearest even number of pixels, 2 at least: what videos are made of."""
    return max(2, 2 * round(length / 2))


@dataclass(frozen=True)
class _Place:
    """Where the pixels of the input went on the canvas."""

    scale: float
    offset: tuple[int, int]

    def __call__(self, xy: Float[ndarray, "... 2"]) -> Float[ndarray, "... 2"]:
        return (xy + 0.5) * self.scale - 0.5 + self.offset


def _placed(image: UInt8[ndarray, "_ _ 3"], size: tuple[int, int]) -> tuple[Canvas, _Place]:
    """A canvas of `size` (width, height) with `image` scaled into its middle."""
    height, width = image.shape[:2]
    scale = min(size[0] / width, size[1] / height)
    inner = min(size[0], round(width * scale)), min(size[1], round(height * scale))
    left, top = (size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2
    canvas = np.full((size[1], size[0], 3), BACKGROUND, np.uint8)
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    canvas[top : top + inner[1], left : left + inner[0]] = cv2.resize(image, inner, interpolation=way)
    return canvas, _Place(scale, (left, top))


def _draw_people(canvas: Canvas, poses: Poses, t: int, keypoints: Keypoints, number: int, place: _Place) -> None:
    """The bones of the chosen hypotheses as the camera sees them; upon them the keypoints, and the ids."""
    height = canvas.shape[0]
    camera = poses.camera(t)
    people = np.flatnonzero(poses.present[t]).tolist()
    bodies = [place(camera.project(poses.joints[t, p, poses.chosen[t, p]])) for p in people]
    for p, xy in zip(people, bodies, strict=True):
        draw_person(canvas, xy, poses, (t, p), line_width(height))
    _draw_keypoints(canvas, keypoints, number, place)
    for p, xy in zip(people, bodies, strict=True):
        draw_name(canvas, xy, poses, (t, p), text_size(height))


def _draw_keypoints(canvas: Canvas, keypoints: Keypoints, number: int, place: _Place) -> None:
    """The joints that were seen."""
    for k in np.flatnonzero(keypoints.frame_numbers == number):
        for xy, confidence in zip(keypoints.xy[k], keypoints.confidence[k], strict=True):
            seen = np.where(confidence[:, None] > 0, place(xy), np.nan)
            draw_dots(canvas, seen, keypoints.skeleton, dot_radius(canvas.shape[0]))
