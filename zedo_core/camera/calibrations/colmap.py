"""COLMAP's `cameras.txt`, and the poses of `images.txt` beside it, in a world in units of its own.

A camera has its lens alone; the name of a picture chooses the camera that took it with its pose. Principal points are
taken as they are written: COLMAP counts from the corner of the first pixel, half a pixel from its centre.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import scipy  # its parts load when they are used

from zedo_core.camera.calibrations._numbers import numbers
from zedo_core.camera.calibrations._table import Entry
from zedo_core.errors import CameraError, FormatError

# The parameters of each model. `f` is fx and fy.
_MODELS = {
    "SIMPLE_PINHOLE": "f cx cy",
    "PINHOLE": "fx fy cx cy",
    "SIMPLE_RADIAL": "f cx cy k1",
    "RADIAL": "f cx cy k1 k2",
    "OPENCV": "fx fy cx cy k1 k2 p1 p2",
    "FULL_OPENCV": "fx fy cx cy k1 k2 p1 p2 k3 k4 k5 k6",
    "OPENCV_FISHEYE": "fx fy cx cy k1 k2 k3 k4",
    "SIMPLE_RADIAL_FISHEYE": "f cx cy k1",
    "RADIAL_FISHEYE": "f cx cy k1 k2",
}
_LINE = re.compile(r"\s*(\S+)\s+([A-Z][A-Z_]*[A-Z])\s+(\d+)\s+(\d+)((?:\s+[-+.0-9eE]+)+)\s*")
_MAX_BYTES = 2**28  # of images.txt, most of which are points


@dataclass(frozen=True)
class Lines:
    """The lines of a `cameras.txt`: id, model, width, height, parameters."""

    rows: tuple[tuple[str, str, str, str, str], ...]


def lines_of(text: str) -> Lines | None:
    """The lines of a text in this form; None for any other text."""
    content = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    matches = [_LINE.fullmatch(line) for line in content]
    if not content or not all(matches):
        return None
    return Lines(tuple(match.groups() for match in matches if match))  # pyright: ignore[reportArgumentType]


def reads(document: Any) -> bool:
    """Whether it is such a text."""
    return isinstance(document, Lines)


def cameras(document: Lines, path: Path) -> list[Entry]:
    """The cameras by id, then those of the pictures by name."""
    tables = {row[0]: _table(row, f"camera ({path.name}, camera {row[0]})") for row in document.rows}
    images = path.with_name("images.txt")
    poses = list(_images(images)) if images.is_file() else []
    found = [Entry((id,), table, 1.0, default=len(tables) == 1) for id, table in tables.items()]
    return found + [Entry((name,), tables[id] | pose, 1.0) for name, id, pose in poses if id in tables]


def _table(row: tuple[str, str, str, str, str], where: str) -> dict:
    _, model, width, height, text = row
    if model not in _MODELS:
        raise CameraError(f"{where}: the model {model} is not supported; expected one of {', '.join(_MODELS)}")
    names = _MODELS[model].split()
    values = numbers(text, where, count=len(names)).tolist()
    table: dict[str, Any] = dict(zip(names, values, strict=True))
    if "f" in table:
        table["fx"] = table["fy"] = table.pop("f")
    return table | {"width": width, "height": height, "camera_model": model}


def _images(path: Path) -> Iterator[tuple[str, str, dict]]:
    """Name, id of the camera and pose of every picture; every other line lists its points."""
    if path.stat().st_size > _MAX_BYTES:
        raise FormatError(
            f"{path}: expected at most {_MAX_BYTES >> 20} MiB, found more; move it away to use the lens only"
        )
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            is_points = False
            for line in file:
                if line.startswith("#"):
                    continue
                if not is_points and line.strip():
                    yield _image(line, path)
                is_points = not is_points
    except OSError as error:
        raise FormatError(f"{path}: cannot be read ({error.strerror})") from None


def _image(line: str, path: Path) -> tuple[str, str, dict]:
    words = line.split(maxsplit=9)
    if len(words) < 10:
        raise FormatError(f"{path}: expected id, quaternion, translation, camera and name, found {line.strip()[:60]!a}")
    w, x, y, z, *t = numbers(" ".join(words[1:8]), f"{path}, image {words[0]}", count=7).tolist()
    if not any((w, x, y, z)):
        raise FormatError(f"{path}: image {words[0]}: expected a rotation, found a quaternion of zeros")
    R = scipy.spatial.transform.Rotation.from_quat([x, y, z, w]).as_matrix()
    return words[9].strip(), words[8], {"rotation": R.tolist(), "translation": t}
