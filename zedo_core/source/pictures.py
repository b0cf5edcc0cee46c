"""Pictures and folders of them: sizes and cameras from the headers, upright RGB pixels."""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray
from PIL import Image, ImageOps

from zedo_core.camera import Camera
from zedo_core.camera.exif import PILLOW_ERRORS, header_of
from zedo_core.errors import FormatError, InputError
from zedo_core.source._source import Damaged, Source
from zedo_core.source.cut import Cut
from zedo_core.storage.files import MAX_PIXELS
from zedo_core.types import Frame

_log = logging.getLogger(__name__)

# Formats are told by content. The list keeps documents from being taken for pictures.
_PICTURES = {"JPEG", "MPO", "PNG", "WEBP", "TIFF", "BMP", "PPM", "GIF", "AVIF", "JPEG2000"}
_HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
_SUFFIXES = {
    *(".jpg", ".jpeg", ".jpe", ".mpo", ".png", ".webp", ".tif", ".tiff", ".bmp", ".ppm", ".pgm", ".gif", ".avif"),
    *(".jp2", ".heic", ".heif"),
}

Header = tuple[tuple[int, int], "Camera | None"]  # upright (width, height) and the camera of the EXIF data


def open_picture(path: Path, cut: Cut) -> Source | None:
    """The source of one picture; None when the file is none."""
    header = _header(path)
    if header is None:
        return None
    size, camera = header
    cameras = {} if camera is None else {0: camera}

    def read() -> Iterator[Frame]:
        frame = Frame(image=_pixels(path), number=0, time_s=0.0, name=path.name)
        return _not_empty(cut.take([frame], lambda frame: (frame.number, frame.time_s)), path, cut)

    return Source(
        path=path, kind="image", size=size, count=1, sequence=False, cut=cut, cameras=cameras, files=(path,), read=read
    )


def open_folder(path: Path, cut: Cut) -> Source:
    """The pictures of a folder in natural order; their headers are read, to know the sizes."""
    pictures = _pictures(path)
    if cut.needs_times:
        raise InputError(f"{path}: the pictures of a folder have no times; give frame numbers such as 12f, not seconds")
    damaged = Damaged()
    headers: dict[int, Header] = {}
    for number, picture in enumerate(pictures):
        try:
            header = _header(picture)
        except FormatError as error:
            damaged.note(picture.name, str(error))
            continue
        except OSError as error:
            damaged.note(picture.name, f"{picture}: cannot be read ({error.strerror})")
            continue
        if header is not None:
            headers[number] = header
    sizes = {size for size, _ in headers.values()}
    return Source(
        path=path,
        kind="folder",
        size=next(iter(sizes)) if len(sizes) == 1 else None,
        count=cut.count(len(pictures), None),
        sequence=len(sizes) == 1,
        cut=cut,
        cameras={number: camera for number, (_, camera) in headers.items() if camera is not None},
        damaged=damaged,
        files=tuple(pictures),
        read=lambda: _not_empty(_read_folder(pictures, cut, damaged), path, cut),
    )


def _pictures(path: Path) -> list[Path]:
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
    return pictures


def _natural(path: Path) -> tuple[list[str | int], str]:
    """Sort key that puts img2 before img10."""
    parts = re.split(r"(\d+)", path.name.casefold())
    return [int(part) if part.isdecimal() else part for part in parts], path.name


def _read_folder(pictures: Sequence[Path], cut: Cut, damaged: Damaged) -> Iterator[Frame]:
    """The pictures that can be read; FormatError when none of them can."""
    wanted = list(cut.take(enumerate(pictures), lambda item: (item[0], float("nan"))))
    found = 0
    for number, path in wanted:
        try:
            image = _pixels(path)
        except FormatError as error:
            damaged.note(path.name, str(error))
            continue
        found += 1
        yield Frame(image=image, number=number, time_s=float("nan"), name=path.name)
    if wanted and not found:
        raise FormatError(damaged[wanted[0][1].name])


def _not_empty(frames: Iterator[Frame], path: Path, cut: Cut) -> Iterator[Frame]:
    first = next(frames, None)
    if first is None:
        raise InputError(f"{path}: no frame lies in {cut}; choose another part")
    yield first
    yield from frames


def _header(path: Path) -> Header | None:
    """Upright size and camera from the header; None when the file is no single picture."""
    with _opened(path) as picture:
        if picture is None or (picture.format == "GIF" and _moves(picture)):
            return None
        return header_of(picture)


def _moves(picture: Image.Image) -> bool:
    """Whether there is a second frame; the video reader does without it where it is damaged."""
    try:
        return getattr(picture, "is_animated", False)
    except PILLOW_ERRORS:
        return True


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image | None]:
    """The picture with only its header read; None when it is of no known format."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            picture = Image.open(path)
    except Image.DecompressionBombError:
        raise _too_large(path) from None
    except PILLOW_ERRORS:
        _refuse_heif(path)
        yield None
        return
    with picture:
        if picture.width * picture.height > MAX_PIXELS:
            raise _too_large(path)
        yield picture if picture.format in _PICTURES else None


def _too_large(path: Path) -> FormatError:
    return FormatError(f"{path}: expected at most {MAX_PIXELS // 10**6} megapixels, found more; scale the picture down")


def _refuse_heif(path: Path) -> None:
    """Keep FFmpeg from giving the first tile of an iPhone's picture for the whole."""
    with open(path, "rb") as file:
        header = file.read(12)
    if header[4:8] == b"ftyp" and header[8:] in _HEIF_BRANDS:
        raise FormatError(f"{path}: expected JPEG, PNG, WebP, TIFF or a video, found HEIC; convert the picture to JPEG")


def _pixels(path: Path) -> UInt8[ndarray, "height width 3"]:
    """Upright RGB pixels of a picture; FormatError when it is damaged."""
    try:
        with _opened(path) as picture:
            if picture is None:
                raise FormatError(f"{path}: expected a picture, found something else; remove or replace it")
            return _to_rgb(ImageOps.exif_transpose(picture))
    except PILLOW_ERRORS as error:
        raise FormatError(f"{path}: expected a whole picture, found a damaged one ({error}); copy it again") from None


def _to_rgb(picture: Image.Image) -> UInt8[ndarray, "height width 3"]:
    """Eight bits per colour, alpha dropped; 16-bit grey is scaled, where Pillow would clip it."""
    if picture.mode == "F":
        raise ValueError("floating-point pixels")
    if picture.mode.startswith("I"):
        grey = (np.asarray(picture).clip(0, 0xFFFF) >> 8).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=-1)
    return np.array(picture.convert("RGB"))
