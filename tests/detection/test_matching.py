"""Who is who: the matching of poses, and the tracker on people who walk, cross, hide and come back."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations

import numpy as np
import pytest
from detection_cases import people

from zedo_core.detection import Tracker
from zedo_core.detection.matching import MAX_DISTANCE, MEMORY_S, match, pose_distances

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


class TestTracker:
    """People of 80 px over the diagonal."""

    def test_ids_count_from_the_first(self) -> None:
        tracker = Tracker(first=5)
        assert tracker(0.0, people(0, 300)) == {0: 5, 1: 6}
        assert tracker(0.1, people(600, 300, 0)) == {0: 7, 1: 6, 2: 5}

    def test_who_is_away_too_long_is_forgotten(self) -> None:
        tracker = Tracker(2.0, first=1)
        assert [tracker(time_s, PERSON[None])[0] for time_s in (0, 2, 4, 7, 8)] == [1, 1, 1, 2, 2]

    def test_who_is_far_is_another(self) -> None:
        tracker = Tracker()
        tracker(0.0, people(0))
        assert tracker(0.1, people(60)) == {0: 1}

    def test_nobody_is_there_twice(self) -> None:
        """The nearer one goes on, though both are near; nobody takes the id of who is still there."""
        tracker = Tracker()
        tracker(0.0, people(0))
        assert tracker(0.1, people(30, 10)) == {0: 1, 1: 0}
        assert tracker(0.2, people(10, 12, 30))[2] == 1

    def test_the_unsure_go_on_but_never_begin_and_come_last(self) -> None:
        tracker = Tracker()
        assert tracker(0.0, people(0, 300), np.array([True, False])) == {0: 0}
        assert tracker(0.1, people(1, 20), np.array([False, True])) == {1: 0}
        assert tracker(0.2, people(21, 300), np.array([False, False])) == {0: 0}

    def test_who_shows_no_joint_is_nobody_else(self) -> None:
        tracker, nothing = Tracker(), np.zeros((1, 17, 3))
        assert [tracker(time_s, nothing)[0] for time_s in (0.0, 0.1)] == [0, 1]
        assert tracker(0.2, np.concatenate([people(0), nothing]), np.array([True, False])) == {0: 2}

    def test_nobody_at_all(self) -> None:
        assert Tracker()(0.0, np.zeros((0, 17, 3))) == {}

    def test_frames_of_one_time(self) -> None:
        """A container may say so; nobody is thrown to infinity by that."""
        tracker = Tracker()
        assert [tracker(time_s, people(x))[0] for time_s, x in ((0, 0), (0, 9), (0, 3), (0.03, 8), (1, 8))] == [0] * 5

    @pytest.mark.parametrize("fps", [10, 30, 60])
    @pytest.mark.parametrize("seed", range(4))
    def test_two_people_who_cross(self, fps: int, seed: int) -> None:
        """At a person's height a second each; the one behind is hidden while they overlap. Joints are off by 2 px."""
        assert_followed(walks((0.0, 80.0), (300.0, -80.0), fps=fps, seed=seed, apart_px=20))

    @pytest.mark.parametrize("seed", range(4))
    def test_somebody_who_stands_while_another_passes(self, seed: int) -> None:
        assert_followed(walks((0.0, 100.0), (150.0, 0.0), fps=30, seed=seed, apart_px=20))

    @pytest.mark.parametrize("seed", range(4))
    def test_two_people_who_cross_in_full_view(self, seed: int) -> None:
        assert_followed(walks((0.0, 80.0), (300.0, -80.0), fps=30, seed=seed))

    @pytest.mark.parametrize("others", [(), ((120.0, 0.0),), ((420.0, -80.0),)], ids=["alone", "stands", "comes"])
    @pytest.mark.parametrize("seed", range(4))
    def test_a_gap_of_one_second(self, others: tuple[tuple[float, float], ...], seed: int) -> None:
        """The first one is not seen, while another one stands where they pass, or comes from the other side."""
        fps = 30

        def hidden(frame: int) -> set[int]:
            return {0} if fps <= frame < 2 * fps else set()

        assert_followed(walks((0.0, 80.0), *others, fps=fps, seed=seed, apart_px=20, hidden=hidden))

    @pytest.mark.parametrize("fps", [10, 30])
    def test_who_walks_is_expected_further_on(self, fps: int) -> None:
        """Not where they vanished, where somebody else stands after a second."""
        tracker = Tracker()
        for frame in range(fps + 1):
            tracker(frame / fps, people(80 * frame / fps))
        assert tracker(2.0, people(80, 155)) == {0: 1, 1: 0}

    def test_who_hides_behind_another_does_not_take_their_id(self) -> None:
        """Where both are expected there is one person: the one who was seen in the frame before."""
        tracker = Tracker()
        tracker(0.0, people(0, 40))
        tracker(0.1, people(20))
        assert tracker(0.1, people(20)) == tracker(0.2, people(21)) == tracker(0.3, people(30)) == {0: 0}

    def test_who_stands_still_is_kept_as_long_as_the_memory(self) -> None:
        for gap_s, same in ((MEMORY_S - 0.01, True), (MEMORY_S + 0.01, False)):
            tracker = Tracker()
            tracker(0.0, people(0))
            assert (tracker(gap_s, people(5)) == {0: 0}) is same

    def test_ten_people_on_a_square(self) -> None:
        """Each walks in a row of their own, 60 px from the next, at another speed, in both directions."""
        ways = [(40.0 * n, (-1) ** n * (20.0 + 8 * n)) for n in range(10)]
        assert_followed(walks(*ways, fps=15, seed=0, lane_px=60))


def assert_followed(frames: Iterator[tuple[float, list[int], np.ndarray]]) -> None:
    """Each person has one id, in all frames that show them, and it is theirs alone."""
    tracker, ids = Tracker(), {}
    for time_s, names, joints in frames:
        found = tracker(time_s, joints)
        assert sorted(found) == list(range(len(names)))
        for row, track in found.items():
            ids.setdefault(names[row], set()).add(track)
    assert all(len(of_one) == 1 for of_one in ids.values()), ids
    assert len(set().union(*ids.values())) == len(ids)


def walks(
    *ways: tuple[float, float],
    fps: int,
    seed: int,
    seconds: float = 3.0,
    apart_px: float = 0.0,
    lane_px: float = 0.0,
    hidden=lambda frame: set(),
) -> Iterator[tuple[float, list[int], np.ndarray]]:
    """Frames (time, who, joints) of people who start at x px and walk so many px a second, listed in any order.

    Their limbs swing, one half against the other. Of two who are nearer than `apart_px` the first one only is seen.
    """
    rng = np.random.default_rng(seed)
    for frame in range(round(seconds * fps)):
        time_s, seen = frame / fps, {}
        for name, (start, speed) in enumerate(ways):
            x = start + speed * time_s
            if name in hidden(frame) or any(abs(x - other) < apart_px for other, _ in seen.values()):
                continue
            body = people(x, y=lane_px * name)[0]
            body[9:, 0] += 8 * np.sin(2 * np.pi * (1.5 * time_s + np.arange(8) / 2 + name / 3)) * np.sign(speed)
            body[:, :2] += rng.normal(0, 2, (17, 2))
            seen[name] = x, body
        order = rng.permutation(list(seen)).tolist()
        joints = np.reshape([seen[name][1] for name in order], (len(order), 17, 3))
        yield time_s, order, joints
