"""The input with 2D keypoints and reprojected poses; beside it the 3D from the side."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray
from PIL import Image

from zedo_core.errors import InputError, OutputError
from zedo_core.files import written_whole
from zedo_core.render.draw import (
    BACKGROUND,
    Canvas,
    dot_radius,
    draw_bones,
    draw_dots,
    draw_label,
    line_width,
    text_size,
    track_colour,
)
from zedo_core.render.side_view import SideView
from zedo_core.render.video import video_writer
from zedo_core.types import Frame, Keypoints, Poses

if TYPE_CHECKING:
    from zedo_core.source import Source

_log = logging.getLogger(__name__)

_LEAST_PX, _TALLEST_PX, _WIDEST_PX = 64, 1080, 1920
_USUAL_FPS, _SLIDES_FPS = 25.0, 1.0


def render_overlay(
    poses: Poses,
    keypoints: Keypoints,
    path: str | Path,
    *,
    source: Source | None,
    on_frame: Callable[[int], None] = lambda done: None,
) -> None:
    """Draw the frames of `poses` to `path`: a `.png` for one frame, else an `.mp4` at the input's frame times.

    Frames and keypoints are found by frame number; `source` None gives a dark picture to draw on.
    Pictures above 1920 x 1080 pixels are scaled down. `on_frame` is told how many frames are done.
    InputError when the source lacks the frames, OutputError when `path` cannot be written.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in (".png", ".mp4") or (suffix == ".png" and len(poses.frame_numbers) != 1):
        raise OutputError(
            f"{path}: expected a name ending in .mp4, or in .png for a single frame, to draw "
            f"{len(poses.frame_numbers)} frames; choose another name"
        )
    with closing(_drawn(poses, keypoints, source)) as pictures:
        if suffix == ".png":
            picture, _ = next(pictures)
            with written_whole(path) as partial:
                Image.fromarray(picture).save(partial)
            on_frame(1)
            return
        with video_writer(path, _fps(poses, source)) as writer:
            for picture, time_s in pictures:
                writer.write(picture, time_s)
                on_frame(writer.count)


def _drawn(poses: Poses, keypoints: Keypoints, source: Source | None) -> Generator[tuple[Canvas, float]]:
    """The finished pictures with their times in seconds, the first at 0."""
    size = _working_size(_input_size(poses, keypoints, source))
    panel = SideView(poses, (_even(np.clip(size[0], 0.75 * size[1], size[1])), size[1]))
    start_s = None
    for t, frame in _frames(poses, keypoints, source):
        canvas, place = _placed(frame.image, size)
        _draw_people(canvas, poses, t, keypoints, frame.number, place)
        start_s = frame.time_s if start_s is None else start_s
        yield np.hstack([canvas, panel.draw(t)]), frame.time_s - start_s


# What is drawn on


def _frames(poses: Poses, keypoints: Keypoints, source: Source | None) -> Iterator[tuple[int, Frame]]:
    """Each row of `poses` with its frame; `time_s` is always finite."""
    rows = {int(number): t for t, number in enumerate(poses.frame_numbers)}
    fps = _fps(poses, source)
    found = 0
    for frame in _blank_frames(poses, keypoints) if source is None else source:
        if frame.number not in rows:
            continue
        t = rows[frame.number]
        time_s = frame.time_s
        if not np.isfinite(time_s):
            time_s = float(poses.times_s[t]) if poses.times_s is not None else frame.number / fps
        yield t, Frame(image=frame.image, number=frame.number, time_s=time_s, name=frame.name)
        found += 1
        if found == len(rows):
            return
    if found == 0:
        raise InputError(
            f"overlay: expected frames {min(rows)} to {max(rows)} in the source, found none; give its source"
        )
    _log.warning("overlay: %d of %d frames were not found in the source", len(rows) - found, len(rows))


def _blank_frames(poses: Poses, keypoints: Keypoints) -> Iterator[Frame]:
    width, height = _input_size(poses, keypoints, None)
    image = np.full((height, width, 3), BACKGROUND, np.uint8)
    for number in poses.frame_numbers:
        yield Frame(image=image, number=int(number), time_s=float("nan"))


def _input_size(poses: Poses, keypoints: Keypoints, source: Source | None) -> tuple[int, int]:
    """(width, height) of the input in pixels, from whoever knows it."""
    if source is not None and source.size is not None:
        return source.size
    if keypoints.image_sizes is not None:
        width, height = np.max(keypoints.image_sizes, axis=0)
        return int(width), int(height)
    if (size := poses.camera(0).size) is not None:
        return size
    corner = keypoints.xy[keypoints.confidence > 0].max(axis=0, initial=0.0)
    width, height = np.clip(corner * 1.1, _LEAST_PX, _WIDEST_PX)
    return int(width), int(height)


def _working_size(size: tuple[int, int]) -> tuple[int, int]:
    scale = min(1.0, _TALLEST_PX / size[1], _WIDEST_PX / size[0])
    return _even(size[0] * scale), _even(size[1] * scale)


def _even(length: float) -> int:
    return max(2, 2 * round(length / 2))


def _fps(poses: Poses, source: Source | None) -> float:
    """Frames per second; pictures that belong to no recording are shown one after another."""
    known = (source.fps if source is not None else None) or poses.fps
    return known or (_USUAL_FPS if source is None or source.sequence else _SLIDES_FPS)


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


# What is drawn


def _draw_people(canvas: Canvas, poses: Poses, t: int, keypoints: Keypoints, number: int, place: _Place) -> None:
    """The bones of the chosen hypotheses as the camera sees them; upon them the keypoints, and the ids."""
    height = canvas.shape[0]
    camera = poses.camera(t)
    people = np.flatnonzero(poses.present[t]).tolist()
    bodies = [place(camera.project(poses.joints[t, p, poses.chosen[t, p]])) for p in people]
    for xy in bodies:
        draw_bones(canvas, xy, poses.skeleton, line_width(height))
    _draw_keypoints(canvas, keypoints, number, place)
    for p, xy in zip(people, bodies, strict=True):
        draw_label(canvas, xy, poses.skeleton, str(poses.track_ids[p]), text_size(height), track_colour(p))


def _draw_keypoints(canvas: Canvas, keypoints: Keypoints, number: int, place: _Place) -> None:
    """The joints that were seen."""
    for k in np.flatnonzero(keypoints.frame_numbers == number):
        for xy, confidence in zip(keypoints.xy[k], keypoints.confidence[k], strict=True):
            seen = np.where(confidence[:, None] > 0, place(xy), np.nan)
            draw_dots(canvas, seen, keypoints.skeleton, dot_radius(canvas.shape[0]))
