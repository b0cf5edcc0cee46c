"""From people seen in single frames to tracks: doubles left out, broken tracks joined, noise dropped, ids from 0."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, groupby
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, UInt8
from numpy import ndarray

from zedo_core.errors import InputError
from zedo_core.types import Frame

TRACKERS = ("bytetrack", "botsort", "off")
DEFAULT_TRACKER = "bytetrack"

# Half of the joints nearer than this part of the diagonal of the smaller box: the same person, found twice.
DOUBLE = 0.12
# A person moves less than this part of the diagonal of their box between two sightings of one track.
MAX_DISTANCE = 0.5
# A short track of people seen this surely is no noise: somebody who walked through.
SURE = 0.5
# A person who is live and was away longer is another one.
MEMORY_S = 1.0
# In a clip of no more frames a short track is all that there can be.
SHORT_CLIP = 10


@dataclass(frozen=True, kw_only=True, eq=False)
class Sighting:
    """One person in one frame: `box` (x1, y1, x2, y2) in px, `joints` with rows [x px, y px, confidence]."""

    frame: int
    track: int
    confidence: float
    box: Float[ndarray, "4"]
    joints: Float[ndarray, "j 3"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Found:
    """Everybody found in one frame, the surest first: boxes (x1, y1, x2, y2) in px, rows [x px, y px, confidence]."""

    boxes: Float[ndarray, "p 4"]
    confidence: Float[ndarray, " p"]
    joints: Float[ndarray, "p j 3"]

    def rows(self, wanted: Bool[ndarray, " p"] | list[int]) -> Found:
        """Some of the people."""
        return Found(boxes=self.boxes[wanted], confidence=self.confidence[wanted], joints=self.joints[wanted])

    def rounded(self, decimals: int) -> Found:
        """As it is stored; what is not a finite number becomes a joint that was not seen."""
        joints = np.where(np.isfinite(self.joints).all(-1, keepdims=True), self.joints, 0.0)
        return Found(
            boxes=self.boxes.round(decimals),
            confidence=self.confidence.round(decimals),
            joints=joints.round(decimals),
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Seen:
    """A frame that was looked at: its place in the input, (width, height) in px, who was found; `image` where kept."""

    number: int
    time_s: float
    size: tuple[int, int]
    found: Found
    image: UInt8[ndarray, "height width 3"] | None = None


@runtime_checkable
class Looks(Protocol):
    """A detector: who is in a frame, the surest first."""

    def look(self, frame: Frame) -> Found:
        """Everybody found in one frame."""
        ...


def check_tracker(name: str) -> None:
    """InputError for a tracker that is not known."""
    if name not in TRACKERS:
        raise InputError(f"expected a tracker of {', '.join(TRACKERS)}, got '{name}'")


def without_doubles(boxes: Float[ndarray, "p 4"], joints: Float[ndarray, "p j 3"]) -> list[int]:
    """Rows of the people without second finds of one person; boxes (x1, y1, x2, y2) in px, the surest first.

    A box around the upper body passes the detector's own suppression by overlap and would become a track.
    """
    kept: list[int] = []
    diagonals = np.linalg.norm(boxes[:, 2:] - boxes[:, :2], axis=-1)
    for row in range(len(boxes)):
        apart = np.median(np.linalg.norm(joints[kept, :, :2] - joints[row, :, :2], axis=-1), axis=-1)
        if (apart >= DOUBLE * np.minimum(diagonals[kept], diagonals[row])).all():
            kept.append(row)
    return kept


def join_broken(people: Sequence[Sighting], max_gap: int) -> list[Sighting]:
    """Make one of tracks that never show in the same frame and come near each other, the nearest pairs first.

    A tracker that asks boxes to overlap breaks tracks of people who move fast or were filmed at few frames a second.
    `max_gap` is the largest number of frames from a sighting in one to the nearest in the other.
    """
    tracks = _by_track(people)
    frames = {track[0].track: {person.frame for person in track} for track in tracks}
    member_of = {name: name for name in frames}
    for _, a, b in sorted(_near_pairs(tracks, max_gap)):
        a, b = member_of[a], member_of[b]
        if a != b and frames[a].isdisjoint(frames[b]):
            frames[a] |= frames[b]
            member_of = {name: a if owner == b else owner for name, owner in member_of.items()}
    return [replace(person, track=member_of[person.track]) for person in people]


def drop_noise(people: Sequence[Sighting], frame_count: int, min_frames: int) -> list[Sighting]:
    """Leave out tracks of fewer than `min_frames` frames that were never surely a person; not in a short clip."""
    if frame_count <= SHORT_CLIP:
        return list(people)
    kept = [t for t in _by_track(people) if len(t) >= min_frames or max(p.confidence for p in t) >= SURE]
    return [person for track in kept for person in track]


def as_arrays(
    people: Sequence[Sighting], frame_count: int, joints: int
) -> tuple[Float[ndarray, "t p j 2"], Float[ndarray, "t p j"]]:
    """Pixels and confidences, one column per track in order of appearance; a joint that was not seen is 0."""
    in_order = sorted(people, key=lambda person: (person.frame, person.track))
    columns = {track: column for column, track in enumerate(dict.fromkeys(person.track for person in in_order))}
    xy = np.zeros((frame_count, len(columns), joints, 2))
    confidence = np.zeros((frame_count, len(columns), joints))
    for person in people:  # one by one: a long clip of many people has no room for copies
        sure = np.clip(np.nan_to_num(person.joints[:, 2]), 0.0, 1.0)
        sure[~np.isfinite(person.joints[:, :2]).all(-1)] = 0.0
        place = person.frame, columns[person.track]
        confidence[place], xy[place] = sure, np.where(sure[:, None] > 0, person.joints[:, :2], 0.0)
    return xy, confidence


def _by_track(people: Sequence[Sighting]) -> list[list[Sighting]]:
    in_order = sorted(people, key=lambda person: (person.track, person.frame))
    return [list(group) for _, group in groupby(in_order, key=lambda person: person.track)]


def _near_pairs(tracks: list[list[Sighting]], max_gap: int) -> Iterator[tuple[float, int, int]]:
    """Distance and names of every two tracks that come near each other in time and place."""
    for a, b in combinations(tracks, 2):
        if max(a[0].frame, b[0].frame) - min(a[-1].frame, b[-1].frame) > max_gap:
            continue
        gaps = np.abs(np.subtract.outer([p.frame for p in a], [p.frame for p in b]))
        row, column = np.unravel_index(gaps.argmin(), gaps.shape)
        apart = distance(a[row], b[column])
        if 0 < gaps[row, column] <= max_gap and apart < MAX_DISTANCE:
            yield apart, a[0].track, b[0].track


def distance(a: Sighting, b: Sighting) -> float:
    """Distance of the boxes' centres in diagonals of the larger box."""
    centres = np.linalg.norm(a.box[:2] + a.box[2:] - b.box[:2] - b.box[2:]) / 2
    diagonal = max(np.linalg.norm(person.box[2:] - person.box[:2]) for person in (a, b))
    return float(centres / max(diagonal, 1.0))


class Names:
    """Ids from 0 for the tracks of a clip that is still going on, 0 the first one.

    A track that begins near the place where another one ended less than a second ago goes on with its id: trackers ask
    boxes to overlap, which those of few frames a second do not.
    """

    def __init__(self) -> None:
        self._id_of: dict[int, int] = {}
        self._last: dict[int, tuple[float, Sighting]] = {}
        self._count = 0

    def __call__(self, people: Sequence[Sighting], time_s: float) -> list[int]:
        """The ids of the people of one frame, in their order."""
        new = [person for person in people if person.track not in self._id_of]
        taken = {self._id_of[person.track] for person in people if person.track in self._id_of}
        lost = {i: last for i, (when_s, last) in self._last.items() if i not in taken and time_s - when_s <= MEMORY_S}
        near = sorted((distance(person, last), person.track, i) for person in new for i, last in lost.items())
        for apart, track, i in near:
            if apart < MAX_DISTANCE and track not in self._id_of and i not in taken:
                self._id_of[track] = i
                taken.add(i)
        for person in new:
            if person.track not in self._id_of:
                self._id_of[person.track], self._count = self._count, self._count + 1
        for person in people:
            self._last[self._id_of[person.track]] = time_s, person
        return [self._id_of[person.track] for person in people]
