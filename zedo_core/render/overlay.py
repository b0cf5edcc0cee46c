"""The input with 2D keypoints and reprojected poses; beside it the 3D from the side."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from zedo_core.errors import OutputError
from zedo_core.packed import packed
from zedo_core.render.draw import Canvas
from zedo_core.render.footage import Footage, even
from zedo_core.render.side_view import SideView
from zedo_core.render.video import video_writer
from zedo_core.storage.files import written_whole
from zedo_core.types import Keypoints, Poses

if TYPE_CHECKING:
    from zedo_core.source import Source

_TALLEST_PX, _WIDEST_PX = 1080, 1920


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
    footage = Footage(poses=packed(poses), keypoints=keypoints, source=source)
    with closing(_drawn(footage)) as pictures:
        if suffix == ".png":
            picture, _ = next(pictures)
            with written_whole(path) as partial:
                Image.fromarray(picture).save(partial)
            on_frame(1)
            return
        with video_writer(path, footage.fps) as writer:
            for picture, time_s in pictures:
                writer.write(picture, time_s)
                on_frame(writer.count)


def _drawn(footage: Footage) -> Generator[tuple[Canvas, float]]:
    """The finished pictures with their times in seconds, the first at 0."""
    size = _working_size(footage.size)
    panel = SideView(footage.poses, (even(np.clip(size[0], 0.75 * size[1], size[1])), size[1]))
    start_s = None
    for t, frame in footage.frames():
        start_s = frame.time_s if start_s is None else start_s
        yield np.hstack([footage.drawn(t, frame, size), panel.draw(t)]), frame.time_s - start_s


def _working_size(size: tuple[int, int]) -> tuple[int, int]:
    scale = min(1.0, _TALLEST_PX / size[1], _WIDEST_PX / size[0])
    return even(size[0] * scale), even(size[1] * scale)
