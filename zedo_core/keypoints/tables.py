"""CSV with a header: a row per frame (and person) with columns such as nose_x, nose_y, nose_score; or a row per joint.

SLEAP's analysis CSV is of the first form. Ultralytics' `to_csv` has the joints of a person as JSON in a cell.
"""

from __future__ import annotations

import ast
import re
from dataclasses import replace
from typing import Any

import numpy as np

from zedo_core.errors import FormatError
from zedo_core.keypoints import nested
from zedo_core.keypoints._named import keypoints_by_name, numbers_of
from zedo_core.keypoints._source import Source
from zedo_core.keypoints.deeplabcut import number, read_rows
from zedo_core.types import Keypoints

FORM = "CSV with a header, columns NAME_x and NAME_y, or frame, joint, x and y"

_COORDS = {"x": 0, "y": 1, **dict.fromkeys(
    ("score", "confidence", "conf", "likelihood", "visibility", "visible", "c", "v", "p", "prob"), 2)}  # fmt: skip
_AFTER = re.compile(
    r"^(.*?)[ ._\-:]?(x|y|score|confidence|conf|likelihood|visibility|visible|c|v|p|prob)(?:[ _]?\(?px\)?)?$"
)
_BEFORE = re.compile(r"^(x|y|c|v|score|conf|confidence|visibility|likelihood)[ ._\-:]?(.+)$")
_FRAMES = ("frame", "frame_idx", "frame_number", "frame_id", "frame_index", "frameno", "frame_no", "frames", "index",
           "image", "image_name", "image_id", "file_name", "filename", "img_name", "")  # fmt: skip
_TIMES = ("time", "time_s", "timestamp_s", "seconds", "t")
_TRACKS = ("track", "track_id", "person", "person_id", "individual", "instance", "id", "player", "subject", "name")
_JOINTS = ("joint", "bodypart", "body_part", "keypoint", "landmark", "node", "marker", "part", "joint_name",
           "landmark_id", "keypoint_id", "keypoint_name", "landmark_name", "joint_id")  # fmt: skip
_MAX_COLUMNS = 5000


def reads(source: Source) -> bool:
    """Whether the source is a table whose first row names columns for x and y."""
    if not source.text or source.text.startswith("PathFileType"):
        return False
    header = _header(source)
    lower = [name.lower() for name in header]
    return (
        "keypoints" in lower
        or ({"x", "y"} <= set(lower) and _column(lower, _JOINTS) is not None)
        or bool(_parts(header))
    )


def read(source: Source) -> Keypoints:
    """The people of every row; FormatError for a cell that is no number, or a table of positions in space."""
    header, *rows = read_rows(source, _delimiter(source))
    header, rows = [name.strip() for name in header], [row for row in rows if any(row)]
    wrong = next((i for i, row in enumerate(rows) if len(row) != len(header)), None)
    if len(header) > _MAX_COLUMNS or wrong is not None:
        found = f"{len(rows[wrong])} in row {wrong + 1}" if wrong is not None else f"{len(header)}"
        raise FormatError(f"{source.path}: expected {min(len(header), _MAX_COLUMNS)} columns, found {found}")
    lower = [name.lower() for name in header]
    if ("joint" in lower and "x_m" in lower) or {"confidence", "z", "joint", "person", "time_s"} <= set(lower):
        raise FormatError(f"{source.path}: expected 2D keypoints, found 3D poses; 'zedo convert' writes these")
    if not rows:
        raise FormatError(f"{source.path}: found no people in any of its 0 rows")
    if "keypoints" in lower:
        return _read_cells(source, lower, rows)
    parts = _parts(header)
    return _read_wide(source, lower, rows, parts) if parts else _read_long(source, lower, rows)


def _header(source: Source) -> list[str]:
    head = replace(source, text=_first_line(source))
    return [name.strip() for name in next(iter(read_rows(head, _delimiter(source))), [])][:_MAX_COLUMNS]


def _first_line(source: Source) -> str:
    return next(iter(source.text[:100_000].splitlines()), "")


def _delimiter(source: Source) -> str:
    first = _first_line(source)
    return max(",;\t", key=first.count)


def _parts(header: list[str]) -> dict[str, dict[int, int]]:
    """The columns of x, y and confidence by joint; only joints with x and y."""
    parts: dict[str, dict[int, int]] = {}
    for i, name in enumerate(header):
        after, before = _AFTER.match(name.lower()), _BEFORE.match(name.lower())
        if after and after[1] and not name.lower().startswith(("instance.", "bbox", "box")):
            joint, coord = name[: len(after[1])], after[2]
        elif before and before[2].isdecimal():
            joint, coord = before[2], before[1]
        else:
            continue
        joint = re.sub(r"^(?:kp|kpt|keypoint|landmark|joint|lm|point|p)[ _]?(?=\d+$)", "", joint)
        parts.setdefault(joint, {}).setdefault(_COORDS[coord], i)
    return {joint: columns for joint, columns in parts.items() if {0, 1} <= columns.keys()}


def _column(lower: list[str], names: tuple[str, ...]) -> int | None:
    return next((lower.index(name) for name in names if name in lower), None)


def _read_wide(source: Source, lower: list[str], rows: list[list[str]], parts: dict[str, dict[int, int]]) -> Keypoints:
    values = np.full((len(rows), len(parts), 3), np.nan)
    for j, columns in enumerate(parts.values()):
        for k, column in columns.items():
            values[:, j, k] = [number(row[column], f"{source.path}: row {i + 1}") for i, row in enumerate(rows)]
    names = _ordered_names(source, list(parts))
    used = {column for columns in parts.values() for column in columns.values()}
    free = [name if i not in used else "\0" for i, name in enumerate(lower)]
    frames, tracks = _frames_and_tracks(source, free, rows)
    return keypoints_by_name(source, values, names, np.array(frames), sorted(set(frames)), tracks)


def _ordered_names(source: Source, names: list[str]) -> list[str]:
    """Names as they are; numbers must be in order, as the joint set follows from it."""
    if all(name.isdecimal() for name in names) and [int(n) for n in names] != sorted(int(n) for n in names):
        raise FormatError(f"{source.path}: expected columns of joints in the order of their numbers")
    return names


def _read_long(source: Source, lower: list[str], rows: list[list[str]]) -> Keypoints:
    joint_at = _column(lower, _JOINTS)
    assert joint_at is not None
    score_at = _column(lower, tuple(name for name, place in _COORDS.items() if place == 2 and len(name) > 1))
    columns = [lower.index("x"), lower.index("y"), *([score_at] if score_at is not None else [])]
    names = list(dict.fromkeys(row[joint_at].strip() for row in rows))
    if all(name.isdecimal() for name in names):
        names.sort(key=int)
    frames, tracks = _frames_and_tracks(source, lower, rows)
    keys = list(dict.fromkeys(zip(frames, map(str, tracks), strict=True)))
    if len(keys) * len(names) > 4 * len(rows) + 1_000_000:
        raise FormatError(f"{source.path}: expected the same joints in every frame, found {len(names)} different names")
    place = {key: i for i, key in enumerate(keys)}
    index = {name: j for j, name in enumerate(names)}
    values = np.full((len(keys), len(names), 3), np.nan)
    for i, (row, frame, track) in enumerate(zip(rows, frames, tracks, strict=True)):
        cells = [number(row[column], f"{source.path}: row {i + 1}") for column in columns]
        n, j = place[frame, str(track)], index[row[joint_at].strip()]
        if np.isfinite(values[n, j, 0]):
            raise FormatError(
                f"{source.path}: row {i + 1}: expected a row per frame, person and joint, found one again"
            )
        values[n, j, : len(cells)] = cells
    own = dict(zip(zip(frames, map(str, tracks), strict=True), tracks, strict=True))
    return keypoints_by_name(
        source, values, names, np.array([frame for frame, _ in keys]), sorted(set(frames)), [own[key] for key in keys]
    )


def _read_cells(source: Source, lower: list[str], rows: list[list[str]]) -> Keypoints:
    """Rows with the joints of a person as JSON, or as Python prints it, in a cell."""
    at, documents = lower.index("keypoints"), []
    for i, row in enumerate(rows):
        try:
            value = ast.literal_eval(row[at]) if row[at].strip() else None
        except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
            raise FormatError(
                f"{source.path}: row {i + 1}: expected keypoints as JSON, found {row[at][:40]!a}"
            ) from None
        entry: dict[str, Any] = {name: cell for name, cell in zip(lower, row, strict=True) if cell and name}
        documents.append(entry | {"keypoints": value})
    return nested.read(replace(source, text="", document=documents))


def _frames_and_tracks(source: Source, lower: list[str], rows: list[list[str]]) -> tuple[list[int], list[Any]]:
    """Frame and track of every row; rows without a frame are frames in order."""
    frame_at, track_at = _column(lower, _FRAMES), _column(lower, _TRACKS)
    frames = list(range(len(rows))) if frame_at is None else numbers_of([row[frame_at] for row in rows], source)
    return frames, [row[track_at].strip() or None if track_at is not None else None for row in rows]
