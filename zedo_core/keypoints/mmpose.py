"""MMPose: predictions of its inferencer for pictures or videos, and of its demo scripts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from zedo_core.errors import FormatError
from zedo_core.keypoints import _json, nested
from zedo_core.keypoints._people import Person, are_plain, joint_set_by_count, keypoints_from_people, parse_joints
from zedo_core.keypoints._source import Source, number_frames
from zedo_core.skeleton import COCO17, HALPE26, Skeleton
from zedo_core.types import Keypoints

FORM = "MMPose, [{keypoints, keypoint_scores}] or [{frame_id, instances}]"

_JOINT_SETS = (COCO17, HALPE26)
_PICTURE, _VIDEO = ("keypoints", "keypoint_scores"), ("frame_id", "instances")  # keys of an entry
_Frame = tuple[int, str, list[Any]]  # number, location in the file, instances


def reads(source: Source) -> bool:
    """Whether the source is one of MMPose's formats, or a folder with its files for pictures."""
    if source.skeleton is not None:
        return False  # `nested` takes any number of joints
    if _is_demo(source.document) or _first_has(source.document, _VIDEO):
        return nested.order_by_names(source) in (None, *_JOINT_SETS)
    return any(_first_has(document, _PICTURE) for _, document in source.documents)


def read(source: Source) -> Keypoints:
    """One person per instance, linked over time; scores above 1 are clipped to 1.

    Frames are counted from 0; those of the demo's `instance_info` are counted from 1 in the file. A folder has one file
    per picture, numbered by its name.
    """
    frames = _frames(source)
    entries = [
        (number, instance, f"{where}, instance {i}")
        for number, where, instances in frames
        for i, instance in enumerate(instances)
    ]
    if not entries:
        raise FormatError(f"{source.path}: found no people in any of its {len(frames)} MMPose frames")
    _, first, where = entries[0]
    points = _json.as_list(_json.member(first, "keypoints", where), f"{where}, keypoints")
    skeleton = joint_set_by_count(len(points), _JOINT_SETS, f"{where}, keypoints")
    people = [Person(frame=number, joints=_joints(entry, skeleton, where)) for number, entry, where in entries]
    if not are_plain(people):
        return nested.read(source)
    return keypoints_from_people(people, skeleton, sorted({number for number, _, _ in frames}), source.path)


def _is_demo(document: Any) -> bool:
    """Whether the document is of a demo of videos; that of a demo of pictures has no frames."""
    return (
        isinstance(document, dict)
        and document.get("instance_info") is not None
        and not _first_has(document["instance_info"], _PICTURE)
    )


def _first_has(document: Any, keys: tuple[str, ...]) -> bool:
    """Whether the document is a list whose first entry has all the keys."""
    first = document[0] if isinstance(document, list) and document else None
    return isinstance(first, dict) and set(keys) <= first.keys()


def _frames(source: Source) -> list[_Frame]:
    path, document = source.path, source.document
    if _is_demo(document):
        return _video_frames(_json.as_list(document["instance_info"], f"{path}: instance_info"), path, first=1)
    if _first_has(document, _VIDEO):
        return _video_frames(document, path, first=0)
    if document is not None:
        return [(0, str(path), document)]
    pictures = [(path, doc) for path, doc in source.documents if doc == [] or _first_has(doc, _PICTURE)]
    numbers = number_frames([path.name for path, _ in pictures], source.path, source.part)
    return [(numbers[path.name], str(path), doc) for path, doc in pictures]


def _video_frames(entries: list[Any], path: Path, first: int) -> list[_Frame]:
    """Frames of a video, whose numbers in the file begin at `first`."""
    locations = [f"{path}: entry {i}" for i in range(len(entries))]
    return [
        (
            _json.integer(_json.member(entry, "frame_id", where), f"{where}, frame_id", minimum=first) - first,
            where,
            _json.as_list(_json.member(entry, "instances", where), f"{where}, instances"),
        )
        for entry, where in zip(entries, locations, strict=True)
    ]


def _joints(instance: Any, skeleton: Skeleton, where: str) -> Float[ndarray, "j 3"]:
    points = _json.as_list(_json.member(instance, "keypoints", where), f"{where}, keypoints")
    joint_set_by_count(len(points), (skeleton,), f"{where}, keypoints")
    rows = [_json.numbers(point, f"{where}, keypoints[{i}]") for i, point in enumerate(points)]
    wrong = next((i for i, row in enumerate(rows) if len(row) != 2), None)
    if wrong is not None:
        raise FormatError(f"{where}, keypoints[{wrong}]: expected 2 values (x, y), found {len(rows[wrong])}")
    scores = _json.numbers(_json.member(instance, "keypoint_scores", where), f"{where}, keypoint_scores")
    joint_set_by_count(len(scores), (skeleton,), f"{where}, keypoint_scores")
    if len(scores) != len(rows):
        raise FormatError(f"{where}, keypoint_scores: expected {len(rows)} as keypoints, found {len(scores)}")
    return parse_joints(np.column_stack([np.stack(rows), scores]).ravel().tolist(), skeleton, where, clip=True)
