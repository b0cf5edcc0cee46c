"""The frames of the input that belong to a result, on which overlays are drawn."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8
from numpy import ndarray

from zedo_core.errors import InputError
from zedo_core.render.draw import BACKGROUND, Canvas
from zedo_core.render.people import draw_people, seen_joints
from zedo_core.render.video import TimedImage
from zedo_core.types import Frame, Keypoints, Poses

if TYPE_CHECKING:
    from zedo_core.source import Source

_log = logging.getLogger(__name__)

_MIN_PX, _MAX_PX = 64, 1920
_DEFAULT_FPS, _SLIDES_FPS = 25.0, 1.0


@dataclass(frozen=True, kw_only=True)
class Footage:
    """A result with its input frames; without a `source` the background is dark."""

    poses: Poses
    keypoints: Keypoints
    source: Source | None

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the input in pixels, from the source, the keypoints or the camera, or estimated."""
        if self.source is not None and self.source.size is not None:
            return self.source.size
        if self.keypoints.image_sizes is not None:
            width, height = np.max(self.keypoints.image_sizes, axis=0)
            return int(width), int(height)
        if (size := self.poses.camera(0).size) is not None:
            return size
        corner = self.keypoints.xy[self.keypoints.confidence > 0].max(axis=0, initial=0.0)
        width, height = np.clip(corner * 1.1, _MIN_PX, _MAX_PX)
        return int(width), int(height)

    @cached_property
    def seen(self) -> Bool[ndarray, "n j"]:
        """Which joints of the poses were seen in the image."""
        return seen_joints(self.poses, self.keypoints)

    @property
    def fps(self) -> float:
        """Frames per second; unrelated pictures are shown as slides."""
        known = (self.source.fps if self.source is not None else None) or self.poses.fps
        return known or (_DEFAULT_FPS if self.source is None or self.source.sequence else _SLIDES_FPS)

    def check(self) -> None:
        """InputError when the source has another aspect ratio than the result's input."""
        expected, found = self.poses.camera(0).size, self.source.size if self.source is not None else None
        if expected is None or found is None or self.source is None:
            return
        if abs(found[0] * expected[1] - found[1] * expected[0]) > max(expected) + max(found):
            raise InputError(
                f"{self.source.path}: expected the input of the result, {expected[0]}x{expected[1]} px, found "
                f"{found[0]}x{found[1]} px; give the input that was lifted"
            )

    def frames(self) -> Iterator[tuple[int, Frame]]:
        """The poses' frames, matched by number, with their index t; `time_s` is always finite.

        InputError when the source has none of them.
        """
        indices = {number: t for t, number in enumerate(self.poses.frame_numbers.tolist())}
        found = 0
        for frame in self._blank() if self.source is None else self.source:
            if frame.number not in indices:
                continue
            t = indices[frame.number]
            time_s = frame.time_s
            if not np.isfinite(time_s):
                times = self.poses.times_s
                time_s = float(times[t]) if times is not None else frame.number / self.fps
            yield t, Frame(image=frame.image, number=frame.number, time_s=time_s, name=frame.name)
            found += 1
            if found == len(indices):
                return
        if found == 0:
            raise InputError(
                f"overlay: expected frames {min(indices)} to {max(indices)} in the source, found none; "
                "give the input that was lifted"
            )
        _log.warning("overlay: %d of %d frames were not found in the source", len(indices) - found, len(indices))

    def _blank(self) -> Iterator[Frame]:
        width, height = self.size
        image = np.full((height, width, 3), BACKGROUND, np.uint8)
        for number in self.poses.frame_numbers:
            yield Frame(image=image, number=int(number), time_s=float("nan"))

    def draw(self, t: int, frame: Frame, size: tuple[int, int], ids: bool = True) -> Canvas:
        """The t-th frame centred on a canvas of `size` (width, height), with its people and, with `ids`, their ids."""
        canvas, to_canvas = _fit(frame.image, size)
        draw_people(canvas, self.poses, t, self.keypoints, self.seen, to_canvas, ids)
        return canvas

    def images(
        self, size: tuple[int, int], panel: Callable[[int, float], Canvas] | None = None
    ) -> Generator[TimedImage]:
        """The drawn frames with times in seconds from 0, each next to `panel(t, time_s)` if given."""
        start_s = None
        for t, frame in self.frames():
            start_s = frame.time_s if start_s is None else start_s
            image, time_s = self.draw(t, frame, size), frame.time_s - start_s
            yield (image if panel is None else np.hstack([image, panel(t, time_s)])), time_s


def panel_size(size: tuple[int, int]) -> tuple[int, int]:
    """Size of the panel next to an image of `size` (width, height): of the same height, at most square."""
    return even(np.clip(size[0], 0.75 * size[1], size[1])), size[1]


def even(length: float) -> int:
    """The nearest even number of pixels, at least 2, as videos require."""
    return max(2, 2 * round(length / 2))


@dataclass(frozen=True)
class _ToCanvas:
    """Transform from pixels of the input to the canvas."""

    scale: float
    offset: tuple[int, int]

    def __call__(self, xy: Float[ndarray, "... 2"]) -> Float[ndarray, "... 2"]:
        return (xy + 0.5) * self.scale - 0.5 + self.offset


def _fit(image: UInt8[ndarray, "_ _ 3"], size: tuple[int, int]) -> tuple[Canvas, _ToCanvas]:
    """A canvas of `size` (width, height) with `image` scaled to fit and centred."""
    height, width = image.shape[:2]
    scale = min(size[0] / width, size[1] / height)
    inner = min(size[0], round(width * scale)), min(size[1], round(height * scale))
    left, top = (size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2
    canvas = np.full((size[1], size[0], 3), BACKGROUND, np.uint8)
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    canvas[top : top + inner[1], left : left + inner[0]] = cv2.resize(image, inner, interpolation=interpolation)
    return canvas, _ToCanvas(scale, (left, top))
