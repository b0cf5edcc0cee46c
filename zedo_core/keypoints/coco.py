"""COCO results and AlphaPose: a JSON list with an entry per person and image."""

from __future__ import annotations

from typing import Any

from zedo_core.errors import FormatError
from zedo_core.keypoints import _json
from zedo_core.keypoints._people import Person, joint_set_by_length, keypoints_from_people, parse_joints
from zedo_core.keypoints._source import Source, number_frames
from zedo_core.skeleton import COCO17, HALPE26, Skeleton
from zedo_core.types import Keypoints

FORM = "COCO results / AlphaPose, [{image_id, keypoints}]"

_JOINT_SETS = (COCO17, HALPE26)


def reads(source: Source) -> bool:
    """Whether the source is a list whose first entry has an image and keypoints."""
    document = source.document
    return isinstance(document, list) and bool(document) and _is_entry(document[0])


def read(source: Source) -> Keypoints:
    """One person per entry; the frame number is `image_id`, or the number in it if it is a file name.

    The joint set follows from the length of the first entry. Entries with all keypoints 0 are boxes without a pose.
    """
    locations = [f"{source.path}: entry {i}" for i in range(len(source.document))]
    entries = list(zip(locations, source.document, strict=True))
    frames = _frames([_json.member(entry, "image_id", where) for where, entry in entries], locations)
    skeleton = joint_set_by_length(source.document[0]["keypoints"], _JOINT_SETS, f"{locations[0]}, keypoints")
    people = [
        _person(entry, frame, skeleton, f"{where} (frame {frame})")
        for (where, entry), frame in zip(entries, frames, strict=True)
    ]
    return keypoints_from_people(people, skeleton, sorted(set(frames)), source.path)


def _is_entry(value: Any) -> bool:
    return isinstance(value, dict) and {"image_id", "keypoints"} <= value.keys()


def _person(entry: dict[str, Any], frame: int, skeleton: Skeleton, where: str) -> Person:
    joints = parse_joints(_json.member(entry, "keypoints", where), skeleton, f"{where}, keypoints", clip=True)
    return Person(frame=frame, joints=joints, track=_track(entry.get("idx"), f"{where}, idx"))


def _frames(image_ids: list[Any], locations: list[str]) -> list[int]:
    """Frame number of every entry."""
    if all(isinstance(image_id, str) for image_id in image_ids):
        numbers = number_frames(image_ids)
        return [numbers[image_id] for image_id in image_ids]
    return [_json.integer(i, f"{where}, image_id", minimum=0) for i, where in zip(image_ids, locations, strict=True)]


def _track(idx: Any, where: str) -> int | None:
    """Track id; AlphaPose's trackers write 3, 3.0 or [3]."""
    if idx is None:
        return None
    if isinstance(idx, list):
        if len(idx) != 1:
            raise FormatError(f"{where}: expected one track id, found {_json.describe(idx)}")
        idx = idx[0]
    if isinstance(idx, float) and idx.is_integer():
        idx = int(idx)
    return _json.integer(idx, where)
