"""Images and videos of a saved result: overlay, side by side with a rotating 3D view, contact sheet, GIF."""

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
from zedo_core.render.draw import BACKGROUND, Canvas, draw_text, text_size
from zedo_core.render.footage import Footage, even, panel_size
from zedo_core.render.legend import Legend, legend_of, legend_strip
from zedo_core.render.turning_view import TurningView
from zedo_core.render.video import TimedImage, write_clip, write_png
from zedo_core.storage.files import atomic_write
from zedo_core.types import Frame, Keypoints, Poses

if TYPE_CHECKING:
    from zedo_core.source import Source

KINDS = {"overlay": (".mp4", ".png"), "side": (".mp4", ".png"), "sheet": (".png",), "gif": (".gif",)}
MOMENTS = 12  # frames on a contact sheet

_GIF_PX, _MAX_GIF_FPS = 270, 10.0  # height and largest frame rate, to keep the file small
_CELL_PX, _MAX_SHEET_PX = 400, 20_000  # height of an image on the sheet; the largest width or height for viewers
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

    Kinds: `overlay`, the people on the input's frames; `side`, the overlay next to a rotating 3D view; `sheet`, a
    contact sheet of `moments` frames with people; `gif`, `side` at up to 270 px and 10 fps. Without a `source` the
    background is dark. InputError when the source does not match the result, OutputError for a suffix that does not
    match the kind, or when the file cannot be written.
    """
    path = Path(path)
    _check(kind, path, len(poses.frame_numbers))
    footage = Footage(poses=poses, keypoints=keypoints, source=source)
    footage.check()
    if kind == "sheet":
        write_png(_sheet(footage, moments, on_frame), path)
    elif kind == "gif":
        _write_gif(footage, path, on_frame)
    else:
        panel = _panel(footage, footage.size).draw_at if kind == "side" else None
        write_clip(footage.images(footage.size, panel), path, footage.fps, on_frame)


def _check(kind: str, path: Path, frames: int) -> None:
    if kind not in KINDS:
        raise InputError(f"render: expected one of the kinds {', '.join(KINDS)}, found '{kind}'")
    suffix = path.suffix.lower()
    if suffix not in KINDS[kind] or (suffix == ".png" and kind != "sheet" and frames != 1):
        ending = " or, for a single frame, ".join(KINDS[kind])
        raise OutputError(f"{path}: expected a name ending in {ending} for {kind}; choose another name")


def _panel(footage: Footage, size: tuple[int, int], legend: bool = True) -> TurningView:
    return TurningView(footage.poses, footage.seen, panel_size(size), legend=legend)


# GIF


def _write_gif(footage: Footage, path: Path, on_frame: OnFrame) -> None:
    width, height = footage.size
    scale = min(1.0, _GIF_PX / height)
    size = even(width * scale), even(height * scale)
    write_gif(footage.images(size, _panel(footage, size).draw_at), path, footage.fps, on_frame)


def write_gif(images: Generator[TimedImage], path: Path, fps: float, on_frame: OnFrame) -> None:
    """Write evenly spaced frames, to keep the file small; delays are in hundredths of a second, as GIF requires."""
    step = max(1, math.ceil(fps / _MAX_GIF_FPS - 1e-6))
    delay_ms = max(20, 10 * round(100 * step / fps))
    with closing(images):
        frames = _quantized(images, step, on_frame)
        first = next(frames)
        with atomic_write(path) as partial:
            first.save(partial, save_all=True, append_images=frames, duration=delay_ms, loop=0, disposal=1)


def _quantized(images: Iterator[TimedImage], step: int, on_frame: OnFrame) -> Iterator[Image.Image]:
    for i, (image, _) in enumerate(images):
        if i % step == 0:
            yield Image.fromarray(image).quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
        on_frame(i + 1)


# Contact sheet


def _sheet(footage: Footage, moments: int, on_frame: OnFrame) -> Canvas:
    """A grid of frames, each an overlay next to the 3D view, with frame number and time below; one legend for all."""
    if moments < 1:
        raise InputError(f"render: expected at least 1 moment, found {moments}")
    poses = footage.poses
    frames = np.unique(poses.frame) if len(poses) else np.arange(len(poses.frame_numbers))
    selected = set(frames[np.linspace(0, len(frames) - 1, min(moments, len(frames))).round().astype(int)].tolist())
    width, height = footage.size
    size = even(width * _CELL_PX / height), _CELL_PX
    panel, cells, start_s = _panel(footage, size, legend=False), [], None
    for done, (t, frame) in enumerate(footage.frames(), start=1):
        start_s = frame.time_s if start_s is None else start_s
        if t in selected:
            image = np.hstack([footage.draw(t, frame, size), panel.draw_close(t)])
            cells.append(_cell(image, frame, frame.time_s - start_s))
        on_frame(done)
    return _arrange(cells, legend_of(poses, footage.seen, _CELL_PX))


def _cell(image: Canvas, frame: Frame, time_s: float) -> UInt8[ndarray, "_ _ 3"]:
    text = text_size(_CELL_PX) + 4
    caption = np.full((2 * text, image.shape[1], 3), BACKGROUND, np.uint8)
    draw_text(caption, f"frame {frame.number}   {time_s:.2f} s", (text // 2, text), text)
    return np.vstack([image, caption])


def _arrange(cells: list[UInt8[ndarray, "height width 3"]], legend: Legend) -> UInt8[ndarray, "_ _ 3"]:
    """A roughly square sheet with the legend below, scaled down if it would be too large for viewers."""
    height, width = cells[0].shape[:2]
    columns = max(1, round(math.sqrt(len(cells) * height / width)))
    rows = math.ceil(len(cells) / columns)
    size = (rows * (height + _GAP_PX) + _GAP_PX, columns * (width + _GAP_PX) + _GAP_PX, 3)
    sheet = np.full(size, BACKGROUND, np.uint8)
    for i, cell in enumerate(cells):
        y, x = (_GAP_PX + (i // columns) * (height + _GAP_PX), _GAP_PX + (i % columns) * (width + _GAP_PX))
        sheet[y : y + height, x : x + width] = cell
    sheet = np.vstack([sheet, legend_strip(legend, sheet.shape[1], text_size(_CELL_PX) + 4)])
    scale = min(1.0, _MAX_SHEET_PX / max(sheet.shape))
    return sheet if scale == 1 else cv2.resize(sheet, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
