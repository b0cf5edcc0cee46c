"""People found frame by frame become tracks: the one place where values are checked and arrays are filled."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from zedo_core.errors import FormatError, InputError
from zedo_core.keypoints import _json
from zedo_core.keypoints.linking import link
from zedo_core.skeleton import Skeleton, get_skeleton
from zedo_core.types import Keypoints

_LARGEST_PX = 1e6
_MOST_JOINTS = 2**27  # frames x tracks x joints that fit a usual memory (3 GiB)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Person:
    """One person in one frame: `joints` [x px, y px, confidence]; `track` is None where the file does not say."""

    frame: int
    joints: Float[ndarray, "j 3"]
    track: int | None = None

    @property
    def seen(self) -> bool:
        """Whether any joint was found."""
        return bool(self.joints[:, 2].any())


def joint_set(value: Any, choices: Sequence[Skeleton], where: str) -> Skeleton:
    """Which of the joint sets a flat list [x, y, confidence] * K belongs to, by its length."""
    return of_size(len(_json.listed(value, where)), choices, where, each=3)


def of_size(count: int, choices: Sequence[Skeleton], where: str, *, each: int = 1) -> Skeleton:
    """Which of the joint sets has `each` values per joint when there are `count`."""
    for skeleton in choices:
        if count == each * len(skeleton):
            return skeleton
    expected = " or ".join(f"{each * len(skeleton)} ({skeleton.name})" for skeleton in choices)
    raise FormatError(f"{where}: has {count} values, expected {expected}")


def named_joint_set(name: Any, where: str) -> Skeleton:
    """The joint set that a file names."""
    if not isinstance(name, str):
        raise FormatError(f"{where}: expected the name of a joint set in 'joints', found {_json.kind(name)}")
    try:
        return get_skeleton(name)
    except InputError as error:
        raise FormatError(f"{where}: {error}") from None


def joints_of(value: Any, skeleton: Skeleton, where: str, *, clip: bool = False) -> Float[ndarray, "j 3"]:
    """A flat list [x, y, confidence] * K as an array; `clip` takes confidences above 1 as 1."""
    joint_set(value, (skeleton,), where)
    joints = _json.numbers(value, where).reshape(-1, 3)
    if clip:
        over = np.isfinite(joints[:, 2]) & (joints[:, 2] > 1)
        joints[over, 2] = 1.0
    return checked(joints, skeleton, lambda _: where)


def checked(
    values: Float[ndarray, "*n j 3"], skeleton: Skeleton, where: Callable[[Sequence[int]], str]
) -> Float[ndarray, "*n j 3"]:
    """The values with missing joints as 0 0 0; FormatError for one that is no keypoint.

    `where` names the person at a position in the leading axes.
    """
    xy, confidence = values[..., :2], values[..., 2]
    missing = confidence == 0
    sound = missing | ((np.abs(xy) <= _LARGEST_PX).all(-1) & (confidence > 0) & (confidence <= 1))
    if not sound.all():
        *person, joint = np.argwhere(~sound)[0]
        x, y, c = values[(*person, joint)]
        raise FormatError(
            f"{where(person)}, joint {skeleton.joints[joint]}: x {x:g}, y {y:g}, confidence {c:g}; expected pixels "
            f"within {_LARGEST_PX:g} and a confidence of 0 (missing) to 1"
        )
    return np.where(missing[..., None], 0.0, values)


def as_keypoints(
    people: Iterable[Person], skeleton: Skeleton, frame_numbers: Sequence[int], path: Path, **known: Any
) -> Keypoints:
    """The tracks of `people` over the frames `frame_numbers` (ascending); people without a joint are absent.

    People without a track are linked. Where a track shows twice in a frame, the person with the higher
    confidence stays. `known` are further fields of Keypoints.
    """
    tracked = _with_tracks([person for person in people if person.seen], frame_numbers, path)
    track_ids = known.pop("track_ids", sorted({track for track, _ in tracked}))
    values = _empty((len(frame_numbers), len(track_ids), len(skeleton)), path)
    row = {number: t for t, number in enumerate(frame_numbers)}
    column = {track: p for p, track in enumerate(track_ids)}
    for track, person in sorted(tracked, key=lambda pair: pair[1].joints[:, 2].sum()):
        values[row[person.frame], column[track]] = person.joints
    doubled = len(tracked) - len({(track, person.frame) for track, person in tracked})
    if doubled:
        _log.warning("%s: %d people share frame and track with another; the more confident ones stay", path, doubled)
    return as_tracks(values, skeleton, frame_numbers, track_ids, path, **known)


def as_tracks(
    values: Float[ndarray, "t p j 3"],
    skeleton: Skeleton,
    frame_numbers: Sequence[int],
    track_ids: Sequence[int],
    path: Path,
    **known: Any,
) -> Keypoints:
    """Keypoints of checked values; FormatError when a field does not fit them."""
    try:
        return Keypoints(
            xy=values[..., :2],
            confidence=values[..., 2],
            skeleton=skeleton,
            frame_numbers=np.array(frame_numbers, dtype=np.int64),
            track_ids=np.array(track_ids, dtype=np.int64),
            **known,
        )
    except InputError as error:
        raise FormatError(f"{path}: {error}") from None


def _with_tracks(people: list[Person], frame_numbers: Sequence[int], path: Path) -> list[tuple[int, Person]]:
    """Pairs of track id and person."""
    given = [(person.track, person) for person in people if person.track is not None]
    if len(given) == len(people):
        return given
    if given:
        raise FormatError(f"{path}: {len(given)} of {len(people)} people have a track id; expected all or none")
    frames: dict[int, list[Person]] = {number: [] for number in frame_numbers}
    for person in people:
        frames[person.frame].append(person)
    tracks = link([[person.joints for person in frame] for frame in frames.values()], list(frames))
    return [
        (track, person)
        for ids, frame in zip(tracks, frames.values(), strict=True)
        for track, person in zip(ids, frame, strict=True)
    ]


def _empty(shape: tuple[int, int, int], path: Path) -> Float[ndarray, "t p j 3"]:
    frames, tracks, joints = shape
    if frames * tracks * joints > _MOST_JOINTS:
        raise FormatError(f"{path}: {frames} frames with {tracks} tracks do not fit the memory; split the file in time")
    return np.zeros((*shape, 3))
