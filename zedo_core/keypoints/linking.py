"""Tracks for people whom nobody tracked: each is linked to the nearest pose of the frames before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count

import numpy as np
from jaxtyping import Float
from numpy import ndarray

# A person moves less than this part of their own diagonal from one sighting to the next.
MAX_DISTANCE = 0.5
# A track that was not seen for so many frames has ended (one second of an ordinary video).
MAX_GAP = 30


def link(frames: Sequence[Sequence[Float[ndarray, "j 3"]]], frame_numbers: Sequence[int]) -> list[list[int]]:
    """Track ids, from 1, of the people of each frame; each person is (j, [x px, y px, confidence])."""
    last_seen: dict[int, tuple[int, ndarray]] = {}
    fresh_ids = count(1)
    tracks = []
    for number, people in zip(frame_numbers, frames, strict=True):
        last_seen = {track: seen for track, seen in last_seen.items() if number - seen[0] <= MAX_GAP}
        known = _match({track: joints for track, (_, joints) in last_seen.items()}, people)
        tracks.append([known[i] if i in known else next(fresh_ids) for i in range(len(people))])
        last_seen.update({track: (number, person) for track, person in zip(tracks[-1], people, strict=True)})
    return tracks


def _match(tracks: Mapping[int, Float[ndarray, "j 3"]], people: Sequence[Float[ndarray, "j 3"]]) -> dict[int, int]:
    """Position in `people` to track id, the nearest pairs first; people near no track are left out."""
    if not tracks or not people:
        return {}
    distance = np.stack([distances(joints, np.stack(people)) for joints in tracks.values()])
    ids, matched = list(tracks), {}
    for pair in distance.argsort(axis=None, kind="stable"):
        track, person = divmod(int(pair), len(people))
        if distance[track, person] > MAX_DISTANCE:
            break
        if person not in matched and ids[track] not in matched.values():
            matched[person] = ids[track]
    return matched


def distances(joints: Float[ndarray, "j 3"], people: Float[ndarray, "n j 3"]) -> Float[ndarray, " n"]:
    """Mean distance of the joints that both show, in diagonals of the larger of the two; infinite without any."""
    weight = np.minimum(joints[:, 2], people[..., 2])
    gap_px = np.linalg.norm(people[..., :2] - joints[:, :2], axis=-1)
    total = weight.sum(-1)
    mean_px = (weight * gap_px).sum(-1) / np.where(total > 0, total, 1.0)
    size_px = np.maximum(_diagonals(joints[None]), _diagonals(people))
    return np.where(total > 0, mean_px / size_px, np.inf)


def _diagonals(people: Float[ndarray, "n j 3"]) -> Float[ndarray, " n"]:
    """Diagonal in px of the box around the joints that are seen, 1 at least."""
    seen = people[..., 2:] > 0
    low = np.where(seen, people[..., :2], np.inf).min(-2)
    high = np.where(seen, people[..., :2], -np.inf).max(-2)
    return np.maximum(np.linalg.norm(high - low, axis=-1), 1.0)
