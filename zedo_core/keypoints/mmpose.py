"""MMPose: predictions of its inferencer for a picture or a video, and of its demo scripts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from zedo_core.errors import FormatError
from zedo_core.keypoints import _json
from zedo_core.keypoints._people import Person, as_keypoints, joints_of, of_size
from zedo_core.keypoints._source import Source, numbered
from zedo_core.skeleton import COCO17, HALPE26, Skeleton
from zedo_core.types import Keypoints

FORM = "MMPose, [{keypoints, keypoint_scores}] or [{frame_id, instances}]"

_JOINT_SETS = (COCO17, HALPE26)
_PICTURE, _VIDEO = ("keypoints", "keypoint_scores"), ("frame_id", "instances")  # keys of an entry
_Frame = tuple[int, str, list[Any]]  # number, where it stands, instances


def reads(source: Source) -> bool:
    """Whether it is one of MMPose's forms, or a folder with its files of pictures."""
    if _is_demo(source.document) or _first_has(source.document, _VIDEO):
        return True
    return any(_first_has(document, _PICTURE) for _, document in source.documents)


def read(source: Source) -> Keypoints:
    """One person per instance, linked over time; scores above 1 count as 1.

    Frames count from 0; those of the demo's `instance_info` are written from 1. A folder has one file per picture,
    numbered by its name.
    """
    frames = _frames(source)
    found = [
        (number, instance, f"{where}, instance {i}")
        for number, where, instances in frames
        for i, instance in enumerate(instances)
    ]
    if not found:
        raise FormatError(f"{source.path}: nobody was found in any of its {len(frames)} MMPose frames")
    _, first, where = found[0]
    points = _json.listed(_json.member(first, "keypoints", where), f"{where}, keypoints")
    skeleton = of_size(len(points), _JOINT_SETS, f"{where}, keypoints")
    people = [Person(frame=number, joints=_joints(one, skeleton, at)) for number, one, at in found]
    return as_keypoints(people, skeleton, sorted({number for number, _, _ in frames}), source.path)


def _is_demo(document: Any) -> bool:
    return isinstance(document, dict) and "instance_info" in document


def _first_has(document: Any, keys: tuple[str, ...]) -> bool:
    """Whether it is a list whose first entry has all the keys."""
    first = document[0] if isinstance(document, list) and document else None
    return isinstance(first, dict) and set(keys) <= first.keys()


def _frames(source: Source) -> list[_Frame]:
    path, document = source.path, source.document
    if _is_demo(document):
        return _of_video(_json.listed(document["instance_info"], f"{path}: instance_info"), path, first=1)
    if _first_has(document, _VIDEO):
        return _of_video(document, path, first=0)
    if document is not None:
        return [(0, str(path), document)]
    pictures = [(path, doc) for path, doc in source.documents if doc == [] or _first_has(doc, _PICTURE)]
    numbers = numbered(path.name for path, _ in pictures)
    return [(numbers[path.name], str(path), doc) for path, doc in pictures]


def _of_video(entries: list[Any], path: Path, first: int) -> list[_Frame]:
    """Frames of a video, whose numbers in the file begin at `first`."""
    places = [f"{path}: entry {i}" for i in range(len(entries))]
    return [
        (
            _json.integer(_json.member(entry, "frame_id", at), f"{at}, frame_id", least=first) - first,
            at,
            _json.listed(_json.member(entry, "instances", at), f"{at}, instances"),
        )
        for entry, at in zip(entries, places, strict=True)
    ]


def _joints(instance: Any, skeleton: Skeleton, where: str) -> Float[ndarray, "j 3"]:
    points = _json.listed(_json.member(instance, "keypoints", where), f"{where}, keypoints")
    of_size(len(points), (skeleton,), f"{where}, keypoints")
    rows = [_json.numbers(point, f"{where}, keypoints[{i}]") for i, point in enumerate(points)]
    wrong = next((i for i, row in enumerate(rows) if len(row) != 2), None)
    if wrong is not None:
        raise FormatError(f"{where}, keypoints[{wrong}]: has {len(rows[wrong])} values, expected 2 (x, y)")
    scores = _json.numbers(_json.member(instance, "keypoint_scores", where), f"{where}, keypoint_scores")
    of_size(len(scores), (skeleton,), f"{where}, keypoint_scores")
    return joints_of(np.column_stack([np.stack(rows), scores]).ravel().tolist(), skeleton, where, clip=True)
