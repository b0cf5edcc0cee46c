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
from zedo_core.camera.exif import PILLOW_ERRORS, read_header
from zedo_core.errors import FormatError, InputError
from zedo_core.source._source import Damaged, Source
from zedo_core.source.cut import Cut
from zedo_core.storage.files import MAX_PIXELS
from zedo_core.types import Frame

_log = logging.getLogger(__name__)

# Formats are detected from content; this list excludes documents, which Pillow opens as well.
_PICTURES = {"JPEG", "MPO", "PNG", "WEBP", "TIFF", "BMP", "PPM", "GIF", "AVIF", "JPEG2000"}
_HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
_SUFFIXES = {
    *(".jpg", ".jpeg", ".jpe", ".mpo", ".png", ".webp", ".tif", ".tiff", ".bmp", ".ppm", ".pgm", ".gif", ".avif"),
    *(".jp2", ".heic", ".heif"),
}

Header = tuple[tuple[int, int], "Camera | None"]  # upright (width, height) and the camera from EXIF data


def open_picture(path: Path, cut: Cut) -> Source | None:
    """The source of one picture; None when the file is not a picture."""
    header = _read_header(path)
    if header is None:
        return None
    size, camera = header
    cameras = {} if camera is None else {0: camera}

    def read() -> Iterator[Frame]:
        frame = Frame(image=_read_pixels(path), number=0, time_s=0.0, name=path.name)
        return _require_frames(cut.take([frame], lambda frame: (frame.number, frame.time_s)), path, cut)

    return Source(
        path=path, kind="image", size=size, count=1, sequence=False, cut=cut, cameras=cameras, files=(path,), read=read
    )


def open_folder(path: Path, cut: Cut, sequence: bool | None = None) -> Source:
    """The pictures of a folder in natural order; their headers are read to find the sizes.

    InputError when they should be a `sequence` but differ in size.
    """
    pictures = _list_pictures(path)
    if cut.needs_times:
        raise InputError(f"{path}: the pictures of a folder have no times; give frame numbers such as 12f, not seconds")
    damaged = Damaged()
    headers: dict[int, Header] = {}
    for number, picture in enumerate(pictures):
        try:
            header = _read_header(picture)
        except FormatError as error:
            damaged.add(picture.name, str(error))
            continue
        except OSError as error:
            damaged.add(picture.name, f"{picture}: cannot be read ({error.strerror})")
            continue
        if header is not None:
            headers[number] = header
    sizes = {size for size, _ in headers.values()}
    cameras = {number: camera for number, (_, camera) in headers.items() if camera is not None}
    if sequence and len(sizes) > 1:
        raise InputError(
            f"{path}: expected a sequence of one size, found pictures of {len(sizes)}; leave --sequence out"
        )
    if sequence is None:
        sequence = len(sizes) == 1 and not cameras and _is_numbered(pictures)
    return Source(
        path=path,
        kind="folder",
        size=next(iter(sizes)) if len(sizes) == 1 else None,
        count=cut.count(len(pictures), None),
        sequence=sequence,
        cut=cut,
        cameras=cameras,
        damaged=damaged,
        files=tuple(pictures),
        read=lambda: _require_frames(_read_folder(pictures, cut, damaged), path, cut),
    )


def _list_pictures(path: Path) -> list[Path]:
    entries = [entry for entry in path.iterdir() if not entry.name.startswith(".")]
    pictures = sorted((e for e in entries if e.suffix.lower() in _SUFFIXES and e.is_file()), key=_natural_key)
    others = len(entries) - len(pictures)
    if not pictures:
        raise FormatError(
            f"{path}: expected a folder with pictures (JPEG, PNG, ...), found {others} other entries; "
            f"give a video by its own path"
        )
    if others:
        _log.warning("%s: %d entries are not pictures and were left out", path, others)
    return pictures


def _is_numbered(pictures: Sequence[Path]) -> bool:
    """Whether there are several pictures, whose names without suffixes differ in one number only."""
    parts = [re.split(r"(\d+)", picture.stem.casefold()) for picture in pictures]
    if len({len(part) for part in parts}) > 1:
        return False
    columns = [set(column) for column in zip(*parts, strict=True)]  # words, and at odd places numbers
    differing = [place for place, column in enumerate(columns) if len(column) > 1]
    return len(differing) == 1 and differing[0] % 2 == 1


def _natural_key(path: Path) -> tuple[list[str | int], str]:
    """Sort key that puts img2 before img10."""
    parts = re.split(r"(\d+)", path.name.casefold())
    return [int(part) if part.isdecimal() else part for part in parts], path.name


def _read_folder(pictures: Sequence[Path], cut: Cut, damaged: Damaged) -> Iterator[Frame]:
    """The pictures that can be read; FormatError when none can."""
    selected = list(cut.take(enumerate(pictures), lambda item: (item[0], float("nan"))))
    count = 0
    for number, path in selected:
        try:
            image = _read_pixels(path)
        except FormatError as error:
            damaged.add(path.name, str(error))
            continue
        count += 1
        yield Frame(image=image, number=number, time_s=float("nan"), name=path.name)
    if selected and not count:
        raise FormatError(damaged[selected[0][1].name])


def _require_frames(frames: Iterator[Frame], path: Path, cut: Cut) -> Iterator[Frame]:
    """The frames; InputError when there are none."""
    first = next(frames, None)
    if first is None:
        raise InputError(f"{path}: no frame lies within {cut}; choose another part")
    yield first
    yield from frames


def _read_header(path: Path) -> Header | None:
    """Upright size and camera from the header; None when the file is not a single picture."""
    with _open(path) as picture:
        if picture is None or (picture.format == "GIF" and _is_animated(picture)):
            return None
        return read_header(picture)


def _is_animated(picture: Image.Image) -> bool:
    """Whether there is a second frame, which may be damaged: the video reader copes with that."""
    try:
        return getattr(picture, "is_animated", False)
    except PILLOW_ERRORS:
        return True


@contextmanager
def _open(path: Path) -> Iterator[Image.Image | None]:
    """The picture with only its header read; None when its format is unknown."""
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
    """FormatError for HEIC, of which FFmpeg would return only the first tile."""
    with open(path, "rb") as file:
        header = file.read(12)
    if header[4:8] == b"ftyp" and header[8:] in _HEIF_BRANDS:
        raise FormatError(f"{path}: expected JPEG, PNG, WebP, TIFF or a video, found HEIC; convert the picture to JPEG")


def _read_pixels(path: Path) -> UInt8[ndarray, "height width 3"]:
    """Upright RGB pixels of a picture; FormatError when it is damaged."""
    try:
        with _open(path) as picture:
            if picture is None:
                raise FormatError(f"{path}: expected a picture, found something else; remove or replace it")
            return _to_rgb(ImageOps.exif_transpose(picture))
    except PILLOW_ERRORS as error:
        raise FormatError(f"{path}: expected a picture, found a damaged one ({error}); copy it again") from None


def _to_rgb(picture: Image.Image) -> UInt8[ndarray, "height width 3"]:
    """Eight bits per channel, without alpha; 16-bit grey is scaled, which Pillow would clip."""
    if picture.mode == "F":
        raise ValueError("floating-point pixels")
    if picture.mode.startswith("I"):
        grey = (np.asarray(picture).clip(0, 0xFFFF) >> 8).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=-1)
    return np.array(picture.convert("RGB"))
