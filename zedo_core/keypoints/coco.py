"""COCO results and AlphaPose: one JSON list with an entry per person and image."""

from __future__ import annotations

from typing import Any

from zedo_core.errors import FormatError
from zedo_core.keypoints import _json
from zedo_core.keypoints._people import Person, as_keypoints, joint_set, joints_of
from zedo_core.keypoints._source import Source, numbered
from zedo_core.skeleton import COCO17, HALPE26, Skeleton
from zedo_core.types import Keypoints

FORM = "COCO results / AlphaPose, [{image_id, keypoints}]"

_JOINT_SETS = (COCO17, HALPE26)


def reads(source: Source) -> bool:
    """Whether it is a list whose first entry has an image and keypoints."""
    document = source.document
    return isinstance(document, list) and bool(document) and _is_entry(document[0])


def read(source: Source) -> Keypoints:
    """One person per entry; the frame number is `image_id`, or the number in it when it is a file name.

    The first entry's length tells the joint set. Entries whose keypoints are all 0 are boxes without a pose.
    """
    where = [f"{source.path}: entry {i}" for i in range(len(source.document))]
    entries = list(zip(where, source.document, strict=True))
    frames = _frames([_json.member(entry, "image_id", place) for place, entry in entries], where)
    skeleton = joint_set(source.document[0]["keypoints"], _JOINT_SETS, f"{where[0]}, keypoints")
    people = [
        _person(entry, frame, skeleton, f"{place} (frame {frame})")
        for (place, entry), frame in zip(entries, frames, strict=True)
    ]
    return as_keypoints(people, skeleton, sorted(set(frames)), source.path)


def _is_entry(value: Any) -> bool:
    return isinstance(value, dict) and {"image_id", "keypoints"} <= value.keys()


def _person(entry: dict[str, Any], frame: int, skeleton: Skeleton, where: str) -> Person:
    joints = joints_of(_json.member(entry, "keypoints", where), skeleton, f"{where}, keypoints", clip=True)
    return Person(frame=frame, joints=joints, track=_track(entry.get("idx"), f"{where}, idx"))


def _frames(image_ids: list[Any], where: list[str]) -> list[int]:
    """Frame number of every entry."""
    if all(isinstance(image_id, str) for image_id in image_ids):
        numbers = numbered(image_ids)
        return [numbers[image_id] for image_id in image_ids]
    return [_json.integer(i, f"{w}, image_id", least=0) for i, w in zip(image_ids, where, strict=True)]


def _track(idx: Any, where: str) -> int | None:
    """Track id; AlphaPose's trackers write 3, 3.0 or [3]."""
    if idx is None:
        return None
    if isinstance(idx, list):
        if len(idx) != 1:
            raise FormatError(f"{where}: expected one track id, found {_json.kind(idx)}")
        idx = idx[0]
    if isinstance(idx, float) and idx.is_integer():
        idx = int(idx)
    return _json.integer(idx, where)
