"""The input with 2D keypoints and projected poses, next to a 3D view from the side: a video, or pictures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from zedo_core.errors import OutputError
from zedo_core.render.footage import Footage, even, panel_size
from zedo_core.render.side_view import SideView
from zedo_core.render.turning_view import levelled
from zedo_core.render.video import write_clip, write_png
from zedo_core.types import Keypoints, Poses

if TYPE_CHECKING:
    from zedo_core.source import Source

_MAX_HEIGHT_PX, _MAX_WIDTH_PX = 1080, 1920


def render_overlay(
    poses: Poses,
    keypoints: Keypoints,
    path: str | Path,
    *,
    source: Source | None,
    on_frame: Callable[[int], None] = lambda done: None,
) -> None:
    """Draw the frames of `poses` to `path`: a `.png` for a single frame, or an `.mp4` with the input's frame times.

    Frames and keypoints are matched by frame number; without a `source` the background is dark. Images above
    1920 x 1080 pixels are scaled down. `on_frame` receives the number of frames done. InputError when the source
    lacks the frames, OutputError when `path` cannot be written.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in (".png", ".mp4") or (suffix == ".png" and len(poses.frame_numbers) != 1):
        raise OutputError(
            f"{path}: expected a name ending in .mp4, or in .png for a single frame, to draw "
            f"{len(poses.frame_numbers)} frames; choose another name"
        )
    footage = Footage(poses=poses, keypoints=keypoints, source=source)
    size = _working_size(footage.size)
    panel = SideView(levelled(poses), footage.seen, panel_size(size))
    write_clip(footage.images(size, lambda t, time_s: panel.draw(t)), path, footage.fps, on_frame)


def render_pictures(
    poses: Poses,
    keypoints: Keypoints,
    folder: str | Path,
    *,
    source: Source,
    on_frame: Callable[[int], None] = lambda done: None,
) -> tuple[Path, ...]:
    """Draw every picture of a folder of unrelated ones to a PNG of its name in `folder`; return the files.

    Each has its own size, camera and 3D view, as in `render_overlay`; people have ids only where a picture shows
    several, since no id means the same person in two pictures.
    """
    footage, files = Footage(poses=poses, keypoints=keypoints, source=source), []
    stems = Counter(Path(file.name).stem for file in source.files)
    for t, frame in footage.frames():
        one = _frame_of(poses, t)
        drawn, ids = Footage(poses=one, keypoints=keypoints, source=source), len(one) > 1
        size = _working_size(frame.size)
        panel = SideView(levelled(one), drawn.seen, panel_size(size), ids=ids)
        stem = Path(frame.name).stem
        files.append(Path(folder) / f"{stem if stems[stem] == 1 else frame.name}.png")
        write_png(np.hstack([drawn.draw(0, frame, size, ids), panel.draw(0)]), files[-1])
        on_frame(len(files))
    return tuple(files)


def _frame_of(poses: Poses, t: int) -> Poses:
    """The poses of the t-th frame alone."""
    rows = poses.take(poses.frame == t)
    return replace(
        rows,
        frame=np.zeros_like(rows.frame),
        frame_numbers=poses.frame_numbers[t : t + 1],
        cameras=(poses.camera(t),),
        times_s=None if poses.times_s is None else poses.times_s[t : t + 1],
    )


def _working_size(size: tuple[int, int]) -> tuple[int, int]:
    scale = min(1.0, _MAX_HEIGHT_PX / size[1], _MAX_WIDTH_PX / size[0])
    return even(size[0] * scale), even(size[1] * scale)
