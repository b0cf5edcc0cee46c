"""zedo's own `keypoints.json`, which the detector writes: a head, then one line per frame.

    {"format": "zedo-keypoints-1", "joints": "coco-17", "image_sizes": [[1920, 1080]], "fps": 30.0, "track_ids": [1],
     "frames": [
      {"frame": 0, "time_s": 0.0, "people": [{"track": 1, "keypoints": [x px, y px, confidence, ...]}]}
     ]}

Values have 3 decimals, a missing joint is 0 0 0, a person who is absent is left out. `image_sizes` holds one size for
all frames, one per frame, or is null; `fps` and `time_s` are null where unknown.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from zedo_core.errors import FormatError
from zedo_core.keypoints import _json
from zedo_core.keypoints._people import Person, as_keypoints, joints_of, named_joint_set
from zedo_core.keypoints._source import Source
from zedo_core.skeleton import Skeleton
from zedo_core.storage.files import written_whole
from zedo_core.types import Keypoints

FORM = "zedo's own keypoints.json, {format: zedo-keypoints-1, ...}"

_FORMAT = "zedo-keypoints-1"
_DECIMALS = 3


def reads(source: Source) -> bool:
    """Whether it is an object that names a format of zedo's keypoints, of whatever version."""
    name = source.document.get("format") if isinstance(source.document, dict) else None
    return isinstance(name, str) and name.startswith("zedo-keypoints-")


def read(source: Source) -> Keypoints:
    """What `write_keypoints` wrote."""
    path, document = source.path, source.document
    if document["format"] != _FORMAT:
        raise FormatError(f"{path}: expected {_FORMAT}, found {_json.kind(document['format'])}; update zedo")
    skeleton = named_joint_set(_json.member(document, "joints", str(path)), str(path))
    track_ids = _track_ids(document, path)
    frames = _json.listed(_json.member(document, "frames", str(path)), f"{path}: frames")
    places = [f"{path}: frames[{i}]" for i in range(len(frames))]
    numbers = [
        _json.integer(_json.member(f, "frame", at), f"{at}, frame") for f, at in zip(frames, places, strict=True)
    ]
    if any(a >= b for a, b in pairwise(numbers)):
        raise FormatError(f"{path}: expected frame numbers that grow from frame to frame")
    people = [
        person
        for frame, number, at in zip(frames, numbers, places, strict=True)
        for person in _people(frame, number, skeleton, track_ids, at)
    ]
    return as_keypoints(
        people,
        skeleton,
        numbers,
        path,
        track_ids=track_ids,
        image_sizes=_image_sizes(document.get("image_sizes"), f"{path}: image_sizes"),
        fps=_fps(document.get("fps"), f"{path}: fps"),
        times_s=_times([frame.get("time_s") for frame in frames], places),
    )


def write_keypoints(keypoints: Keypoints, path: str | Path) -> None:
    """Write `keypoints.json`, frame by frame; OutputError when the place cannot be written to."""
    with written_whole(Path(path)) as partial, open(partial, "w", encoding="utf-8") as file:
        file.writelines(_lines(keypoints))


def _lines(keypoints: Keypoints) -> Iterator[str]:
    head = {
        "format": _FORMAT,
        "joints": keypoints.skeleton.name,
        "image_sizes": keypoints.image_sizes,
        "fps": keypoints.fps,
        "track_ids": keypoints.track_ids.tolist(),
    }
    yield json.dumps(head, allow_nan=False)[:-1] + ', "frames": ['
    for t in range(len(keypoints.frame_numbers)):
        yield ("," if t else "") + "\n" + json.dumps(_frame(keypoints, t), separators=(",", ":"), allow_nan=False)
    yield "\n]}\n"


def _frame(keypoints: Keypoints, t: int) -> dict[str, Any]:
    values = np.concatenate([keypoints.xy[t], keypoints.confidence[t, ..., None]], axis=-1, dtype=np.float64)
    values = values.round(_DECIMALS)
    values[values[..., 2] == 0] = 0.0
    return {
        "frame": int(keypoints.frame_numbers[t]),
        "time_s": None if keypoints.times_s is None else float(keypoints.times_s[t]),
        "people": [
            {"track": int(track), "keypoints": person.ravel().tolist()}
            for track, person in zip(keypoints.track_ids, values, strict=True)
            if person[:, 2].any()
        ],
    }


def _people(frame: Any, number: int, skeleton: Skeleton, track_ids: list[int], where: str) -> Iterator[Person]:
    for i, person in enumerate(_json.listed(_json.member(frame, "people", where), f"{where}, people")):
        at = f"{where} (frame {number}), person {i}"
        track = _json.integer(_json.member(person, "track", at), f"{at}, track")
        if track not in track_ids:
            raise FormatError(f"{at}: track {track} is not among the track_ids at the top")
        yield Person(frame=number, joints=joints_of(_json.member(person, "keypoints", at), skeleton, at), track=track)


def _track_ids(document: dict[str, Any], path: Path) -> list[int]:
    where = f"{path}: track_ids"
    ids = [_json.integer(track, where) for track in _json.listed(_json.member(document, "track_ids", str(path)), where)]
    if len(set(ids)) < len(ids):
        raise FormatError(f"{where}: expected ids that differ")
    return ids


def _image_sizes(value: Any, where: str) -> tuple[tuple[int, int], ...] | None:
    if value is None:
        return None
    sizes = [
        [_json.integer(side, where, least=1) for side in _json.listed(size, where)]
        for size in _json.listed(value, where)
    ]
    if any(len(size) != 2 for size in sizes):
        raise FormatError(f"{where}: expected [width, height] each")
    return tuple((width, height) for width, height in sizes)


def _fps(value: Any, where: str) -> float | None:
    if value is None:
        return None
    fps = _json.number(value, where)
    if fps <= 0:
        raise FormatError(f"{where}: expected more than 0, found {fps:g}")
    return fps


def _times(values: list[Any], places: list[str]) -> np.ndarray | None:
    """Times in seconds, of all frames or of none."""
    if all(value is None for value in values):
        return None
    return np.array([_json.number(value, f"{at}, time_s") for value, at in zip(values, places, strict=True)])
