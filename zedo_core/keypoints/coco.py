"""COCO results and AlphaPose: a JSON list with an entry per person and image."""

from __future__ import annotations

from typing import Any

from zedo_core.errors import FormatError
from zedo_core.keypoints import _json, nested
from zedo_core.keypoints._people import Person, are_plain, joint_set_by_length, keypoints_from_people, parse_joints
from zedo_core.keypoints._source import Source, fits, number_frames
from zedo_core.keypoints._tracks import parse_track, parse_tracks
from zedo_core.skeleton import COCO17, HALPE26, Skeleton
from zedo_core.types import Keypoints

FORM = "COCO results / AlphaPose, [{image_id, keypoints}]"

PARTS = True

_JOINT_SETS = (COCO17, HALPE26)
_WITHOUT_CONFIDENCE = (34, 52, 266, 272)  # values of x and y alone


def reads(source: Source) -> bool:
    """Whether the source is a list whose first entry has an image and keypoints."""
    document = source.document
    return isinstance(document, list) and bool(document) and _is_entry(document[0]) and source.skeleton is None


def read(source: Source) -> Keypoints:
    """One person per entry; the frame number is `image_id`, or the number in it if it is a file name.

    The joint set follows from the length of the first entry. Entries with all keypoints 0 are boxes without a pose.
    """
    entries = _entries(source)
    frames = _frames(source, [(where, _json.member(entry, "image_id", where)) for where, entry in entries])
    skeleton = joint_set_by_length(source.document[0]["keypoints"], _JOINT_SETS, f"{entries[0][0]}, keypoints")
    tracks = parse_tracks([parse_track(entry.get("idx"), f"{where}, idx") for where, entry in entries], source.path)
    people = [
        _person(entry, frame, track, skeleton, f"{where} (frame {frame})")
        for (where, entry), frame, track in zip(entries, frames, tracks, strict=True)
    ]
    if not are_plain(people):
        return nested.read(source)
    return keypoints_from_people(people, skeleton, sorted(set(frames)), source.path)


def _is_entry(value: Any) -> bool:
    return isinstance(value, dict) and {"image_id", "keypoints"} <= value.keys() and not _is_nested(value["keypoints"])


def _is_nested(keypoints: Any) -> bool:
    """Whether keypoints are of another notation than x, y and confidence in turn."""
    if isinstance(keypoints, list) and len(keypoints) in _WITHOUT_CONFIDENCE:
        return True
    return isinstance(keypoints, dict) or (
        isinstance(keypoints, list) and isinstance(next(iter(keypoints), 0), list | dict)
    )


def _entries(source: Source) -> list[tuple[str, Any]]:
    """Every entry with its location in the file; with a part, those of the pictures whose names fit it."""
    entries = [(f"{source.path}: entry {i}", entry) for i, entry in enumerate(source.document)]
    if source.part is None:
        return entries
    chosen = [(w, e) for w, e in entries if isinstance(e, dict) and fits(str(e.get("image_id")), source.part)]
    if not chosen:
        raise FormatError(f"{source.path}: has no pictures whose names fit '{source.part}'")
    return chosen


def _person(entry: dict[str, Any], frame: int, track: int | None, skeleton: Skeleton, where: str) -> Person:
    joints = parse_joints(_json.member(entry, "keypoints", where), skeleton, f"{where}, keypoints", clip=True)
    return Person(frame=frame, joints=joints, track=track)


def _frames(source: Source, image_ids: list[tuple[str, Any]]) -> list[int]:
    """Frame number of every entry; ids that mix texts and numbers are all read as texts."""
    if any(isinstance(image_id, str) for _, image_id in image_ids):
        for where, image_id in image_ids:
            if not isinstance(image_id, str):
                _json.integer(image_id, f"{where}, image_id", minimum=0)
        numbers = number_frames([str(image_id) for _, image_id in image_ids], source.path, source.part)
        return [numbers[str(image_id)] for _, image_id in image_ids]
    return [_json.integer(image_id, f"{where}, image_id", minimum=0) for where, image_id in image_ids]
