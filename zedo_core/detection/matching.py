"""Who is who from frame to frame: the one matcher, and the ids that it gives to people as they come."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from numpy import ndarray

# A person moves less than this part of their own diagonal from one sighting to the next.
MAX_DISTANCE = 0.5
# The same of whom a tracker that asks boxes to overlap has lost: they move fast or turn over, and their joints do.
_LOST_DISTANCE = 0.7


def match(cost: Float[ndarray, "a b"], most: float = MAX_DISTANCE) -> list[tuple[int, int]]:
    """As many pairs as can be had that cost less than `most` each, and among these the ones of least total cost."""
    from scipy.optimize import linear_sum_assignment  # half a second, which readers of tracked people need not wait

    dear = most * (min(cost.shape, default=0) + 1) + 1.0  # a pair too dear costs more than all others together
    rows, columns = linear_sum_assignment(np.where(cost < most, cost, dear))
    return [(a, b) for a, b in zip(rows.tolist(), columns.tolist(), strict=True) if cost[a, b] < most]


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


class TrackIds:
    """Ids for the people of one frame after another.

    Whom a tracker has numbered keeps the id of that number; when two numbers of one id meet in a frame, the older one
    keeps it and the other begins anew. Everybody else goes on with the id of the person who was last seen nearest to
    them, not longer than `memory` ago and not in this frame, or gets a fresh one from `first` on.
    """

    def __init__(self, memory: float, first: int = 0) -> None:
        self._memory, self._fresh = memory, first
        self._id_of: dict[int, int] = {}  # by the tracker's number
        self._last: dict[int, tuple[float, ndarray]] = {}  # when and how each was last seen

    def __call__(self, when: float, people: Float[ndarray, "n j 3"], numbers: Sequence[int] | None = None) -> list[int]:
        """The ids of the people of a frame, joints as [x px, y px, confidence]; `numbers` are those of a tracker."""
        known = {number: row for row, number in enumerate(numbers or ()) if number in self._id_of}
        ids: dict[int, int] = {}  # by row
        for number in sorted(known):
            if self._id_of[number] not in ids.values():
                ids[known[number]] = self._id_of[number]
        new = [row for row in range(len(people)) if row not in known.values()]
        most = MAX_DISTANCE if numbers is None else _LOST_DISTANCE
        ids |= self._continued(when, people, new, set(ids.values()), most)
        for row in range(len(people)):
            if row not in ids:
                ids[row], self._fresh = self._fresh, self._fresh + 1
        found = [ids[row] for row in range(len(people))]
        self._id_of |= dict(zip(numbers or (), found, strict=False))
        self._last |= {i: (when, person) for i, person in zip(found, people, strict=True)}
        return found

    def of(self, number: int) -> int:
        """The id that a tracker's number has by now; numbers that were ever in one frame differ in it."""
        return self._id_of[number]

    def _continued(
        self, when: float, people: Float[ndarray, "n j 3"], new: list[int], taken: set[int], most: float
    ) -> dict[int, int]:
        """Ids of those of the `new` rows who are near somebody who left."""
        self._last = {i: seen for i, seen in self._last.items() if when - seen[0] <= self._memory}
        away = {i: joints for i, (_, joints) in self._last.items() if i not in taken}
        cost = np.array([pose_distances(joints, people[new]) for joints in away.values()]).reshape(len(away), len(new))
        return {new[b]: list(away)[a] for a, b in match(cost, most)}
