"""Videos: every frame that can be decoded, upright, with the time at which a player shows it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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

# Formats are told by content. The list keeps texts, playlists and documents from being taken for videos.
_CONTAINERS = "mov,matroska,avi,mpegts,mpeg,mpegvideo,m4v,h264,hevc,av1,obu,ivf,mjpeg,flv,asf,ogg,gif,mxf,nut,dv,rm,wtv"

Placed = tuple[int, float, av.VideoFrame]  # number, time in seconds, the frame as it was decoded


def open_video(path: Path, cut: Cut = WHOLE) -> Source:
    """A video that has at least one frame that can be decoded."""
    with _opened(path) as (container, stream):
        rate = stream.average_rate or stream.guessed_rate
        fps = float(rate) if rate else None
        seconds = container.duration / av.time_base if container.duration else 0.0
    if fps is not None and not FRAME_RATES[0] <= fps <= FRAME_RATES[1]:
        raise FormatError(
            f"{path}: expected {FRAME_RATES[0]:g} to {FRAME_RATES[1]:g} frames a second, found {fps:g}; the header is "
            "damaged, convert the video with its true rate"
        )
    count = stream.frames or round(seconds * (fps or 0.0)) or None
    first = next(_read(path, fps, WHOLE))
    return Source(
        path=path,
        kind="video",
        size=first.size,
        count=cut.count(count, fps),
        sequence=True,
        fps=fps,
        cut=cut,
        read=lambda: _read(path, fps, cut),
    )


@contextmanager
def _opened(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """The container and its main video stream; a cover picture of a song does not count as one."""
    limits = {"format_whitelist": _CONTAINERS, "protocol_whitelist": "file"}
    try:
        container = av.open(str(path.absolute()), container_options=limits)
    except (FFmpegError, OSError, ValueError):
        raise FormatError(
            f"{path}: expected a picture or a video, found neither, or one that is damaged; copy or convert it again"
        ) from None
    with container:
        stream = container.streams.best("video")
        if not isinstance(stream, VideoStream) or Disposition.attached_pic in stream.disposition:
            raise FormatError(f"{path}: expected a video, found a file without pictures; give another file")
        if stream.codec_context is None:
            raise FormatError(f"{path}: expected a video, found one that no decoder here knows; convert it")
        stream.thread_type = "AUTO"
        # before the decoder makes room, also where the size changes on the way
        stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)}
        yield container, stream


def _read(path: Path, fps: float | None, cut: Cut) -> Iterator[Frame]:
    """Frames in presentation order, times in seconds from the start of the file as a player shows them.

    Only the wanted frames become RGB, which takes most of the time.
    """
    matrix = None
    given = decoded_any = False
    with _opened(path) as (container, stream):
        start_s = (container.start_time or 0) / av.time_base

        def placed() -> Iterator[Placed]:
            nonlocal matrix, decoded_any
            for number, decoded in enumerate(_decode(path, container, stream)):
                if number == 0:  # asked for once: side data and its frame hold each other in memory
                    decoded_any, matrix = True, _display_matrix(decoded)
                yield number, number / (fps or 1.0) if decoded.time is None else decoded.time - start_s, decoded

        for number, time_s, decoded in cut.take(placed(), lambda item: item[:2]):
            given = True
            yield Frame(image=_pixels(path, decoded, matrix), number=number, time_s=time_s, name=path.name)
    if not decoded_any:
        raise FormatError(f"{path}: expected a video, found no frame that can be decoded; copy or convert it again")
    if not given:
        raise InputError(f"{path}: no frame lies in {cut}; choose another part")


def _decode(path: Path, container: InputContainer, stream: VideoStream) -> Iterator[av.VideoFrame]:
    """Every frame that can be decoded; what is damaged or cut off ends in one warning."""
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
        _log.warning("%s: the video is damaged or cut short; frames that cannot be decoded are left out", path)


def _display_matrix(frame: av.VideoFrame) -> Int32[ndarray, " 9"] | None:
    matrix = frame.side_data.get("DISPLAYMATRIX")
    return None if matrix is None else np.frombuffer(bytes(matrix), np.int32)


def _pixels(path: Path, frame: av.VideoFrame, matrix: Int32[ndarray, " 9"] | None) -> UInt8[ndarray, "height width 3"]:
    try:
        return _upright(frame, matrix)
    except (FFmpegError, ValueError):
        raise FormatError(f"{path}: pixels of format {frame.format.name} cannot be read; convert it") from None


def _upright(frame: av.VideoFrame, matrix: Int32[ndarray, " 9"] | None) -> UInt8[ndarray, "height width 3"]:
    """RGB pixels, turned and mirrored as the display matrix of the container says."""
    image = frame.to_ndarray(format="rgb24")
    if matrix is None:
        return image
    a, b, _, c, d = matrix[:5]  # what is at (x, y) is shown at (a x + c y, b x + d y)
    if abs(b) > abs(a):
        image, a, d = image.transpose(1, 0, 2), c, b
    return np.ascontiguousarray(image[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1])
