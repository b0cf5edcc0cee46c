"""Poses as JSON for other languages, as described by `poses.schema.json`; lengths to a millionth of a metre.

One line per frame with the people who are present; null stands for unknown values and NaN.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy import ndarray

from zedo_core.errors import FormatError
from zedo_core.export._schema import (
    AXES,
    SCHEMA,
    UNITS,
    camera_from_table,
    camera_table,
    check_fields,
    check_schema,
    format_errors,
    restored_skeleton,
    to_json,
    upright_table,
)
from zedo_core.skeleton import FEET
from zedo_core.storage.files import atomic_write, read_bounded
from zedo_core.types import Poses, Provenance, in_order

SUFFIX = ".json"

_DECIMALS = 6


def write(poses: Poses, path: Path) -> None:
    """Write the JSON frame by frame; OutputError when it cannot be written."""
    with atomic_write(path) as partial, open(partial, "w", encoding="utf-8") as file:
        file.writelines(_lines(poses))


def read(path: Path) -> Poses:
    """Read what `write` wrote, to a millionth of a metre; FormatError when the file is damaged or of another kind."""
    document = _read_document(path)
    check_schema(document.get("schema") if isinstance(document, dict) else None, path)
    with format_errors(path):
        skeleton = document["skeleton"]
        frames = document["frames"]
        poses = Poses(
            **_rows(document),
            skeleton=restored_skeleton(skeleton["name"], skeleton["joints"], skeleton["parents"]),
            cameras=tuple(camera_from_table(camera) for camera in document["cameras"]),
            frame_numbers=np.array([frame["number"] for frame in frames], dtype=np.int64),
            provenance=Provenance(**document["provenance"]),
            fps=None if document["fps"] is None else float(document["fps"]),
            times_s=_times([frame["time_s"] for frame in frames]),
        )
        check_fields(poses)
    return poses


def _lines(poses: Poses) -> Iterator[str]:
    yield json.dumps(_head(poses), allow_nan=False)[:-1] + ', "frames": ['
    doubtful = poses.doubtful
    for t in range(len(poses.frame_numbers)):
        yield ("," if t else "") + "\n" + json.dumps(_frame(poses, t, doubtful), separators=(",", ":"), allow_nan=False)
    yield "\n]}\n"


def _head(poses: Poses) -> dict[str, Any]:
    skeleton, origin = poses.skeleton, poses.provenance
    return {
        "schema": SCHEMA,
        "units": UNITS,
        "axes": AXES,
        "provenance": {
            "method": origin.method,
            "weights": origin.weights,
            "weights_sha256": origin.weights_sha256,
            "version": origin.version,
            "options": to_json(origin.options),
        },
        "skeleton": {"name": skeleton.name, "joints": skeleton.joints, "parents": skeleton.parents},
        **({} if poses.feet is None else {"foot_names": FEET}),
        "cameras": [camera_table(camera) for camera in poses.cameras],
        "upright": upright_table(poses),
        "fps": poses.fps,
        "hypotheses": poses.hypotheses,
        "track_ids": poses.track_ids.tolist(),
    }


def _frame(poses: Poses, t: int, doubtful: ndarray) -> dict[str, Any]:
    return {
        "number": int(poses.frame_numbers[t]),
        "time_s": None if poses.times_s is None else float(poses.times_s[t]),
        "people": [
            {
                "track": int(poses.track[row]),
                "chosen": int(poses.chosen[row]),
                "filled": bool(poses.filled[row]),
                **({} if poses.contact is None else {"contact": poses.contact[row].tolist()}),
                **({} if poses.seen is None else {"seen": poses.seen[row].tolist()}),
                "doubtful": bool(doubtful[row]),
                "score": _with_nulls(poses.score[row]),
                "spread": _with_nulls(poses.spread[row], _DECIMALS),
                "joints": _with_nulls(poses.joints[row], _DECIMALS),
                **({} if poses.feet is None else {"feet": _with_nulls(poses.feet[row], _DECIMALS)}),
            }
            for row in poses.at(t)
        ],
    }


def _with_nulls(values: ndarray, decimals: int | None = None) -> list[Any]:
    """Nested lists, rounded if `decimals` is given, with None for values that are not finite."""
    numbers = values.astype(float) if decimals is None else values.astype(float).round(decimals)
    nested = numbers.astype(object)
    nested[~np.isfinite(numbers)] = None
    return nested.tolist()


def _read_document(path: Path) -> Any:
    try:
        return json.loads(read_bounded(path))
    except (OSError, ValueError, RecursionError, MemoryError) as error:
        raise FormatError(f"{path}: not a readable JSON of poses ({error})") from None


def _rows(document: dict[str, Any]) -> dict[str, ndarray]:
    """The fields of the rows; older files lack `filled` and those that are optional."""
    frames, h, j = document["frames"], document["hypotheses"], len(document["skeleton"]["joints"])
    people = [(t, person) for t, frame in enumerate(frames) for person in frame["people"]]
    tracks = [person["track"] for _, person in people]
    if unknown := set(tracks) - set(document["track_ids"]):
        raise ValueError(f"{unknown.pop()!a:.40} is not among the track ids")
    shapes = {"joints": (h, j, 3), "score": (h,), "chosen": (), "spread": (j,)}
    fields: dict[str, Any] = {
        name: np.zeros((len(people), *shape), int if name == "chosen" else float) for name, shape in shapes.items()
    }
    for row, (t, person) in enumerate(people):
        for name, array in fields.items():
            value = np.array(person[name], array.dtype)
            if value.shape != shapes[name]:
                raise ValueError(f"frame {frames[t]['number']}: {name} has shape {value.shape}, not {shapes[name]}")
            array[row] = value
    filled = _column([person.get("filled", False) for _, person in people], bool)
    for name, kind in (("contact", bool), ("seen", bool), ("feet", float)):
        if people and all(name in person for _, person in people):
            values = [person[name] for _, person in people]
            fields[name] = np.array(values, float) if kind is float else _column(values, bool)
    return in_order(frame=_column([t for t, _ in people], int), track=_column(tracks, int), filled=filled, **fields)


def _column(values: list[Any], empty_type: type) -> ndarray:
    """An array with the type of the values, which is checked later, or with `empty_type` if there are none."""
    return np.array(values, None if values else empty_type)


def _times(values: list[float | None]) -> ndarray | None:
    """Times in seconds; None unless all are known."""
    return None if None in values or not values else np.array(values, dtype=float)
