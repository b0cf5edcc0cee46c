"""TRC in pixels, as Sports2D writes it for each person; TRC in metres or mm is 3D and refused."""

from __future__ import annotations

import re

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from zedo_core.errors import FormatError
from zedo_core.keypoints._named import keypoints_by_name
from zedo_core.keypoints._source import Source
from zedo_core.keypoints.deeplabcut import number
from zedo_core.types import Keypoints

FORM = "Sports2D's TRC in pixels"

_HEADER_LINES = 5
_MIN_PX = 20.0  # a body in pixels is larger, one in metres smaller
_PERSON = re.compile(r"person(\d+)", re.IGNORECASE)


def reads(source: Source) -> bool:
    """Whether the source is a TRC."""
    return source.text.startswith("PathFileType")


def read(source: Source) -> Keypoints:
    """One person; missing markers are empty or nan. The unit in the header is not to be trusted: Sports2D writes m.

    FormatError for markers in space.
    """
    lines = source.text.splitlines()
    if len(lines) < _HEADER_LINES + 1:
        raise FormatError(
            f"{source.path}: expected {_HEADER_LINES} lines of a TRC header and values, found {len(lines)}"
        )
    head = dict(zip(lines[1].split("\t"), lines[2].split("\t"), strict=False))
    names = [name for name in lines[3].rstrip().split("\t")[2:] if name.strip()]
    table = _table(source, lines[_HEADER_LINES:], len(names))
    points = table[:, 2:].reshape(len(table), len(names), 3)
    _check_pixels(source, points, head.get("Units", "no unit"))
    values = np.dstack([points[..., :2], np.full(points.shape[:2], np.nan)])
    frames = _frames(source, table[:, 0])
    rate = number(head.get("DataRate", ""), f"{source.path}: DataRate")
    person = _PERSON.search(source.path.name)
    times = table[:, 1]
    known = np.isfinite(times).all() and bool((np.diff(times) > 0).all())
    return keypoints_by_name(
        source,
        values,
        names,
        np.array(frames),
        frames,
        [int(person[1][:9]) if person else 1] * len(frames),
        fps=rate if rate > 0 else None,
        times_s=times if known else None,
    )


def _table(source: Source, lines: list[str], markers: int) -> Float[ndarray, "t c"]:
    width = 2 + 3 * markers
    rows = []
    for i, line in enumerate(lines):
        if not line.strip():
            continue
        cells = line.rstrip("\r\n").split("\t")[:width]
        cells += [""] * (width - len(cells))
        rows.append([number(cell, f"{source.path}: line {i + _HEADER_LINES + 1}") for cell in cells])
    if not rows or not markers:
        raise FormatError(f"{source.path}: expected markers and frames, found {markers} markers in {len(rows)} frames")
    return np.array(rows)


def _frames(source: Source, column: Float[ndarray, " t"]) -> list[int]:
    increasing = np.isfinite(column).all() and (column == column.round()).all() and (np.diff(column) > 0).all()
    if not increasing or np.abs(column).max() > 1e12:
        raise FormatError(f"{source.path}: expected frame numbers that increase in the first column")
    return column.astype(int).tolist()


def _check_pixels(source: Source, points: Float[ndarray, "t k 3"], unit: str) -> None:
    flat = points[np.isfinite(points).all(-1)]
    if not len(flat):
        return
    size = float(np.ptp(flat[:, :2], axis=0).max())
    if np.abs(flat[:, 2]).max() > 1e-6 or size < _MIN_PX:
        what = "3D markers" if np.abs(flat[:, 2]).max() > 1e-6 else f"markers within {size:.3g} of a unit"
        raise FormatError(
            f"{source.path}: expected 2D keypoints in pixels, found {what} ({unit}); give Sports2D's file with _px in "
            "its name"
        )
