"""From people detected frame by frame to tracks: values are checked and rows are created here."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from zedo_core.detection.matching import Tracker
from zedo_core.errors import FormatError, InputError
from zedo_core.keypoints import _json
from zedo_core.keypoints._joint_order import body_of
from zedo_core.skeleton import Skeleton, get_skeleton
from zedo_core.types import Keypoints, in_order

_MAX_PX = 1e6
_MAX_GAP = 30  # frames after which a reappearing person gets a new id
_FRAMES_A_SECOND = 30.0  # of a typical video
_MAX_NORMALISED = 2.0  # coordinates of people in pixels are larger

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Person:
    """One person in one frame: `joints` [x px, y px, confidence]; `track` is None if the file has no track ids."""

    frame: int
    joints: Float[ndarray, "j 3"]
    track: int | None = None

    @property
    def seen(self) -> bool:
        """Whether any joint was found."""
        return bool(self.joints[:, 2].any())


def joint_set_by_length(value: Any, choices: Sequence[Skeleton], where: str) -> Skeleton:
    """The joint set of a flat list [x, y, confidence] * K, by its length; FormatError when none matches."""
    return joint_set_by_count(len(_json.as_list(value, where)), choices, where, per_joint=3)


def joint_set_by_count(count: int, choices: Sequence[Skeleton], where: str, *, per_joint: int = 1) -> Skeleton:
    """The joint set that has `count` values, `per_joint` for each joint, or that such a file begins with.

    FormatError when none matches.
    """
    skeleton = body_of(count // per_joint, choices) if count % per_joint == 0 else None
    if skeleton is not None:
        return skeleton
    expected = " or ".join(f"{per_joint * len(skeleton)} ({skeleton.name})" for skeleton in choices)
    raise FormatError(f"{where}: expected {expected} values, found {count}")


def joint_set_by_name(name: Any, where: str) -> Skeleton:
    """The joint set named in a file; FormatError when it is unknown."""
    if not isinstance(name, str):
        raise FormatError(f"{where}: expected the name of a joint set in 'joints', found {_json.describe(name)}")
    try:
        return get_skeleton(name)
    except InputError as error:
        raise FormatError(f"{where}: {error}") from None


def parse_joints(value: Any, skeleton: Skeleton, where: str, *, clip: bool = False) -> Float[ndarray, "j 3"]:
    """A flat list [x, y, confidence] * K as an array; `clip` reduces confidences above 1 to 1.

    Of the 133 and 136 joints of whole bodies, the body is used.
    """
    joint_set_by_length(value, (skeleton,), where)
    joints = _json.numbers(value, where).reshape(-1, 3)[: len(skeleton)]
    if clip:
        over = np.isfinite(joints[:, 2]) & (joints[:, 2] > 1)
        joints[over, 2] = 1.0
    return validate_joints(joints, skeleton, lambda _: where)


def validate_joints(
    values: Float[ndarray, "*n j 3"], skeleton: Skeleton, where: Callable[[Sequence[int]], str]
) -> Float[ndarray, "*n j 3"]:
    """The values with missing joints set to 0 0 0; FormatError when one is not a valid keypoint.

    A joint with a confidence of 0 or less is missing, or at (-1, -1), which is how several tools mark it.
    `where` gives the location in the file of the person at an index of the leading axes.
    """
    xy, confidence = values[..., :2], values[..., 2]
    missing = (confidence <= 0) | (xy == -1).all(-1)
    valid = missing | ((np.abs(xy) <= _MAX_PX).all(-1) & (confidence > 0) & (confidence <= 1))
    if not valid.all():
        *person, joint = np.argwhere(~valid)[0]
        x, y, c = values[(*person, joint)]
        raise FormatError(
            f"{where(person)}, joint {skeleton.joints[joint]}: x {x:g}, y {y:g}, confidence {c:g}; expected pixels "
            f"within {_MAX_PX:g} and a confidence of at most 1"
        )
    return np.where(missing[..., None], 0.0, values)


def are_plain(people: Iterable[Person]) -> bool:
    """Whether anybody has a joint with a confidence, in pixels: what else there is, the reader of `nested` knows."""
    return any((np.abs(person.joints[person.joints[:, 2] > 0, :2]) > _MAX_NORMALISED).any() for person in people)


def keypoints_from_people(
    people: Iterable[Person], skeleton: Skeleton, frame_numbers: Sequence[int], path: Path, **fields: Any
) -> Keypoints:
    """The tracks of `people` over the frames `frame_numbers` (ascending); people without a seen joint are absent.

    People without track ids get ids, counted from 1, by matching with the nearest people of earlier frames. If a track
    appears twice in a frame, the person with the higher confidence is used. `fields` are further fields of Keypoints;
    FormatError when one is not valid.
    """
    seen = [person for person in people if person.seen]
    by_confidence = sorted(zip(_tracks(seen, path), seen, strict=True), key=lambda pair: pair[1].joints[:, 2].sum())
    rows = {(track, person.frame): person.joints for track, person in by_confidence}
    if len(rows) < len(seen):
        duplicates = len(seen) - len(rows)
        _log.warning(
            "%s: %d people share frame and track with another; the less confident are left out", path, duplicates
        )
    numbers = np.array(frame_numbers, dtype=np.int64)
    track, frame = np.array(list(rows), dtype=np.int64).reshape(-1, 2).T
    joints = np.array(list(rows.values())).reshape(-1, len(skeleton), 3)
    ordered = in_order(
        frame=np.searchsorted(numbers, frame), track=track, xy=joints[..., :2], confidence=joints[..., 2]
    )
    with _format_errors(path):
        return Keypoints(**ordered, skeleton=skeleton, frame_numbers=numbers, **fields)


def keypoints_from_arrays(
    values: Float[ndarray, "t p j 3"],
    skeleton: Skeleton,
    frame_numbers: Sequence[int],
    track_ids: Sequence[int],
    path: Path,
    **fields: Any,
) -> Keypoints:
    """Keypoints from validated arrays over frames and people; FormatError when a field is not valid."""
    numbers, ids = np.array(frame_numbers, dtype=np.int64), np.array(track_ids, dtype=np.int64)
    xy, confidence = values[..., :2], values[..., 2]
    with _format_errors(path):
        return Keypoints.from_dense(xy, confidence, skeleton, frame_numbers=numbers, track_ids=ids, **fields)


@contextmanager
def _format_errors(path: Path) -> Iterator[None]:
    """Turn an InputError, caused by fields of the file, into a FormatError that names the file."""
    try:
        yield
    except InputError as error:
        raise FormatError(f"{path}: {error}") from None


def _tracks(people: Sequence[Person], path: Path) -> list[int]:
    """The track of each person."""
    given = [person.track for person in people if person.track is not None]
    if len(given) == len(people):
        return given
    if given:
        raise FormatError(f"{path}: {len(given)} of {len(people)} people have a track id; expected all or none")
    frames: dict[int, list[int]] = {}
    for row, person in enumerate(people):
        frames.setdefault(person.frame, []).append(row)
    tracker = Tracker(memory_s=(_MAX_GAP + 0.5) / _FRAMES_A_SECOND, first=1)  # half a frame, since times are rounded
    tracks = [0] * len(people)
    for frame, rows in sorted(frames.items()):
        for place, track in tracker(frame / _FRAMES_A_SECOND, np.stack([people[row].joints for row in rows])).items():
            tracks[rows[place]] = track
    return tracks
