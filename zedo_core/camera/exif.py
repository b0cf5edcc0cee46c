"""The camera of a picture, from its EXIF data.

There are two ways, the more accurate one first. FocalPlaneXResolution gives the pixels per millimetre of the sensor, so
that f_px = FocalLength x pixels per mm. FocalLengthIn35mmFilm is the focal length with the same *diagonal* angle of
view on 36 x 24 mm film (CIPA DCG-001), so that f_px = f35 / 43.27 mm x the picture's diagonal in pixels; it is a whole
number and thus accurate to 2 % at 26 mm. Sensor sizes are not looked up by camera model.
"""

from __future__ import annotations

import math
import struct
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from PIL import Image

from zedo_core.camera.camera import Camera

# The exceptions that Pillow raises for a damaged file.
PILLOW_ERRORS = (ImportError, OSError, ValueError, SyntaxError, struct.error, EOFError, MemoryError)

_ORIENTATION = 0x0112  # EXIF tag; in a damaged file it may be a text
_TRANSPOSED = (5, 6, 7, 8)  # orientations that swap width and height

_EXIF_IFD = 0x8769
_FOCAL_MM, _FOCAL_35MM = 0x920A, 0xA405
_PLANE_X_RESOLUTION, _PLANE_UNIT = 0xA20E, 0xA210
_WIDTH, _HEIGHT = 0xA002, 0xA003  # of the picture as captured

_UNIT_MM = {2: 25.4, 3: 10.0, 4: 1.0, 5: 0.001}
_FILM_DIAGONAL_MM = math.hypot(36.0, 24.0)
_FOCALS_35MM = (4.0, 4000.0)  # range of real lenses; fisheyes, for which a pinhole model fails, are shorter
_ASPECT_TOLERANCE = 0.02  # a picture whose aspect ratio differs from the EXIF data by more was cropped


@runtime_checkable
class Exif(Protocol):
    """Pillow's EXIF data: tags of the picture, and those of the camera in a nested table."""

    def get_ifd(self, tag: int) -> dict[int, Any]:
        """The nested table of a tag; empty if there is none."""
        ...


def is_picture(path: Path) -> bool:
    """Whether Pillow recognises the file by its header; False for a pipe, which could be read only once."""
    if not path.is_file():
        return False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            Image.open(path).close()
        return True
    except (*PILLOW_ERRORS, Image.DecompressionBombError):
        return False


def camera_from_picture(path: Path) -> Camera | None:
    """The camera of a picture from its EXIF data; None when these are insufficient."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        with Image.open(path) as picture:
            return read_header(picture)[1]


def read_header(picture: Image.Image) -> tuple[tuple[int, int], Camera | None]:
    """Upright (width, height) in pixels of an open picture, and the camera from its EXIF data."""
    exif = _exif(picture)
    # For TIFF, Pillow already applies the orientation to the size.
    transposed = picture.format != "TIFF" and exif is not None and exif.get(_ORIENTATION) in _TRANSPOSED
    width, height = picture.size
    size = (height, width) if transposed else (width, height)
    return size, None if exif is None else camera_from_exif(exif, size)


def _exif(picture: Image.Image) -> Image.Exif | None:
    """The EXIF data; None when damaged. Pillow's own `getexif` of a PNG would decode all pixels."""
    try:
        return Image.Image.getexif(picture)
    except PILLOW_ERRORS:
        return None


def camera_from_exif(exif: Exif, size: tuple[int, int]) -> Camera | None:
    """The camera of an upright picture of `size` (width, height) in pixels; None when EXIF data are insufficient.

    None also for a cropped picture, whose aspect ratio differs from the recorded one: its principal point is unknown.
    """
    try:
        tags = exif.get_ifd(_EXIF_IFD)
    except Exception:  # damaged tables raise nearly anything
        return None
    recorded = _recorded_size(tags)
    if recorded is not None and _is_cropped(recorded, size):
        return None
    for focal_px, source in (_focal_from_sensor(tags, recorded, size), _focal_from_35mm(tags, size)):
        if focal_px is not None and _FOCALS_35MM[0] <= _as_35mm(focal_px, size) <= _FOCALS_35MM[1]:
            width, height = size
            return Camera(
                fx=focal_px, fy=focal_px, cx=(width - 1) / 2, cy=(height - 1) / 2, size=size, source=f"EXIF ({source})"
            )
    return None


def _focal_from_35mm(tags: Mapping[int, Any], size: tuple[int, int]) -> tuple[float | None, str]:
    focal_mm = _positive(tags.get(_FOCAL_35MM))
    if focal_mm is None:
        return None, ""
    return focal_mm / _FILM_DIAGONAL_MM * math.hypot(*size), f"{focal_mm:g} mm on 35 mm film"


def _focal_from_sensor(
    tags: Mapping[int, Any], recorded: tuple[float, float] | None, size: tuple[int, int]
) -> tuple[float | None, str]:
    focal_mm, resolution = (_positive(tags.get(tag)) for tag in (_FOCAL_MM, _PLANE_X_RESOLUTION))
    unit_mm = _UNIT_MM.get(tags.get(_PLANE_UNIT, 2))
    if focal_mm is None or resolution is None or unit_mm is None or recorded is None:
        return None, ""
    scale = max(size) / max(recorded)  # the picture may have been resized since
    return focal_mm * resolution / unit_mm * scale, f"{focal_mm:g} mm, {resolution / unit_mm:.1f} px/mm on the sensor"


def _recorded_size(tags: Mapping[int, Any]) -> tuple[float, float] | None:
    width, height = (_positive(tags.get(tag)) for tag in (_WIDTH, _HEIGHT))
    return None if width is None or height is None else (width, height)


def _is_cropped(recorded: tuple[float, float], size: tuple[int, int]) -> bool:
    """Whether the aspect ratios differ, in portrait or landscape."""
    before, now = max(recorded) / min(recorded), max(size) / min(size)
    return abs(before / now - 1) > _ASPECT_TOLERANCE


def _as_35mm(focal_px: float, size: tuple[int, int]) -> float:
    return focal_px / math.hypot(*size) * _FILM_DIAGONAL_MM


def _positive(value: Any) -> float | None:
    """A number above 0; None for anything else, as 0 means unknown."""
    try:
        number = float(value)
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        return None
    return number if math.isfinite(number) and number > 0 else None
