"""Ultralytics' label txt: a file per picture, a row of normalised numbers per person.

`class cx cy w h`, then 17 times `px py v` (or `px py`), then, depending on the options of the run, the confidence of
the box and the track. A single number at the end is the track if it is a whole number in every such row.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from zedo_core.errors import FormatError
from zedo_core.keypoints._people import Person, keypoints_from_people, validate_joints
from zedo_core.keypoints._source import Source, is_label, number_frames, read_head
from zedo_core.skeleton import COCO17
from zedo_core.storage.files import read_bounded
from zedo_core.types import Keypoints

FORM = "Ultralytics labels, a folder of txt"

_BOX = 5  # class, centre, width, height
_WITH_V, _WITHOUT_V = _BOX + 3 * len(COCO17), _BOX + 2 * len(COCO17)
_VIDEO_NAME = re.compile("(.+)_([1-9][0-9]{0,14})")
_MAX_BYTES = 2**24  # about ten thousand people in one picture
_MAX_TRACK = 2**53
_MAX_COORDINATE = 10.0  # larger values are not normalised


@dataclass(frozen=True, kw_only=True)
class _Row:
    frame: int
    where: str
    numbers: list[float]

    @property
    def joints(self) -> int:
        """The number of values for class, box and joints."""
        return _WITH_V if len(self.numbers) >= _WITH_V else _WITHOUT_V

    @property
    def end(self) -> list[float]:
        """The values after the joints."""
        return self.numbers[self.joints :]


def reads(source: Source) -> bool:
    """Whether any of the txt files begins with a row of numbers."""
    return any(is_label(read_head(path)) for path in source.labels)


def read(source: Source) -> Keypoints:
    """One frame per file, numbered by its name; an empty file is a frame without people.

    Names such as `clip_1.txt` and `clip_2.txt` are those of a video, whose frames Ultralytics counts from 1. Joints at
    0 0 are missing. FormatError without the picture size.
    """
    width, height = size = source.require_size("Ultralytics' label txt")
    texts = {path: _read_text(path) for path in source.labels}
    texts = {path: text for path, text in texts.items() if not text.strip() or is_label(text[:256].encode())}
    numbers = _frame_numbers(list(texts), source)
    rows = [row for path, text in texts.items() for row in _rows(path, text, numbers[path])]
    tracked = any(len(row.end) == 2 for row in rows) or _ends_in_tracks(rows)
    people = [_person(row, (width, height), tracked) for row in rows]
    return keypoints_from_people(people, COCO17, sorted(numbers.values()), source.path, image_sizes=(size,))


def _read_text(path: Path) -> str:
    try:
        return read_bounded(path, _MAX_BYTES).decode("utf-8-sig", errors="replace")
    except OSError as error:
        raise FormatError(f"{path}: cannot be read ({error.strerror or error})") from None


def _frame_numbers(paths: Sequence[Path], source: Source) -> dict[Path, int]:
    """Frame numbers from the file names, counted from 0 if the names are those of one video."""
    matches = [_VIDEO_NAME.fullmatch(path.stem) for path in paths]
    if all(matches) and len({match[1] for match in matches if match}) == 1:
        return {path: int(match[2]) - 1 for path, match in zip(paths, matches, strict=True) if match}
    numbers = number_frames([path.name for path in paths], source.path, source.part)
    return {path: numbers[path.name] for path in paths}


def _rows(path: Path, text: str, frame: int) -> list[_Row]:
    lines = [(i, line.split()) for i, line in enumerate(text.splitlines(), start=1) if line.strip()]
    return [_row(words, frame, f"{path}: line {i}") for i, words in lines]


def _row(words: list[str], frame: int, where: str) -> _Row:
    try:
        numbers = [float(word) for word in words]
    except ValueError:
        raise FormatError(f"{where}: expected numbers, found {' '.join(words)[:40]!a}") from None
    allowed = {start + extra for start in (_WITHOUT_V, _WITH_V) for extra in range(3)}
    if len(numbers) not in allowed:
        raise FormatError(
            f"{where}: expected {_WITH_V} values (class, box, [px, py, v] * {len(COCO17)}) or {_WITHOUT_V} (without v) "
            f"and at most 2 more (confidence, track), found {len(numbers)}"
        )
    return _Row(frame=frame, where=where, numbers=numbers)


def _ends_in_tracks(rows: Sequence[_Row]) -> bool:
    last = [row.end[0] for row in rows if len(row.end) == 1]
    return bool(last) and all(math.isfinite(value) and value >= 1 and value == int(value) for value in last)


def _person(row: _Row, size: tuple[int, int], tracked: bool) -> Person:
    joints = _joints(row, size)
    if not (tracked and row.end):
        return Person(frame=row.frame, joints=joints)
    track = row.end[-1]
    if not (track.is_integer() and abs(track) <= _MAX_TRACK):
        raise FormatError(f"{row.where}: expected a whole number as the track at the end, found {track:g}")
    return Person(frame=row.frame, joints=joints, track=int(track))


def _joints(row: _Row, size: tuple[int, int]) -> Float[ndarray, "j 3"]:
    """Pixels, computed as in Ultralytics itself: normalised coordinates times the picture size."""
    values = np.array(row.numbers[_BOX : row.joints]).reshape(len(COCO17), -1)
    normalised, confidence = values[:, :2], np.ones(len(COCO17))
    missing = (normalised == 0).all(-1)
    if values.shape[1] == 3:
        confidence = np.where(values[:, 2] > 1, 1.0, values[:, 2])  # manual labels have 2 for visible
    if (np.abs(normalised) > _MAX_COORDINATE).any():
        raise FormatError(
            f"{row.where}: expected normalised coordinates, found {np.abs(normalised).max():g}; are they pixels?"
        )
    joints = np.column_stack([normalised * size, np.where(missing, 0.0, confidence)])
    return validate_joints(joints, COCO17, lambda _: row.where)
