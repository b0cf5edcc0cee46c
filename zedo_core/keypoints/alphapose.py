"""AlphaPose's format `cmu`: like OpenPose's, with `bodies` of 18 joints; a JSON file per frame, or one for all."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from jaxtyping import Float
from numpy import ndarray

from zedo_core.errors import FormatError
from zedo_core.keypoints import _json
from zedo_core.keypoints._people import Person, keypoints_from_people, parse_joints
from zedo_core.keypoints._source import Source, number_frames
from zedo_core.skeleton import COCO18
from zedo_core.types import Keypoints

FORM = "AlphaPose's cmu, {bodies: [{joints}]}"


def reads(source: Source) -> bool:
    """Whether the source is a file or folder of frames with `bodies`, or an object of such frames by picture."""
    return next(_frames(source), None) is not None


def read(source: Source) -> Keypoints:
    """One frame per picture, numbered by its name; confidences above 1, which AlphaPose writes, are clipped to 1."""
    frames = list(_frames(source))
    numbers = number_frames([name for name, _, _ in frames], source.path, source.part)
    people = [
        Person(frame=numbers[name], joints=_joints(body, f"{where}: body {i}"))
        for name, where, frame in frames
        for i, body in enumerate(_json.as_list(_json.member(frame, "bodies", where), f"{where}: bodies"))
    ]
    if not people:
        raise FormatError(f"{source.path}: found no people in any of its {len(frames)} AlphaPose frames")
    return keypoints_from_people(people, COCO18, sorted(numbers.values()), source.path)


def _joints(body: Any, where: str) -> Float[ndarray, "j 3"]:
    return parse_joints(_json.member(body, "joints", where), COCO18, where, clip=True)


def _frames(source: Source) -> Iterator[tuple[str, str, Any]]:
    """Every frame, with the name of its picture and its location in the file."""
    for path, document in source.documents:
        if _is_frame(document):
            yield path.name, str(path), document
        elif isinstance(document, dict) and any(map(_is_frame, document.values())):
            yield from ((name, f"{path}: {name[:40]!a}", frame) for name, frame in document.items())


def _is_frame(value: Any) -> bool:
    return isinstance(value, dict) and "bodies" in value
