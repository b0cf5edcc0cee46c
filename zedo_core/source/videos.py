"""Videos: every frame that can be decoded, upright, with square pixels and its presentation time."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.container import InputContainer
from av.error import FFmpegError
from av.stream import Disposition
from av.video.stream import VideoStream
from jaxtyping import Int32, UInt8
from numpy import ndarray

from zedo_core.errors import FormatError, InputError
from zedo_core.source._source import Source
from zedo_core.source.cut import WHOLE, Cut
from zedo_core.storage.files import MAX_PIXELS
from zedo_core.types import FRAME_RATES, Frame

_log = logging.getLogger(__name__)

# Formats are detected from content; this list excludes texts, playlists and documents, which FFmpeg opens as well.
_CONTAINERS = "mov,matroska,avi,mpegts,mpeg,mpegvideo,m4v,h264,hevc,av1,obu,ivf,mjpeg,flv,asf,ogg,gif,mxf,nut,dv,rm,wtv"

_PIXEL_RATIOS = (0.25, 4.0)  # width per height of a pixel; others are damage

TimedFrame = tuple[int, float, av.VideoFrame]  # number, time in seconds, the decoded frame


def open_video(path: Path, cut: Cut = WHOLE) -> Source:
    """The source of a video with at least one frame that can be decoded; FormatError otherwise."""
    with _open(path) as (container, stream):
        rate = stream.average_rate or stream.guessed_rate
        fps = float(rate) if rate else None
        seconds = container.duration / av.time_base if container.duration else 0.0
    if fps is not None and not FRAME_RATES[0] <= fps <= FRAME_RATES[1]:
        raise FormatError(
            f"{path}: expected {FRAME_RATES[0]:g} to {FRAME_RATES[1]:g} frames per second, found {fps:g}; the header "
            "is damaged, convert the video with its true rate"
        )
    count = stream.frames or round(seconds * (fps or 0.0)) or None
    first = next(_read(path, fps, WHOLE))
    stored = _stored_size(path, first.size)
    return Source(
        path=path,
        kind="video",
        size=first.size,
        stored_size=stored,
        count=cut.count(count, fps),
        sequence=True,
        fps=fps,
        cut=cut,
        read=lambda: _read(path, fps, cut),
    )


def probe(file: Any) -> tuple[int, float] | None:
    """Frames and seconds of a video by its header, read in parts from an open file; None where it does not tell."""
    try:
        with av.open(file, container_options={"format_whitelist": _CONTAINERS}) as container:
            stream = container.streams.best("video")
            rate = float(stream.average_rate or 0) if isinstance(stream, VideoStream) else 0.0
            seconds = container.duration / av.time_base if container.duration else 0.0
            frames = stream.frames if isinstance(stream, VideoStream) else 0
    except (FFmpegError, OSError, ValueError):
        return None
    frames = frames or round(seconds * rate)
    return (frames, seconds or frames / (rate or 30.0)) if frames else None


@contextmanager
def _open(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """The container and its main video stream; the cover art of an audio file does not count as one."""
    limits = {"format_whitelist": _CONTAINERS, "protocol_whitelist": "file"}
    try:
        container = av.open(str(path.absolute()), container_options=limits)
    except (FFmpegError, OSError, ValueError):
        raise FormatError(
            f"{path}: expected a picture or a video, found neither or a damaged one; copy or convert it again"
        ) from None
    with container:
        stream = container.streams.best("video")
        if not isinstance(stream, VideoStream) or Disposition.attached_pic in stream.disposition:
            raise FormatError(f"{path}: expected a video, found a file without a video stream; give another file")
        if stream.codec_context is None:
            raise FormatError(f"{path}: expected a video, found one with an unknown codec; convert it")
        stream.thread_type = "AUTO"
        # checked before the decoder allocates memory, also where the size changes within the video
        stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)}
        yield container, stream


def _read(path: Path, fps: float | None, cut: Cut) -> Iterator[Frame]:
    """Frames in presentation order, with presentation times in seconds from the start of the file.

    Only the frames in the cut are converted to RGB, which takes most of the time.
    """
    matrix = None
    any_decoded = any_in_cut = False
    with _open(path) as (container, stream):
        ratio = _pixel_ratio(stream)
        start_s = (container.start_time or 0) / av.time_base

        def timed() -> Iterator[TimedFrame]:
            nonlocal matrix, any_decoded
            for number, decoded in enumerate(_decode(path, container, stream)):
                if number == 0:  # read once: side data and its frame keep each other alive
                    any_decoded, matrix = True, _display_matrix(decoded)
                yield number, number / (fps or 1.0) if decoded.time is None else decoded.time - start_s, decoded

        for number, time_s, decoded in cut.take(timed(), lambda item: item[:2]):
            any_in_cut = True
            yield Frame(image=_to_rgb(path, decoded, matrix, ratio), number=number, time_s=time_s, name=path.name)
    if not any_decoded:
        raise FormatError(f"{path}: expected a video, found no frame that can be decoded; copy or convert it again")
    if not any_in_cut:
        raise InputError(f"{path}: no frame lies within {cut}; choose another part")


def _decode(path: Path, container: InputContainer, stream: VideoStream) -> Iterator[av.VideoFrame]:
    """Every frame that can be decoded; damaged or missing frames result in a single warning."""
    packets = damaged = 0
    try:
        for packet in container.demux(stream):
            packets += packet.size > 0
            try:
                yield from packet.decode()
            except FFmpegError:
                damaged += 1
    except FFmpegError:
        damaged += 1
    if damaged or packets < stream.frames:
        _log.warning("%s: the video is damaged or truncated; frames that cannot be decoded are left out", path)


def _display_matrix(frame: av.VideoFrame) -> Int32[ndarray, " 9"] | None:
    matrix = frame.side_data.get("DISPLAYMATRIX")
    return None if matrix is None else np.frombuffer(bytes(matrix), np.int32)


def _pixel_ratio(stream: VideoStream) -> float:
    """Width per height of a pixel; 1 where nothing sensible is stated."""
    ratio = stream.sample_aspect_ratio or Fraction(1)
    return float(ratio) if _PIXEL_RATIOS[0] <= ratio <= _PIXEL_RATIOS[1] else 1.0


def _stored_size(path: Path, size: tuple[int, int]) -> tuple[int, int] | None:
    """The size of the upright pictures as they are stored; None if their pixels are square."""
    with _open(path) as (_, stream):
        context = stream.codec_context
        if _shown_width(context.width, _pixel_ratio(stream)) == context.width:
            return None
        stored = (context.width, context.height)
    turned = size[1] != stored[1]
    shown = f"{size[0]}x{size[1]}"
    _log.warning("%s: has pixels that are not square; scaled from %dx%d to %s", path, *stored, shown)
    return (stored[1], stored[0]) if turned else stored


def _shown_width(width: int, ratio: float) -> int:
    return max(1, round(width * ratio))


def _to_rgb(
    path: Path, frame: av.VideoFrame, matrix: Int32[ndarray, " 9"] | None, ratio: float
) -> UInt8[ndarray, "height width 3"]:
    try:
        return _upright(frame, matrix, ratio)
    except (FFmpegError, ValueError):
        raise FormatError(f"{path}: unsupported pixel format {frame.format.name}; convert the video") from None


def _upright(
    frame: av.VideoFrame, matrix: Int32[ndarray, " 9"] | None, ratio: float
) -> UInt8[ndarray, "height width 3"]:
    """Square RGB pixels, rotated and mirrored according to the display matrix of the container."""
    width = _shown_width(frame.width, ratio)
    if width != frame.width:
        if width * frame.height > MAX_PIXELS:
            raise ValueError("too many pixels")
        frame = frame.reformat(width=width, height=frame.height, format="rgb24", interpolation="BILINEAR")
    image = frame.to_ndarray(format="rgb24")
    if matrix is None:
        return image
    a, b, _, c, d = matrix[:5]  # (x, y) is displayed at (a x + c y, b x + d y)
    if abs(b) > abs(a):
        image, a, d = image.transpose(1, 0, 2), c, b
    return np.ascontiguousarray(image[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1])
