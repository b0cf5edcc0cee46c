"""OpenPose: a folder with one JSON a frame (or a single such file)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zedo_core.errors import FormatError
from zedo_core.keypoints import _json
from zedo_core.keypoints._people import Person, as_keypoints, joint_set, joints_of
from zedo_core.keypoints._source import Source, numbered
from zedo_core.skeleton import BODY25, BODY25B, COCO18, Skeleton
from zedo_core.types import Keypoints

FORM = "OpenPose, a folder of {people: [{pose_keypoints_2d}]}"

_JOINT_SETS = (BODY25, COCO18)
_VALUES = "pose_keypoints_2d"


def reads(source: Source) -> bool:
    """Whether it is a file with `people`, or a folder with such files."""
    return any(_is_frame(document) for _, document in source.documents)


def read(source: Source) -> Keypoints:
    """One frame per file, numbered by its name; a frame without people is a gap, other JSON files are passed over.

    The first person's length tells the joint set; of the two orders of 25 joints the one with the shorter bones is
    taken. `person_id` is not used (OpenPose writes -1): people are linked.
    """
    frames = _frames(source)
    numbers = numbered([path.name for path, _ in frames])
    found = [
        (numbers[path.name], person, f"{path}: person {i}")
        for path, document in frames
        for i, person in enumerate(_json.listed(document["people"], f"{path}: people"))
    ]
    if not found:
        raise FormatError(f"{source.path}: nobody was found in any of its {len(frames)} OpenPose frames")
    _, first, where = found[0]
    skeleton = joint_set(_json.member(first, _VALUES, where), _JOINT_SETS, where)
    people = [
        Person(frame=number, joints=joints_of(_json.member(person, _VALUES, where), skeleton, where, clip=True))
        for number, person, where in found
    ]
    if skeleton == BODY25 and _bone_length(people, BODY25B) < _bone_length(people, BODY25):
        skeleton = BODY25B
    return as_keypoints(people, skeleton, sorted(numbers.values()), source.path)


def _bone_length(people: Sequence[Person], skeleton: Skeleton) -> float:
    """Mean length in pixels of the bones whose ends are seen, were the joints in the order of `skeleton`."""
    joints = np.stack([person.joints for person in people])
    children, parents = (list(ends) for ends in zip(*skeleton.edges, strict=True))
    seen = (joints[:, children, 2] > 0) & (joints[:, parents, 2] > 0)
    length = np.linalg.norm(joints[:, children, :2] - joints[:, parents, :2], axis=-1)
    return float(length[seen].mean()) if seen.any() else 0.0


def _frames(source: Source) -> list[tuple[Path, dict[str, Any]]]:
    """The files that hold a frame, with their content."""
    return [(path, document) for path, document in source.documents if _is_frame(document)]


def _is_frame(document: Any) -> bool:
    return isinstance(document, dict) and "people" in document
