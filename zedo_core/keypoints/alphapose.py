"""AlphaPose's form `cmu`: like OpenPose's, with `bodies` of 18 joints; one JSON a frame, or one of all by picture."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from zedo_core.errors import FormatError
from zedo_core.keypoints import _json
from zedo_core.keypoints._people import Person, as_keypoints, joints_of
from zedo_core.keypoints._source import Source, numbered
from zedo_core.skeleton import COCO18
from zedo_core.types import Keypoints

FORM = "AlphaPose's cmu, {bodies: [{joints}]}"


def reads(source: Source) -> bool:
    """Whether it is a file or folder of frames with `bodies`, or an object of such frames by picture."""
    return next(_frames(source), None) is not None


def read(source: Source) -> Keypoints:
    """One frame per picture, numbered by its name; confidences above 1, which AlphaPose writes, count as 1."""
    frames = list(_frames(source))
    numbers = numbered(name for name, _, _ in frames)
    people = [
        Person(frame=numbers[name], joints=joints_of(_json.member(body, "joints", at), COCO18, at, clip=True))
        for name, where, frame in frames
        for i, body in enumerate(_json.listed(_json.member(frame, "bodies", where), f"{where}: bodies"))
        for at in (f"{where}: body {i}",)
    ]
    if not people:
        raise FormatError(f"{source.path}: nobody was found in any of its {len(frames)} AlphaPose frames")
    return as_keypoints(people, COCO18, sorted(numbers.values()), source.path)


def _frames(source: Source) -> Iterator[tuple[str, str, Any]]:
    """Every frame with the name of its picture and where it stands."""
    for path, document in source.documents:
        if _is_frame(document):
            yield path.name, str(path), document
        elif isinstance(document, dict) and any(map(_is_frame, document.values())):
            yield from ((name, f"{path}: {name[:40]!a}", frame) for name, frame in document.items())


def _is_frame(value: Any) -> bool:
    return isinstance(value, dict) and "bodies" in value
