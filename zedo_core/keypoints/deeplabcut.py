"""DeepLabCut's CSV: rows of a header that say scorer, individual, bodypart and coordinate of each column.

Lightning Pose and SLEAP write the same. The first columns are the frame number, or the folder and name of a picture.
"""

from __future__ import annotations

import csv

import numpy as np

from zedo_core.errors import FormatError
from zedo_core.keypoints._named import keypoints_by_name, numbers_of
from zedo_core.keypoints._source import Source
from zedo_core.types import Keypoints

FORM = "DeepLabCut's CSV, with scorer, bodyparts and coords"

_HEADERS = ("scorer", "individuals", "bodyparts", "coords")
_COORDS = {"x": 0, "y": 1, "likelihood": 2, "score": 2, "confidence": 2}


def reads(source: Source) -> bool:
    """Whether the table begins with the rows of DeepLabCut's header."""
    return source.text.startswith("scorer,") or source.text[:2000].find("\nbodyparts,") >= 0


def read(source: Source) -> Keypoints:
    """A person per individual, in the joint set that the names of the body parts fit best; empty values are missing."""
    rows = read_rows(source)
    header = {row[0]: row for row in rows[:6] if row and row[0] in _HEADERS}
    data = [row for row in rows if row and row[0] not in _HEADERS and any(row)]
    if not {"bodyparts", "coords"} <= header.keys() or not data:
        raise FormatError(
            f"{source.path}: expected rows 'bodyparts' and 'coords' and values below, found {len(data)} rows"
        )
    coords = header["coords"]
    if wrong := next((name for name, row in header.items() if len(row) != len(coords)), None):
        raise FormatError(f"{source.path}: row '{wrong}': expected {len(coords)} columns, found {len(header[wrong])}")
    first = next((i for i, coord in enumerate(coords) if i and coord in _COORDS), len(coords))
    table = _floats(source, data, first, len(coords))
    frames = numbers_of([row[first - 1] for row in data], source)
    individuals = header.get("individuals", ["individuals"] + [""] * (len(coords) - 1))
    columns = [(individuals[i], header["bodyparts"][i], coords[i]) for i in range(first, len(coords))]
    return keypoints_of_columns(source, table, columns, frames)


def keypoints_of_columns(
    source: Source, table: np.ndarray, columns: list[tuple[str, str, str]], frames: list[int]
) -> Keypoints:
    """Keypoints from a table (frame, column) whose columns are individual, body part and coordinate.

    Individuals need not have the same body parts.
    """
    people = list(dict.fromkeys(person for person, _, _ in columns))
    names = list(dict.fromkeys(part for _, part, _ in columns))
    if len(table) * len(people) * len(names) > 3 * table.size + 10_000_000:
        raise FormatError(f"{source.path}: expected the body parts of {len(people)} individuals, found too many names")
    values = np.full((len(table), len(people), len(names), 3), np.nan)
    taken = set()
    for i, (person, part, coord) in enumerate(columns):
        if coord in _COORDS:
            if (person, part, coord) in taken:
                raise FormatError(
                    f"{source.path}: expected different columns, found {part[:30]!a} {coord} more than once"
                )
            taken.add((person, part, coord))
            values[:, people.index(person), names.index(part), _COORDS[coord]] = table[:, i]
    ordered = sorted(set(frames))
    if len(ordered) < len(frames):
        raise FormatError(f"{source.path}: expected a row per frame, found {len(frames) - len(ordered)} frames again")
    t, p = values.shape[:2]
    return keypoints_by_name(
        source,
        values.reshape(t * p, len(names), 3),
        names,
        np.repeat(np.array(frames), p),
        ordered,
        [(person or None) if p > 1 else 1 for _ in frames for person in people],
    )


def _floats(source: Source, rows: list[list[str]], first: int, width: int) -> np.ndarray:
    table = np.full((len(rows), max(width - first, 0)), np.nan)
    for i, row in enumerate(rows):
        if len(row) != width:
            raise FormatError(f"{source.path}: row {i} of the values: expected {width} columns, found {len(row)}")
        for j, cell in enumerate(row[first:]):
            table[i, j] = number(cell, f"{source.path}: row {i} of the values")
    return table


def read_rows(source: Source, delimiter: str = ",") -> list[list[str]]:
    """The cells of a table; FormatError when its quotes do not fit or a cell is too long."""
    try:
        return list(csv.reader(source.text.splitlines(), delimiter=delimiter))
    except csv.Error as error:
        raise FormatError(f"{source.path}: expected a table of text, cannot read it ({error})") from None


def number(cell: str, where: str) -> float:
    """A number of a table; NaN for an empty cell. FormatError for other text."""
    if not cell.strip():
        return np.nan
    try:
        value = float(cell)
    except ValueError:
        raise FormatError(f"{where}: expected numbers, found {cell[:30]!a}") from None
    return value if np.isfinite(value) else np.nan
