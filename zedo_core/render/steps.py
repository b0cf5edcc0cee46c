"""The steps of a method to a person's poses, as a figure or an animation."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from contextlib import closing
from pathlib import Path

import numpy as np

from zedo_core.errors import InputError, OutputError
from zedo_core.render.clips import write_gif
from zedo_core.render.footage import Footage
from zedo_core.render.step_cells import Cells, StepsView
from zedo_core.render.turning_view import TURN_S
from zedo_core.render.video import TimedImage, write_clip, write_png
from zedo_core.types import Frame

SUFFIXES = (".png", ".mp4", ".gif")
MAX_ROWS = 40  # of a figure
_CELL_PX, _VIDEO_CELL_PX, _GIF_CELL_PX = 320, 270, 170
_TURN = math.radians(30)  # of a figure: between the front and the side
_STEP_S, _HOLD_S, _STEPS_FPS = 0.4, 2.0, 25.0  # of a single pose: time of a step and of the last one


def render_steps(view: StepsView, path: str | Path, on_frame: Callable[[int], None] = lambda done: None) -> None:
    """Draw the PNG `path`, a row of cells for each pose, or the animation `path` (mp4, gif).

    An animation of several poses plays one row of cells, seen from all around; one of a single pose plays its steps.
    InputError for too many poses in a figure or a source that is not the result's, OutputError for another suffix.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise OutputError(f"{path}: expected a name ending in {', '.join(SUFFIXES)} for steps; choose another name")
    footage = Footage(poses=view.poses, keypoints=view.keypoints, source=view.source)
    footage.check()
    if suffix == ".png":
        if len(view.rows) > MAX_ROWS:
            raise InputError(
                f"steps: expected at most {MAX_ROWS} frames in a figure, got {len(view.rows)}; see --frames"
            )
        cells = Cells(view, _CELL_PX)
        rows = {i: cells.row(i, frame, _TURN, cells.around(i)) for i, frame, _ in _frames(view, footage, on_frame)}
        write_png(np.vstack([cells.title, cells.header, *(rows[i] for i in sorted(rows))]), path)
        return
    cells = Cells(view, _GIF_CELL_PX if suffix == ".gif" else _VIDEO_CELL_PX)
    play = _single if len(view.rows) == 1 else _several
    images = play(view, cells, footage, on_frame)
    fps = _STEPS_FPS if len(view.rows) == 1 else footage.fps
    if suffix == ".gif":
        write_gif(images, path, fps, lambda done: None)
    else:
        write_clip(images, path, fps, lambda done: None)


def _frames(view: StepsView, footage: Footage, on_frame: Callable[[int], None]) -> Generator[tuple[int, Frame, float]]:
    """The rows with their frames in the order of the source, and the time since the first in seconds."""
    rows = {int(t): i for i, t in enumerate(view.poses.frame[view.rows])}
    start_s, done = None, 0
    for t, frame in footage.frames():
        if t in rows:
            start_s = frame.time_s if start_s is None else start_s
            yield rows[t], frame, frame.time_s - start_s
            done += 1
            on_frame(done)
        if done == len(rows):
            return
    if not done:
        raise InputError("steps: expected the chosen frames in the source, found none; give the input that was lifted")


def _several(view: StepsView, cells: Cells, footage: Footage, on_frame: Callable[[int], None]) -> Generator[TimedImage]:
    around = cells.around(slice(None))
    for i, frame, time_s in _frames(view, footage, on_frame):
        turn = 2 * math.pi * time_s / TURN_S
        yield np.vstack([cells.title, cells.header, cells.row(i, frame, turn, around)]), time_s


def _single(view: StepsView, cells: Cells, footage: Footage, on_frame: Callable[[int], None]) -> Generator[TimedImage]:
    """One step after the other, with poses between them, then the last one from all around."""
    with closing(_frames(view, footage, lambda done: None)) as frames:
        _, frame, _ = next(frames)
    last = len(view.steps.names) - 1
    count = round((last * _STEP_S + _HOLD_S) * _STEPS_FPS)
    for number in range(count):
        time_s = number / _STEPS_FPS
        yield cells.moment(frame, min(time_s / _STEP_S, last), 2 * math.pi * time_s / TURN_S), time_s
    on_frame(1)
