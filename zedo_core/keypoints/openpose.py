"""OpenPose: a folder with one JSON file per frame (or a single such file)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from zedo_core.errors import FormatError
from zedo_core.keypoints import _json, nested
from zedo_core.keypoints._joint_order import bone_length
from zedo_core.keypoints._people import Person, are_plain, joint_set_by_length, keypoints_from_people, parse_joints
from zedo_core.keypoints._source import Source, number_frames
from zedo_core.skeleton import BODY25, BODY25B, COCO17, COCO18, COCO23, HALPE26
from zedo_core.types import Keypoints

FORM = "OpenPose, a folder of {people: [{pose_keypoints_2d}]}"

_JOINT_SETS = (BODY25, COCO18, COCO17, HALPE26, COCO23)  # the latter three by Pose2Sim
_VALUES = "pose_keypoints_2d"


def reads(source: Source) -> bool:
    """Whether the source is a file with `people`, or a folder with such files."""
    return source.skeleton is None and any(_is_frame(document) for _, document in source.documents)


def read(source: Source) -> Keypoints:
    """One frame per file, numbered by its name; frames without people are gaps, and other JSON files are ignored.

    The joint set follows from the length of the first person; of the two orders of 25 joints, the one with the shorter
    bones is used. `person_id` is ignored (OpenPose writes -1): people are linked over time.
    """
    frames = _frames(source)
    numbers = number_frames([path.name for path, _ in frames], source.path, source.part)
    entries = [
        (numbers[path.name], person, f"{path}: person {i}")
        for path, document in frames
        for i, person in enumerate(_json.as_list(document["people"], f"{path}: people"))
    ]
    if not entries:
        raise FormatError(f"{source.path}: found no people in any of its {len(frames)} OpenPose frames")
    _, first, where = entries[0]
    skeleton = joint_set_by_length(_json.member(first, _VALUES, where), _JOINT_SETS, where)
    people = [
        Person(frame=number, joints=parse_joints(_json.member(person, _VALUES, where), skeleton, where, clip=True))
        for number, person, where in entries
    ]
    if not are_plain(people):
        return nested.read(source)
    joints = np.stack([person.joints for person in people])
    if skeleton == BODY25 and bone_length(joints, BODY25B) < bone_length(joints, BODY25):
        skeleton = BODY25B
    return keypoints_from_people(people, skeleton, sorted(numbers.values()), source.path)


def _frames(source: Source) -> list[tuple[Path, dict[str, Any]]]:
    """The files that are frames, with their content."""
    return [(path, document) for path, document in source.documents if _is_frame(document)]


def _is_frame(document: Any) -> bool:
    return isinstance(document, dict) and "people" in document
