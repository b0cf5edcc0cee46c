"""Pictures and videos of a saved result: overlay, side by side with a turning 3D view, contact sheet, GIF."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from jaxtyping import UInt8
from numpy import ndarray
from PIL import Image

from zedo_core.errors import InputError, OutputError
from zedo_core.packed import packed
from zedo_core.render.draw import BACKGROUND, Canvas, draw_text, text_size
from zedo_core.render.footage import Footage, even
from zedo_core.render.turning_view import TurningView
from zedo_core.render.video import video_writer
from zedo_core.storage.files import written_whole
from zedo_core.types import Frame, Keypoints, Poses

if TYPE_CHECKING:
    from zedo_core.source import Source

KINDS = {"overlay": (".mp4", ".png"), "side": (".mp4", ".png"), "sheet": (".png",), "gif": (".gif",)}
MOMENTS = 12  # of a contact sheet

_GIF_PX, _GIF_FPS = 270, 10.0  # height and most frames a second: a GIF grows fast
_CELL_PX, _SHEET_PX = 400, 20_000  # height of a picture on the sheet; the most that viewers take in one direction
_GAP_PX = 12

OnFrame = Callable[[int], None]


def render(
    kind: str,
    poses: Poses,
    keypoints: Keypoints,
    path: str | Path,
    *,
    source: Source | None,
    moments: int = MOMENTS,
    on_frame: OnFrame = lambda done: None,
) -> None:
    """Draw a saved result to `path`; a video has the frame times, the size and the orientation of the input.

    Kinds: `overlay`, the people on the input's frames; `side`, beside it the 3D that turns; `sheet`, so many
    `moments` with people in them in one picture; `gif`, `side` at 270 px and 10 frames a second at most.
    `source` None gives a dark picture. InputError when the source is not the result's, OutputError for a name that
    does not fit the kind or a place that cannot be written to.
    """
    path = Path(path)
    _check(kind, path, len(poses.frame_numbers))
    footage = Footage(poses=packed(poses), keypoints=keypoints, source=source)
    footage.check()
    if kind == "sheet":
        _save(_sheet(footage, moments, on_frame), path)
    elif kind == "gif":
        _write_gif(footage, path, on_frame)
    else:
        _write_clip(footage, path, kind == "side", on_frame)


def _check(kind: str, path: Path, frames: int) -> None:
    if kind not in KINDS:
        raise InputError(f"render: expected a kind of {', '.join(KINDS)}, found '{kind}'")
    suffix = path.suffix.lower()
    if suffix not in KINDS[kind] or (suffix == ".png" and kind != "sheet" and frames != 1):
        ending = " or, for a single frame, ".join(KINDS[kind])
        raise OutputError(f"{path}: expected a name ending in {ending} for {kind}; choose another name")


# Videos


def _write_clip(footage: Footage, path: Path, beside: bool, on_frame: OnFrame) -> None:
    with closing(_pictures(footage, footage.size, beside)) as pictures:
        if path.suffix.lower() == ".png":
            _save(next(pictures)[0], path)
            on_frame(1)
            return
        with video_writer(path, footage.fps) as writer:
            for picture, time_s in pictures:
                writer.write(picture, time_s)
                on_frame(writer.count)


def _pictures(footage: Footage, size: tuple[int, int], beside: bool) -> Generator[tuple[Canvas, float]]:
    """The finished pictures with their times in seconds, the first at 0."""
    panel = _panel(footage, size) if beside else None
    start_s = None
    for t, frame in footage.frames():
        start_s = frame.time_s if start_s is None else start_s
        drawn, time_s = footage.drawn(t, frame, size), frame.time_s - start_s
        yield (drawn if panel is None else np.hstack([drawn, panel.draw_at(t, time_s)])), time_s


def _panel(footage: Footage, size: tuple[int, int]) -> TurningView:
    """As high as the picture, at most as wide as it is high."""
    return TurningView(footage.poses, (even(np.clip(size[0], 0.75 * size[1], size[1])), size[1]))


# A GIF


def _write_gif(footage: Footage, path: Path, on_frame: OnFrame) -> None:
    """Frames at even distances, so that the file stays small; delays in hundredths of a second, as GIF has them."""
    width, height = footage.size
    scale = min(1.0, _GIF_PX / height)
    step = max(1, math.ceil(footage.fps / _GIF_FPS - 1e-6))
    delay_ms = max(20, 10 * round(100 * step / footage.fps))
    with closing(_pictures(footage, (even(width * scale), even(height * scale)), True)) as pictures:
        reduced = _in_palette(pictures, step, on_frame)
        first = next(reduced)
        with written_whole(path) as partial:
            first.save(partial, save_all=True, append_images=reduced, duration=delay_ms, loop=0, disposal=1)


def _in_palette(pictures: Iterator[tuple[Canvas, float]], step: int, on_frame: OnFrame) -> Iterator[Image.Image]:
    for i, (picture, _) in enumerate(pictures):
        if i % step == 0:
            yield Image.fromarray(picture).quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
        on_frame(i + 1)


# A contact sheet


def _sheet(footage: Footage, moments: int, on_frame: OnFrame) -> Canvas:
    """Moments in rows, each the overlay beside the 3D, with frame number and time below."""
    if moments < 1:
        raise InputError(f"render: expected at least 1 moment, found {moments}")
    present = np.asarray(footage.poses.present).any(axis=1)
    rows = np.flatnonzero(present if present.any() else np.ones_like(present))
    wanted = set(rows[np.linspace(0, len(rows) - 1, min(moments, len(rows))).round().astype(int)].tolist())
    width, height = footage.size
    size = even(width * _CELL_PX / height), _CELL_PX
    panel, cells, start_s = _panel(footage, size), [], None
    for done, (t, frame) in enumerate(footage.frames(), start=1):
        start_s = frame.time_s if start_s is None else start_s
        if t in wanted:
            picture = np.hstack([footage.drawn(t, frame, size), panel.draw_close(t)])
            cells.append(_cell(picture, frame, frame.time_s - start_s))
        on_frame(done)
    return _arranged(cells)


def _cell(picture: Canvas, frame: Frame, time_s: float) -> UInt8[ndarray, "_ _ 3"]:
    text = text_size(_CELL_PX) + 4
    caption = np.full((2 * text, picture.shape[1], 3), BACKGROUND, np.uint8)
    draw_text(caption, f"frame {frame.number}   {time_s:.2f} s", (text // 2, text), text)
    return np.vstack([picture, caption])


def _arranged(cells: list[UInt8[ndarray, "tall wide 3"]]) -> UInt8[ndarray, "_ _ 3"]:
    """A sheet about as wide as high, scaled down where it would be larger than viewers take."""
    tall, wide = cells[0].shape[:2]
    columns = max(1, round(math.sqrt(len(cells) * tall / wide)))
    rows = math.ceil(len(cells) / columns)
    sheet = np.full((rows * (tall + _GAP_PX) + _GAP_PX, columns * (wide + _GAP_PX) + _GAP_PX, 3), BACKGROUND, np.uint8)
    for i, cell in enumerate(cells):
        y, x = (_GAP_PX + (i // columns) * (tall + _GAP_PX), _GAP_PX + (i % columns) * (wide + _GAP_PX))
        sheet[y : y + tall, x : x + wide] = cell
    scale = min(1.0, _SHEET_PX / max(sheet.shape))
    return sheet if scale == 1 else cv2.resize(sheet, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)


def _save(picture: Canvas, path: Path) -> None:
    with written_whole(path) as partial:
        Image.fromarray(picture).save(partial)
