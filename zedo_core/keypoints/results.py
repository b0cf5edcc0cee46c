"""zedo's own `keypoints.json`, as written after detection: a head, then one line per frame.

    {"format": "zedo-keypoints-1", "joints": "coco-17", "image_sizes": [[1920, 1080]], "fps": 30.0, "track_ids": [1],
     "frames": [
      {"frame": 0, "time_s": 0.0, "people": [{"track": 1, "keypoints": [x px, y px, confidence, ...]}]}
     ]}

Values have 3 decimals, a missing joint is 0 0 0, and absent people are left out. `track_ids` are those of all people in
the file; files of older versions may list more. `image_sizes` has one size for all frames, one per frame, or is null;
`fps` and `time_s` are null where unknown.
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
from zedo_core.keypoints._people import Person, joint_set_by_name, keypoints_from_people, parse_joints
from zedo_core.keypoints._source import Source
from zedo_core.skeleton import Skeleton
from zedo_core.storage.files import atomic_write
from zedo_core.types import Keypoints

FORM = "zedo's own keypoints.json, {format: zedo-keypoints-1, ...}"

_FORMAT = "zedo-keypoints-1"
_DECIMALS = 3


def reads(source: Source) -> bool:
    """Whether the source is an object that names zedo's keypoint format, of any version."""
    name = source.document.get("format") if isinstance(source.document, dict) else None
    return isinstance(name, str) and name.startswith("zedo-keypoints-")


def read(source: Source) -> Keypoints:
    """Read a file of `write_keypoints`."""
    path, document = source.path, source.document
    if document["format"] != _FORMAT:
        raise FormatError(f"{path}: expected {_FORMAT}, found {_json.describe(document['format'])}; update zedo")
    skeleton = joint_set_by_name(_json.member(document, "joints", str(path)), str(path))
    track_ids = _track_ids(document, path)
    frames = _json.as_list(_json.member(document, "frames", str(path)), f"{path}: frames")
    locations = [f"{path}: frames[{i}]" for i in range(len(frames))]
    numbers = [
        _json.integer(_json.member(frame, "frame", where), f"{where}, frame")
        for frame, where in zip(frames, locations, strict=True)
    ]
    if any(a >= b for a, b in pairwise(numbers)):
        raise FormatError(f"{path}: expected frame numbers that increase from frame to frame")
    people = [
        person
        for frame, number, where in zip(frames, numbers, locations, strict=True)
        for person in _people(frame, number, skeleton, track_ids, where)
    ]
    return keypoints_from_people(
        people,
        skeleton,
        numbers,
        path,
        image_sizes=_image_sizes(document.get("image_sizes"), f"{path}: image_sizes"),
        fps=_fps(document.get("fps"), f"{path}: fps"),
        times_s=_times([frame.get("time_s") for frame in frames], locations),
    )


def write_keypoints(keypoints: Keypoints, path: str | Path) -> None:
    """Write `keypoints.json`, frame by frame; OutputError when the file cannot be written."""
    with atomic_write(Path(path)) as partial, open(partial, "w", encoding="utf-8") as file:
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
    rows = keypoints.at(t)
    values = np.concatenate([keypoints.xy[rows], keypoints.confidence[rows, :, None]], axis=-1, dtype=np.float64)
    values = values.round(_DECIMALS)
    values[values[..., 2] == 0] = 0.0
    return {
        "frame": int(keypoints.frame_numbers[t]),
        "time_s": None if keypoints.times_s is None else float(keypoints.times_s[t]),
        "people": [
            {"track": track, "keypoints": person.ravel().tolist()}
            for track, person in zip(keypoints.track[rows].tolist(), values, strict=True)
            if person[:, 2].any()
        ],
    }


def _people(frame: Any, number: int, skeleton: Skeleton, track_ids: set[int], where: str) -> Iterator[Person]:
    for i, person in enumerate(_json.as_list(_json.member(frame, "people", where), f"{where}, people")):
        entry = f"{where} (frame {number}), person {i}"
        track = _json.integer(_json.member(person, "track", entry), f"{entry}, track")
        if track not in track_ids:
            raise FormatError(f"{entry}: track {track} is not among the track_ids at the top")
        joints = parse_joints(_json.member(person, "keypoints", entry), skeleton, entry)
        yield Person(frame=number, joints=joints, track=track)


def _track_ids(document: dict[str, Any], path: Path) -> set[int]:
    where = f"{path}: track_ids"
    tracks = _json.as_list(_json.member(document, "track_ids", str(path)), where)
    ids = [_json.integer(track, where) for track in tracks]
    if len(set(ids)) < len(ids):
        raise FormatError(f"{where}: expected ids that differ, found duplicates")
    return set(ids)


def _image_sizes(value: Any, where: str) -> tuple[tuple[int, int], ...] | None:
    if value is None:
        return None
    sizes = [
        [_json.integer(side, where, minimum=1) for side in _json.as_list(size, where)]
        for size in _json.as_list(value, where)
    ]
    if any(len(size) != 2 for size in sizes):
        raise FormatError(f"{where}: expected a list of [width, height]")
    return tuple((width, height) for width, height in sizes)


def _fps(value: Any, where: str) -> float | None:
    if value is None:
        return None
    fps = _json.number(value, where)
    if fps <= 0:
        raise FormatError(f"{where}: expected a number above 0, found {fps:g}")
    return fps


def _times(values: list[Any], locations: list[str]) -> np.ndarray | None:
    """Times in seconds, of all frames or of none."""
    if all(value is None for value in values):
        return None
    return np.array([_json.number(value, f"{where}, time_s") for value, where in zip(values, locations, strict=True)])
