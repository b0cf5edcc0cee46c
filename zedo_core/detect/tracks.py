"""From people seen in single frames to tracks: doubles left out, broken tracks joined, noise dropped, ids from 0."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, groupby

import numpy as np
from jaxtyping import Float
from numpy import ndarray

# Half of the joints nearer than this part of the diagonal of the smaller box: the same person, found twice.
DOUBLE = 0.12
# A person moves less than this part of the diagonal of their box between two sightings of one track.
MAX_DISTANCE = 0.5
# A short track of people seen this surely is no noise: somebody who walked through.
SURE = 0.5
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
    values = np.zeros((frame_count, len(columns), joints, 3))
    for person in people:
        values[person.frame, columns[person.track]] = person.joints
    confidence = np.clip(np.nan_to_num(values[..., 2]), 0.0, 1.0)
    confidence[~np.isfinite(values[..., :2]).all(-1)] = 0.0
    return np.where(confidence[..., None] > 0, values[..., :2], 0.0), confidence


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
        distance = _distance(a[row], b[column])
        if 0 < gaps[row, column] <= max_gap and distance < MAX_DISTANCE:
            yield distance, a[0].track, b[0].track


def _distance(a: Sighting, b: Sighting) -> float:
    """Distance of the boxes' centres in diagonals of the larger box."""
    centres = np.linalg.norm(a.box[:2] + a.box[2:] - b.box[:2] - b.box[2:]) / 2
    diagonal = max(np.linalg.norm(person.box[2:] - person.box[:2]) for person in (a, b))
    return float(centres / max(diagonal, 1.0))
