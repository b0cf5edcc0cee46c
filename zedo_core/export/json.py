"""Poses as JSON for other languages, in the form of `poses.schema.json`; lengths to a millionth of a metre.

One line per frame, in which people who are absent are left out; null stands for what is not known or not a number.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy import ndarray

from zedo_core.camera import Camera
from zedo_core.errors import FormatError
from zedo_core.export._schema import (
    AXES,
    SCHEMA,
    UNITS,
    check_fields,
    check_schema,
    plain,
    reading,
    restored_camera,
    restored_skeleton,
    way_up,
)
from zedo_core.packed import packed
from zedo_core.storage.files import read_bounded, written_whole
from zedo_core.types import Poses, Provenance

SUFFIX = ".json"

_DECIMALS = 6
_MOST_VALUES = 2**29  # numbers of `joints` that fit a usual memory (4 GiB)


def write(poses: Poses, path: Path) -> None:
    """Write the JSON frame by frame; OutputError when the place cannot be written to."""
    with written_whole(path) as partial, open(partial, "w", encoding="utf-8") as file:
        file.writelines(_lines(poses))


def read(path: Path) -> Poses:
    """What `write` wrote, to a millionth of a metre; FormatError when the file is damaged or of another form."""
    document = _document(path)
    check_schema(document.get("schema") if isinstance(document, dict) else None, path)
    with reading(path):
        skeleton = document["skeleton"]
        frames = document["frames"]
        poses = Poses(
            **_arrays(document),
            skeleton=restored_skeleton(skeleton["name"], skeleton["joints"], skeleton["parents"]),
            cameras=tuple(_camera(camera) for camera in document["cameras"]),
            frame_numbers=np.array([frame["number"] for frame in frames], dtype=np.int64),
            track_ids=np.array(document["track_ids"], dtype=np.int64),
            provenance=Provenance(**document["provenance"]),
            fps=None if document["fps"] is None else float(document["fps"]),
            times_s=_times([frame["time_s"] for frame in frames]),
            filled=_filled(document),
        )
        check_fields(poses)
    return poses


def _lines(poses: Poses) -> Iterator[str]:
    poses = packed(poses)
    head = json.dumps(_head(poses), allow_nan=False)
    yield head[:-1] + ', "frames": ['
    flags = poses.is_filled, poses.doubtful
    for t in range(len(poses.frame_numbers)):
        yield ("," if t else "") + "\n" + json.dumps(_frame(poses, t, *flags), separators=(",", ":"), allow_nan=False)
    yield "\n]}\n"


def _head(poses: Poses) -> dict[str, Any]:
    skeleton, made_by = poses.skeleton, poses.provenance
    return {
        "schema": SCHEMA,
        "units": UNITS,
        "axes": AXES,
        "provenance": {
            "method": made_by.method,
            "weights": made_by.weights,
            "weights_sha256": made_by.weights_sha256,
            "version": made_by.version,
            "options": plain(made_by.options),
        },
        "skeleton": {"name": skeleton.name, "joints": skeleton.joints, "parents": skeleton.parents},
        "cameras": [_camera_table(camera) for camera in poses.cameras],
        "upright": _way_up(poses),
        "fps": poses.fps,
        "hypotheses": poses.score.shape[2],
        "track_ids": poses.track_ids.tolist(),
    }


def _way_up(poses: Poses) -> dict[str, Any]:
    R, t, source = way_up(poses)
    return {"R_up_from_cam": R.tolist(), "t_up_from_cam": t.tolist(), "source": source}


def _camera_table(camera: Camera) -> dict[str, Any]:
    return {
        "K": camera.matrix.tolist(),
        "distortion": camera.distortion,
        "image_size": camera.size,
        "R_cam_from_world": camera.R_cam_from_world,
        "t_cam_from_world": camera.t_cam_from_world,
        "source": camera.source,
    }


def _frame(poses: Poses, t: int, filled: ndarray, doubtful: ndarray) -> dict[str, Any]:
    return {
        "number": int(poses.frame_numbers[t]),
        "time_s": None if poses.times_s is None else float(poses.times_s[t]),
        "people": [
            {
                "track": int(poses.track_ids[track]),
                "chosen": int(poses.chosen[t, p]),
                "filled": bool(filled[t, p]),
                "doubtful": bool(doubtful[t, p]),
                "score": _with_nulls(poses.score[t, p]),
                "spread": _with_nulls(poses.spread[t, p], _DECIMALS),
                "joints": _with_nulls(poses.joints[t, p], _DECIMALS),
            }
            for p, track in enumerate(poses.tracks(t))
            if poses.chosen[t, p] >= 0
        ],
    }


def _with_nulls(values: ndarray, decimals: int | None = None) -> list[Any]:
    """Nested lists, rounded on request, with None for what is not finite."""
    numbers = values.astype(float) if decimals is None else values.astype(float).round(decimals)
    nested = numbers.astype(object)
    nested[~np.isfinite(numbers)] = None
    return nested.tolist()


def _document(path: Path) -> Any:
    try:
        return json.loads(read_bounded(path))
    except (OSError, ValueError, RecursionError, MemoryError) as error:
        raise FormatError(f"{path}: not a readable JSON of poses ({error})") from None


def _camera(table: dict[str, Any]) -> Camera:
    return restored_camera(
        table["K"],
        distortion=table["distortion"],
        size=table["image_size"],
        R=table["R_cam_from_world"],
        t=table["t_cam_from_world"],
        source=table["source"],
    )


def _arrays(document: dict[str, Any]) -> dict[str, ndarray]:
    """`joints`, `score`, `chosen` and `spread`; absent people are NaN, and -1 in `chosen`."""
    people = {track: p for p, track in enumerate(document["track_ids"])}
    t, p, h, j = len(document["frames"]), len(people), document["hypotheses"], len(document["skeleton"]["joints"])
    if t * p * h * j * 3 > _MOST_VALUES:
        raise ValueError(f"{t} frames of {p} people with {h} hypotheses do not fit the memory")
    arrays = {
        "joints": np.full((t, p, h, j, 3), np.nan),
        "score": np.full((t, p, h), np.nan),
        "chosen": np.full((t, p), -1),
        "spread": np.full((t, p, j), np.nan),
    }
    for row, frame in enumerate(document["frames"]):
        for person in frame["people"]:
            at = row, people[person["track"]]
            for name, array in arrays.items():
                value = np.array(person[name], dtype=array.dtype)
                if value.shape != array[at].shape:
                    raise ValueError(f"frame {frame['number']}: {name} has shape {value.shape}, not {array[at].shape}")
                array[at] = value
    return arrays


def _filled(document: dict[str, Any]) -> ndarray:
    """Marks of filled frames; files of before there were such marks have none."""
    people = {track: p for p, track in enumerate(document["track_ids"])}
    filled = np.zeros((len(document["frames"]), len(people)), bool)
    for row, frame in enumerate(document["frames"]):
        for person in frame["people"]:
            mark = person.get("filled", False)
            if not isinstance(mark, bool):
                raise ValueError(f"frame {frame['number']}: filled is {mark!a:.40}")
            filled[row, people[person["track"]]] = mark
    return filled


def _times(values: list[float | None]) -> ndarray | None:
    """Times in seconds, of all frames or of none."""
    return None if None in values or not values else np.array(values, dtype=float)
