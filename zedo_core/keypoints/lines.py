"""zedo's own JSON lines, for programs that write keypoints frame by frame (`zedo infer -`): an object per frame.

    {"frame": 0, "people": [{"id": 1, "keypoints": [x px, y px, confidence, ...]}], "joints": "coco-17",
     "image_size": [1920, 1080], "fps": 30.0}
    {"frame": 1, "people": []}

`joints`, `image_size` and `fps` are optional and belong in the first line; without `joints`, 17 joints are coco-17 and
26 are halpe-26. `id` is the track, given for all people or for none. `time_s` is optional, in every line or in none.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np

from zedo_core.errors import FormatError
from zedo_core.keypoints import _json
from zedo_core.keypoints._people import (
    Person,
    joint_set_by_length,
    joint_set_by_name,
    keypoints_from_people,
    parse_joints,
)
from zedo_core.keypoints._source import Source
from zedo_core.skeleton import COCO17, HALPE26, Skeleton
from zedo_core.types import Keypoints

FORM = "zedo's JSON lines, {frame, people} each"


def reads(source: Source) -> bool:
    """Whether the source is lines of JSON objects with `frame`."""
    return bool(source.lines)


def read(source: Source) -> Keypoints:
    """The people of every line; frame numbers must increase from line to line."""
    head, locations = source.lines[0], [f"{source.path}: line {i}" for i in range(1, len(source.lines) + 1)]
    lines = list(zip(source.lines, locations, strict=True))
    frames = [_json.integer(_json.member(line, "frame", where), f"{where}, frame", minimum=0) for line, where in lines]
    wrong = next((b for a, b in pairwise(frames) if a >= b), None)
    if wrong is not None:
        raise FormatError(
            f"{source.path}: expected frame numbers that increase from line to line, found {wrong} out of order"
        )
    entries = [
        entry for (line, where), frame in zip(lines, frames, strict=True) for entry in _entries(line, frame, where)
    ]
    if not entries:
        raise FormatError(f"{source.path}: found no people in any of its {len(lines)} lines")
    skeleton = _skeleton(head, entries[0][1], locations[0])
    fields: dict[str, Any] = {"image_sizes": _size(head, locations[0]), "fps": _fps(head, locations[0])}
    if any(line.get("time_s") is not None for line, _ in lines):
        fields["times_s"] = np.array([_json.number(line.get("time_s"), f"{where}, time_s") for line, where in lines])
    people = [_person(entry, frame, skeleton, where) for frame, entry, where in entries]
    return keypoints_from_people(people, skeleton, frames, source.path, **fields)


def _entries(line: Any, frame: int, where: str) -> Iterator[tuple[int, Any, str]]:
    """Frame number, entry and location in the file of each person in a line."""
    for i, entry in enumerate(_json.as_list(_json.member(line, "people", where), f"{where}, people")):
        yield frame, entry, f"{where} (frame {frame}), person {i}"


def _skeleton(head: dict[str, Any], first: Any, where: str) -> Skeleton:
    if head.get("joints") is not None:
        return joint_set_by_name(head["joints"], where)
    return joint_set_by_length(_json.member(first, "keypoints", where), (COCO17, HALPE26), f"{where}, keypoints")


def _person(entry: Any, frame: int, skeleton: Skeleton, where: str) -> Person:
    joints = parse_joints(_json.member(entry, "keypoints", where), skeleton, f"{where}, keypoints")
    track = entry.get("id")
    return Person(frame=frame, joints=joints, track=None if track is None else _json.integer(track, f"{where}, id"))


def _size(head: dict[str, Any], where: str) -> tuple[tuple[int, int], ...] | None:
    if head.get("image_size") is None:
        return None
    size = _json.as_list(head["image_size"], f"{where}, image_size")
    if len(size) != 2:
        raise FormatError(f"{where}, image_size: expected [width, height], found {_json.describe(size)}")
    width, height = (_json.integer(side, f"{where}, image_size", minimum=1) for side in size)
    return ((width, height),)


def _fps(head: dict[str, Any], where: str) -> float | None:
    fps = None if head.get("fps") is None else _json.number(head["fps"], f"{where}, fps")
    if fps is not None and fps <= 0:
        raise FormatError(f"{where}, fps: expected a number above 0, found {fps:g}")
    return fps
