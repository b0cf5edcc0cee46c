"""The matcher: as many pairs as can be had, of the least cost in all."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from zedo_core.detection import TrackIds
from zedo_core.detection.matching import MAX_DISTANCE, match, pose_distances

PERSON = np.random.default_rng(0).uniform((100, 100, 1), (150, 200, 1), (17, 3))


def test_the_nearest_pair_is_not_always_one():
    assert match(np.array([[0.10, 0.20], [0.15, 0.45]])) == [(0, 1), (1, 0)]
    assert match(np.array([[0.05, 0.35], [0.35, 0.75]])) == [(0, 1), (1, 0)]  # a pair too dear is none
    assert match(np.array([[0.05, 0.75], [0.75, 0.75]])) == [(0, 0)]


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (3, 0)])
def test_nobody_is_matched_with_nobody(shape):
    assert match(np.zeros(shape)) == []


@pytest.mark.parametrize("seed", range(20))
def test_against_all_ways_to_pair(seed):
    rng = np.random.default_rng(seed)
    cost = rng.uniform(0, 1, (rng.integers(1, 5), 4))
    cost[rng.uniform(size=cost.shape) < 0.2] = np.inf
    ways = []
    for columns in permutations(range(4), len(cost)):
        pairs = [(a, b) for a, b in enumerate(columns) if cost[a, b] < MAX_DISTANCE]
        ways.append((-len(pairs), sum(cost[pair] for pair in pairs)))
    found = match(cost)
    assert (-len(found), pytest.approx(sum(cost[pair] for pair in found))) == min(ways)


def test_distance_uses_the_joints_that_both_show():
    seen, other = PERSON.copy(), PERSON + np.array([900, 0, 0])
    other[0] = seen[0]
    seen[1:, 2] = 0
    assert pose_distances(seen, other[None]).tolist() == [0]
    other[0, 2] = 0
    assert pose_distances(seen, other[None]).tolist() == [np.inf]


def test_who_is_away_too_long_is_forgotten():
    ids = TrackIds(2, first=1)
    assert [ids(when, PERSON[None])[0] for when in (0, 2, 4, 7, 8)] == [1, 1, 1, 2, 2]
