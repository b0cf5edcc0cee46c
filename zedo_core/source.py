"""Pictures, videos and folders of pictures as one thing: something that gives upright RGB frames.

A source can be read more than once, and reads in constant memory: `for frame in open_source(path)`.
"""

from __future__ import annotations

import logging
import re
import struct
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import av
import numpy as np
from av.container import InputContainer
from av.error import FFmpegError
from av.stream import Disposition
from av.video.stream import VideoStream
from jaxtyping import Int32, UInt8
from numpy import ndarray
from PIL import Image, ImageOps

from zedo_core.errors import FormatError, InputError
from zedo_core.types import Frame

_log = logging.getLogger(__name__)

# Formats are told by content. The lists keep texts, playlists and documents from being taken for pictures or videos.
_PICTURES = {"JPEG", "MPO", "PNG", "WEBP", "TIFF", "BMP", "PPM", "GIF", "AVIF", "JPEG2000"}
_CONTAINERS = "mov,matroska,avi,mpegts,mpeg,mpegvideo,m4v,h264,hevc,av1,obu,ivf,mjpeg,flv,asf,ogg,gif,mxf,nut,dv,rm,wtv"
_HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
_SUFFIXES = {
    *(".jpg", ".jpeg", ".jpe", ".mpo", ".png", ".webp", ".tif", ".tiff", ".bmp", ".ppm", ".pgm", ".gif", ".avif"),
    *(".jp2", ".heic", ".heif"),
}

_ORIENTATION = 0x0112  # EXIF tag; 5 to 8 exchange width and height
_MAX_PIXELS = 178_000_000  # a decoded picture of 0.5 GB; Pillow's own guard against bombs stands just above

_PILLOW_ERRORS = (ImportError, OSError, ValueError, SyntaxError, struct.error, EOFError, MemoryError)


@dataclass(frozen=True, kw_only=True)
class Source:
    """Frames of one picture, video or folder; iterate over it as often as needed.

    `size` is (width, height) in pixels after turning upright, None when the pictures of a folder
    differ; `count` is an estimate for progress bars; `sequence` says that the frames belong to one
    recording: a video, or a folder whose pictures all have one size.
    """

    path: Path
    kind: Literal["image", "video", "folder"]
    size: tuple[int, int] | None
    count: int | None
    sequence: bool
    fps: float | None = None
    read: Callable[[], Iterator[Frame]] = field(repr=False, compare=False)

    def __iter__(self) -> Iterator[Frame]:
        return self.read()


def open_source(path: str | Path) -> Source:
    """The picture, video or folder of pictures at `path`, told by its content.

    `time_s` of a frame is its presentation time in a video, 0 for a picture, and NaN in a folder,
    where nobody knows. InputError when nothing is there, FormatError when it cannot be read; a file
    damaged behind its header shows when it is iterated over.
    """
    path = Path(path)
    try:
        if path.is_dir():
            return _open_folder(path)
        if not path.is_file():
            raise InputError(
                f"{path}: expected a picture, a video or a folder of pictures, found nothing; check the path"
            )
        if path.stat().st_size == 0:
            raise FormatError(f"{path}: expected a picture or a video, found an empty file; copy it again")
        size = _picture_size(path)
    except (OSError, ValueError) as error:
        raise FormatError(
            f"{path}: expected something readable, found '{error}'; check the path and its rights"
        ) from None
    if size is None:
        return _open_video(path)
    return Source(path=path, kind="image", size=size, count=1, sequence=False, read=lambda: _read_pictures([path], 0.0))


# Pictures


def _picture_size(path: Path) -> tuple[int, int] | None:
    """Upright (width, height) from the header; None when the file is no single picture."""
    with _opened_picture(path) as picture:
        if picture is None or (picture.format == "GIF" and getattr(picture, "is_animated", False)):
            return None
        # Pillow turns the header's size of a TIFF by itself; its `getexif` of a PNG would decode all of it.
        turned = picture.format != "TIFF" and Image.Image.getexif(picture).get(_ORIENTATION, 1) >= 5
        width, height = picture.size
    return (height, width) if turned else (width, height)


@contextmanager
def _opened_picture(path: Path) -> Iterator[Image.Image | None]:
    """The picture with only its header read; None when it is of no known format."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            picture = Image.open(path)
    except Image.DecompressionBombError:
        raise _too_large(path) from None
    except _PILLOW_ERRORS:
        _refuse_heif(path)
        yield None
        return
    with picture:
        if picture.width * picture.height > _MAX_PIXELS:
            raise _too_large(path)
        yield picture if picture.format in _PICTURES else None


def _too_large(path: Path) -> FormatError:
    return FormatError(
        f"{path}: expected at most {_MAX_PIXELS // 10**6} megapixels, found more; scale the picture down"
    )


def _refuse_heif(path: Path) -> None:
    """Keep FFmpeg from giving the first tile of an iPhone's picture for the whole."""
    with open(path, "rb") as file:
        header = file.read(12)
    if header[4:8] == b"ftyp" and header[8:] in _HEIF_BRANDS:
        raise FormatError(f"{path}: expected JPEG, PNG, WebP, TIFF or a video, found HEIC; convert the picture to JPEG")


def _read_pictures(paths: list[Path], time_s: float) -> Iterator[Frame]:
    for number, path in enumerate(paths):
        yield Frame(image=_read_picture(path), number=number, time_s=time_s, name=path.name)


def _read_picture(path: Path) -> UInt8[ndarray, "height width 3"]:
    """Upright RGB pixels of a picture; FormatError when it is damaged."""
    try:
        with _opened_picture(path) as picture:
            if picture is None:
                raise FormatError(f"{path}: expected a picture, found something else; remove or replace it")
            return _to_rgb(ImageOps.exif_transpose(picture))
    except _PILLOW_ERRORS as error:
        raise FormatError(f"{path}: expected a whole picture, found a damaged one ({error}); copy it again") from None


def _to_rgb(picture: Image.Image) -> UInt8[ndarray, "height width 3"]:
    """Eight bits per colour, alpha dropped; 16-bit grey is scaled, where Pillow would clip it."""
    if picture.mode == "F":
        raise ValueError("floating-point pixels")
    if picture.mode.startswith("I"):
        grey = (np.asarray(picture).clip(0, 0xFFFF) >> 8).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=-1)
    return np.array(picture.convert("RGB"))


# Folders


def _open_folder(path: Path) -> Source:
    """The pictures of a folder in natural order; their headers are read, to know the sizes."""
    entries = [entry for entry in path.iterdir() if not entry.name.startswith(".")]
    pictures = sorted((e for e in entries if e.suffix.lower() in _SUFFIXES and e.is_file()), key=_natural)
    others = len(entries) - len(pictures)
    if not pictures:
        raise FormatError(
            f"{path}: expected a folder with pictures (JPEG, PNG, ...), found {others} other entries; "
            f"give a video by its own path"
        )
    if others:
        _log.warning("%s: %d entries are no pictures and were left out", path, others)
    sizes = {_picture_size(picture) for picture in pictures}
    same = len(sizes) == 1
    return Source(
        path=path,
        kind="folder",
        size=sizes.pop() if same else None,
        count=len(pictures),
        sequence=same,
        read=lambda: _read_pictures(pictures, float("nan")),
    )


def _natural(path: Path) -> tuple[list[str | int], str]:
    """Sort key that puts img2 before img10."""
    parts = re.split(r"(\d+)", path.name.casefold())
    return [int(part) if part.isdecimal() else part for part in parts], path.name


# Videos


def _open_video(path: Path) -> Source:
    """A video that has at least one frame that can be decoded."""
    with _opened_video(path) as (container, stream):
        rate = stream.average_rate or stream.guessed_rate
        fps = float(rate) if rate else None
        seconds = container.duration / av.time_base if container.duration else 0.0
    count = stream.frames or round(seconds * (fps or 0.0)) or None
    first = next(_read_video(path, fps))
    return Source(
        path=path,
        kind="video",
        size=first.size,
        count=count,
        sequence=True,
        fps=fps,
        read=lambda: _read_video(path, fps),
    )


@contextmanager
def _opened_video(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
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
        stream.thread_type = "AUTO"
        yield container, stream


def _read_video(path: Path, fps: float | None) -> Iterator[Frame]:
    """Frames in presentation order, times in seconds from the start of the file as a player shows them."""
    number, matrix = 0, None
    with _opened_video(path) as (container, stream):
        start_s = (container.start_time or 0) / av.time_base
        for number, decoded in enumerate(_decode(path, container, stream), start=1):
            if number == 1:  # asked for once: side data and its frame hold each other in memory
                matrix = decoded.side_data.get("DISPLAYMATRIX")
                matrix = None if matrix is None else np.frombuffer(bytes(matrix), np.int32)
            try:
                image = _upright(decoded, matrix)
            except (FFmpegError, ValueError):
                raise FormatError(
                    f"{path}: pixels of format {decoded.format.name} cannot be read; convert it"
                ) from None
            index = number - 1
            time_s = index / (fps or 1.0) if decoded.time is None else decoded.time - start_s
            yield Frame(image=image, number=index, time_s=time_s, name=path.name)
    if number == 0:
        raise FormatError(f"{path}: expected a video, found no frame that can be decoded; copy or convert it again")


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


def _upright(frame: av.VideoFrame, matrix: Int32[ndarray, " 9"] | None) -> UInt8[ndarray, "height width 3"]:
    """RGB pixels, turned and mirrored as the display matrix of the container says."""
    image = frame.to_ndarray(format="rgb24")
    if matrix is None:
        return image
    a, b, _, c, d = matrix[:5]  # what is at (x, y) is shown at (a x + c y, b x + d y)
    if abs(b) > abs(a):
        image, a, d = image.transpose(1, 0, 2), c, b
    return np.ascontiguousarray(image[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1])
