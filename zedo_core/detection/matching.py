"""Who is who from frame to frame: the matching of poses, and the tracker that gives people ids frame by frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

# A person is less than this part of their own diagonal away from where and how they were last seen.
MAX_DISTANCE = 0.5
MEMORY_S = 1.5  # somebody who was away longer is another person
_MOST_DISTANT = 0.7  # the same from where a track is expected: at few frames a second people turn between two of them
_AWAY = 0.1  # added to the distance from those who were not seen in the frame before: they may be hidden behind others
_MOVES_ON_S = 1.0  # time constant with which expected motion comes to rest
_STEADY_S = 0.2  # time constant of the velocity's average: joints jitter and swing more than a body does


def match(cost: Float[ndarray, "a b"], max_cost: float = MAX_DISTANCE) -> list[tuple[int, int]]:
    """As many pairs as possible that cost less than `max_cost` each, and of these the ones of least total cost."""
    from scipy.optimize import linear_sum_assignment  # half a second, which readers of tracked people need not wait

    too_much = max_cost * (min(cost.shape) + 1) + 1.0  # more than all other pairs together
    rows, columns = linear_sum_assignment(np.where(cost < max_cost, cost, too_much))
    return [(a, b) for a, b in zip(rows.tolist(), columns.tolist(), strict=True) if cost[a, b] < max_cost]


def pose_distances(joints: Float[ndarray, "j 3"], people: Float[ndarray, "n j 3"]) -> Float[ndarray, " n"]:
    """Mean distance of the joints that both show, in diagonals of the larger of the two; infinite without any.

    Joints are [x px, y px, confidence].
    """
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
    return np.maximum(np.linalg.norm(np.where(high >= low, high - low, 0.0), axis=-1), 1.0)


@dataclass(eq=False)
class _Track:
    """Somebody who is followed: when and where they were last seen, and how fast they moved."""

    id: int
    time_s: float
    joints: Float[ndarray, "j 3"]
    velocity_px_s: Float[ndarray, " 2"]

    def at(self, time_s: float) -> Float[ndarray, "j 3"]:
        """Joints that are expected later on: people move on as they did, and come to rest in the end."""
        moves_s = _MOVES_ON_S * (1 - np.exp((self.time_s - time_s) / _MOVES_ON_S))
        return self.joints + np.append(moves_s * self.velocity_px_s, 0.0)

    def update(self, time_s: float, joints: Float[ndarray, "j 3"]) -> None:
        """The same person in a later frame."""
        both = np.minimum(joints[:, 2], self.joints[:, 2]) > 0
        passed_s = max(time_s - self.time_s, 1e-3)
        moved_px = np.median((joints - self.joints)[both, :2], axis=0)
        share = 1 - np.exp(-passed_s / _STEADY_S)
        self.velocity_px_s = self.velocity_px_s + share * (moved_px / passed_s - self.velocity_px_s)
        self.time_s, self.joints = time_s, joints


class Tracker:
    """Ids for the people of one frame after another, by the distance of their poses from those that are expected.

    A track is expected to move on as it moved, until `memory_s` after it was last seen; whoever matches none gets a new
    id, from `first` on. Those who are surely people are matched before the others, who may go on with an id but never
    begin one (as in ByteTrack, Zhang et al., ECCV 2022, section 3, with poses in place of boxes).
    """

    def __init__(self, memory_s: float = MEMORY_S, first: int = 0) -> None:
        self._memory_s, self._next_id = memory_s, first
        self._tracks: list[_Track] = []
        self._last_s = -np.inf

    def forget(self) -> None:
        """Whoever comes next is somebody else."""
        self._tracks.clear()

    def __call__(
        self, time_s: float, people: Float[ndarray, "n j 3"], sure: Bool[ndarray, " n"] | None = None
    ) -> dict[int, int]:
        """Ids by row of a frame's people, of joints [x px, y px, confidence]; rows without one are left out.

        `sure` tells who is surely a person, None for everybody. Times must not fall.
        """
        sure = np.full(len(people), True) if sure is None else sure
        self._tracks = [track for track in self._tracks if time_s - track.time_s <= self._memory_s]
        found: dict[int, _Track] = {}
        for rows in (np.flatnonzero(sure), np.flatnonzero(~sure)):
            left = [track for track in self._tracks if track not in found.values()]
            apart = np.reshape(
                [pose_distances(track.at(time_s), people[rows]) for track in left], (len(left), len(rows))
            )
            away = np.reshape([_AWAY * (track.time_s < self._last_s) for track in left], (len(left), 1))
            for a, b in match(np.where(apart < _MOST_DISTANT, apart + away, np.inf), _MOST_DISTANT + _AWAY):
                found[int(rows[b])] = left[a]
        for row, track in found.items():
            track.update(time_s, people[row])
        for row in sorted(set(np.flatnonzero(sure).tolist()) - set(found)):
            found[row] = _Track(self._next_id, time_s, people[row], np.zeros(2))
            self._tracks.append(found[row])
            self._next_id += 1
        self._last_s = time_s
        return {row: track.id for row, track in sorted(found.items())}
