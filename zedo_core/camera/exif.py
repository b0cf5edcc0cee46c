"""The camera that a picture's EXIF data tell of.

Two ways, the better one first: FocalPlaneXResolution says how many pixels lie on a millimetre of the sensor, so that
f_px = FocalLength x pixels per mm. FocalLengthIn35mmFilm is the focal length that gives the same *diagonal* angle of
view on film of 36 x 24 mm (CIPA DCG-001), so that f_px = f35 / 43.27 mm x the picture's diagonal in pixels; it is a
whole number, thus good to 2 % at 26 mm. A list of sensor sizes by model is not kept.
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

# What Pillow raises for a damaged file.
PILLOW_ERRORS = (ImportError, OSError, ValueError, SyntaxError, struct.error, EOFError, MemoryError)

_ORIENTATION = 0x0112  # EXIF tag; damaged, it may be a text
_LYING = (5, 6, 7, 8)  # orientations that exchange width and height

_EXIF_IFD = 0x8769
_FOCAL_MM, _FOCAL_35MM = 0x920A, 0xA405
_PLANE_X_RESOLUTION, _PLANE_UNIT = 0xA20E, 0xA210
_WIDTH, _HEIGHT = 0xA002, 0xA003  # of the picture as the camera took it

_UNIT_MM = {2: 25.4, 3: 10.0, 4: 1.0, 5: 0.001}
_FILM_DIAGONAL_MM = math.hypot(36.0, 24.0)
_FOCALS_35MM = (4.0, 4000.0)  # what lenses have; fisheyes, which no pinhole describes, and nonsense lie below
_SAME_SHAPE = 0.02  # a picture whose sides have another ratio than those of the EXIF data was cropped


@runtime_checkable
class Exif(Protocol):
    """Pillow's EXIF data: tags of the picture, and those of the camera in a table of their own."""

    def get_ifd(self, tag: int) -> dict[int, Any]:
        """The table that a tag leads to; empty where there is none."""
        ...


def is_picture(path: Path) -> bool:
    """Whether Pillow knows the file by its beginning; a pipe, which can be read once only, is left alone."""
    if not path.is_file():
        return False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            Image.open(path).close()
        return True
    except (*PILLOW_ERRORS, Image.DecompressionBombError):
        return False


def picture_camera(path: Path) -> Camera | None:
    """The camera that a picture tells of; None when it does not."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        with Image.open(path) as picture:
            return header_of(picture)[1]


def header_of(picture: Image.Image) -> tuple[tuple[int, int], Camera | None]:
    """Upright (width, height) in pixels of a picture that is open, and the camera of its EXIF data."""
    exif = _exif(picture)
    # Pillow turns the header's size of a TIFF by itself.
    turned = picture.format != "TIFF" and exif is not None and exif.get(_ORIENTATION) in _LYING
    width, height = picture.size
    size = (height, width) if turned else (width, height)
    return size, None if exif is None else exif_camera(exif, size)


def _exif(picture: Image.Image) -> Image.Exif | None:
    """The EXIF data; None where they are damaged. Pillow's own `getexif` of a PNG would decode all of it."""
    try:
        return Image.Image.getexif(picture)
    except PILLOW_ERRORS:
        return None


def exif_camera(exif: Exif, size: tuple[int, int]) -> Camera | None:
    """The camera of an upright picture of `size` (width, height) in pixels; None when EXIF does not say enough.

    Nothing is said of a picture that was cropped, told by the size that the camera noted: its centre is not known.
    """
    try:
        tags = exif.get_ifd(_EXIF_IFD)
    except Exception:  # damaged tables raise nearly anything, and tell nothing
        return None
    noted = _noted_size(tags)
    if noted is not None and _is_cropped(noted, size):
        return None
    for focal_px, source in (_by_sensor(tags, noted, size), _by_film(tags, size)):
        if focal_px is not None and _FOCALS_35MM[0] <= _as_35mm(focal_px, size) <= _FOCALS_35MM[1]:
            width, height = size
            return Camera(
                fx=focal_px, fy=focal_px, cx=(width - 1) / 2, cy=(height - 1) / 2, size=size, source=f"EXIF ({source})"
            )
    return None


def _by_film(tags: Mapping[int, Any], size: tuple[int, int]) -> tuple[float | None, str]:
    focal_mm = _positive(tags.get(_FOCAL_35MM))
    if focal_mm is None:
        return None, ""
    return focal_mm / _FILM_DIAGONAL_MM * math.hypot(*size), f"{focal_mm:g} mm on 35 mm film"


def _by_sensor(
    tags: Mapping[int, Any], noted: tuple[float, float] | None, size: tuple[int, int]
) -> tuple[float | None, str]:
    focal_mm, resolution = (_positive(tags.get(tag)) for tag in (_FOCAL_MM, _PLANE_X_RESOLUTION))
    unit_mm = _UNIT_MM.get(tags.get(_PLANE_UNIT, 2))
    if focal_mm is None or resolution is None or unit_mm is None or noted is None:
        return None, ""
    scale = max(size) / max(noted)  # the picture may have been made smaller since
    return focal_mm * resolution / unit_mm * scale, f"{focal_mm:g} mm, {resolution / unit_mm:.1f} px/mm on the sensor"


def _noted_size(tags: Mapping[int, Any]) -> tuple[float, float] | None:
    width, height = (_positive(tags.get(tag)) for tag in (_WIDTH, _HEIGHT))
    return None if width is None or height is None else (width, height)


def _is_cropped(noted: tuple[float, float], size: tuple[int, int]) -> bool:
    """Whether the sides have another ratio, upright or lying."""
    then, now = max(noted) / min(noted), max(size) / min(size)
    return abs(then / now - 1) > _SAME_SHAPE


def _as_35mm(focal_px: float, size: tuple[int, int]) -> float:
    return focal_px / math.hypot(*size) * _FILM_DIAGONAL_MM


def _positive(value: Any) -> float | None:
    """A number above 0; None for anything else: 0 means that it is not known."""
    try:
        number = float(value)
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        return None
    return number if math.isfinite(number) and number > 0 else None
