"""The joints of one person in JSON, in every common notation, as rows [x, y, confidence].

A list of numbers, of [x, y(, confidence)], of objects {x, y, score} (perhaps with names), lists of x and of y, or an
object with a joint under each name. Confidences may be in a list beside them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from zedo_core.errors import FormatError
from zedo_core.keypoints import _json
from zedo_core.skeleton.naming import joint_of

COUNTS = (17, 26, 25, 18, 33, 23, 133, 136, 14, 15, 16, 19, 20, 21)  # joints of the usual sets, of flat lists
_SCORES = ("score", "confidence", "conf", "visibility", "visible", "likelihood", "prob", "probability", "c", "v", "s",
           "presence", "inFrameLikelihood")  # fmt: skip
_NAMES = ("name", "part", "bodyPart", "body_part", "bodypart", "joint", "label", "type", "landmark", "keypoint")
_INNER = ("position", "point", "coordinates", "xy", "pos", "location", "landmarkPosition")
_MIN_NAMED = 4  # joints under their names that make an object a person
_MIN_POINTS = 5
_MAX_PX = 1e6
_LANDMARKS = 33  # of MediaPipe


@dataclass(frozen=True)
class Points:
    """Rows [x, y, confidence]: NaN for what is not given; `landmarks` are objects of x and y as MediaPipe has them."""

    rows: Float[ndarray, "k 3"]
    names: tuple[str, ...] | None = None
    landmarks: bool = False


def look_like_points(value: Any) -> bool:
    """Whether a value has the structure of the joints of one person; its numbers are not checked."""
    if isinstance(value, dict):
        if isinstance(value.get("x"), list) and isinstance(value.get("y"), list):
            return True
        return sum(joint_of(str(name)) is not None and _is_point(point) for name, point in value.items()) >= _MIN_NAMED
    if not isinstance(value, list) or len(value) < _MIN_POINTS:
        return False
    if all(_is_number(entry) for entry in value):
        return _flat_width(len(value)) is not None
    points = [entry for entry in value if entry is not None]
    return bool(points) and all(map(_is_point, points[:3])) and _is_point(points[-1])


def parse_points(value: Any, scores: Any, where: str, count: int | None = None) -> Points:
    """The joints of one person, with the confidences in the list `scores` if that is not None.

    `count` is the number of joints where it is known, to tell apart flat lists with and without confidences.

    FormatError for anything that is not a number, or lists of different lengths.
    """
    points = _parse(value, where, count)
    if scores is not None:
        given = np.array([_number(_unwrap(score), f"{where}, scores") for score in _json.as_list(scores, where)])
        if len(given) != len(points.rows):
            raise FormatError(f"{where}: expected a score for each of {len(points.rows)} joints, found {len(given)}")
        points.rows[:, 2] = given
    over = np.abs(points.rows[:, :2]) > _MAX_PX
    if over.any():
        raise FormatError(f"{where}, joint {int(np.argmax(over.any(1)))}: expected pixels within {_MAX_PX:g}")
    return points


def _parse(value: Any, where: str, count: int | None) -> Points:
    if isinstance(value, dict):
        return _parse_object(value, where)
    if not isinstance(value, list):
        raise FormatError(f"{where}: expected the joints of a person, found {_json.describe(value)}")
    if all(_is_number(entry) for entry in value):
        width = _flat_width(len(value))
        if count and value and len(value) % count == 0:
            width = len(value) // count
        if width not in (2, 3, 4):
            raise FormatError(
                f"{where}: expected x, y and perhaps a confidence of each joint, found {len(value)} values"
            )
        return Points(_rows([value[i : i + width] for i in range(0, len(value), width)], where))
    if any(isinstance(entry, dict) for entry in value):
        return _parse_objects(value, where)
    return Points(_rows(value, where))


def _parse_object(value: dict[str, Any], where: str) -> Points:
    if isinstance(value.get("x"), list):
        x, y = (_json.as_list(value.get(key), f"{where}, {key}") for key in ("x", "y"))
        scores = next((value[key] for key in (*_SCORES, "scores") if isinstance(value.get(key), list)), None)
        columns = [x, y] if scores is None else [x, y, scores]
        if len({len(column) for column in columns}) > 1:
            raise FormatError(f"{where}: expected as many x as y and scores, found {[len(c) for c in columns]}")
        return Points(_rows([list(row) for row in zip(*columns, strict=True)], where))
    named = {str(name): point for name, point in value.items() if _is_point(point)}
    rows = [_row_of(point, f"{where}, {name[:30]!a}") for name, point in named.items()]
    return Points(np.array(rows), tuple(named))


def _parse_objects(value: list[Any], where: str) -> Points:
    rows = np.array([_row_of(point, f"{where}, joint {i}") for i, point in enumerate(value)])
    keys = [next((key for key in _NAMES if isinstance(point, dict) and isinstance(point.get(key), str)), None)
            for point in value]  # fmt: skip
    names = tuple(str(point[key]) for point, key in zip(value, keys, strict=True) if key is not None)
    landmarks = "x" in value[0] if isinstance(value[0], dict) else False
    return Points(rows, names if len(names) == len(rows) else None, landmarks)


def _row_of(point: Any, where: str) -> list[float]:
    """One joint as [x, y, confidence]; null is a missing one."""
    if point is None:
        return [math.nan, math.nan, 0.0]
    if isinstance(point, list):
        return _rows([point], where)[0].tolist()
    if not isinstance(point, dict):
        raise FormatError(f"{where}: expected x and y, found {_json.describe(point)}")
    inner = next((point[key] for key in _INNER if key in point), point)
    score = next((point[key] for key in _SCORES if point.get(key) is not None), None)
    if not score and _is_number(point.get("presence")):  # MediaPipe leaves visibility at 0 in some versions
        score = point["presence"] if point.get("visibility") in (0, None) else score
    if isinstance(inner, list):
        x, y, own = _rows([inner], where)[0].tolist()
        return [x, y, own if score is None else _number(score, where)]
    x, y = (_json.member(inner, key, where) for key in ("x", "y"))
    return [_number(x, f"{where}, x"), _number(y, f"{where}, y"), math.nan if score is None else _number(score, where)]


def _rows(points: list[Any], where: str) -> Float[ndarray, "k 3"]:
    """[x, y] or [x, y, confidence] each, or [x, y, z, visibility] as MediaPipe has them."""
    rows = np.full((len(points), 3), math.nan)
    for i, point in enumerate(points):
        if point is None:
            rows[i, 2] = 0.0
            continue
        values = [_number(value, f"{where}, joint {i}") for value in _json.as_list(point, f"{where}, joint {i}")]
        if len(values) not in (2, 3, 4, 5):
            raise FormatError(f"{where}, joint {i}: expected x, y and perhaps a confidence, found {len(values)} values")
        rows[i, :2] = values[:2]
        if len(values) > 2:
            rows[i, 2] = values[min(len(values) - 1, 3)]
    if (
        len(points) == _LANDMARKS
        and max((len(p) for p in points if p is not None), default=0) == 3
        and (rows[:, 2] < 0).any()
    ):
        rows[:, 2] = math.nan  # MediaPipe's z, which is 0 at the hips
    return rows


def _number(value: Any, where: str) -> float:
    """A number; null and what is not finite are NaN."""
    if value is None or (type(value) is float and not math.isfinite(value)):
        return math.nan
    if isinstance(value, bool):  # MediaPipe's kin write visible: true
        return float(value)
    return _json.number(value, where)


def _unwrap(value: Any) -> Any:
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _flat_width(length: int) -> int | None:
    return next((width for width in (3, 2, 4) for k in COUNTS if length == width * k and (width < 4 or k == 33)), None)


def _is_number(value: Any) -> bool:
    return type(value) in (int, float)


def _is_point(value: Any) -> bool:
    if isinstance(value, dict):
        return {"x", "y"} <= value.keys() or any(_is_point(value[key]) for key in _INNER if key in value)
    return isinstance(value, list) and 2 <= len(value) <= 5 and all(_is_number(v) or v is None for v in value)
