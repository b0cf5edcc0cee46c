"""People who were not tracked are linked from frame to frame."""

from __future__ import annotations

import numpy as np
import pytest
from keypoint_cases import pose

from zedo_core.keypoints.linking import MAX_GAP, distances, link
from zedo_core.skeleton import COCO17


def test_linking_follows_two_people_who_pass_each_other():
    """Two people walk towards each other, swap sides, and are listed in changing order."""
    left, right = (
        [pose(x=100 + 20 * t) for t in range(21)],
        [pose(x=500 - 20 * t) + np.array([0, 90, 0]) for t in range(21)],
    )
    frames = [[a, b] if t % 3 else [b, a] for t, (a, b) in enumerate(zip(left, right, strict=True))]
    tracks = link(frames, range(21))
    assert all(ids == ([2, 1] if t % 3 else [1, 2]) for t, ids in enumerate(tracks))


@pytest.mark.parametrize(("gap", "same"), [(1, True), (MAX_GAP, True), (MAX_GAP + 1, False)])
def test_track_ends_after_a_long_gap(gap, same):
    assert (link([[pose()], [pose()]], [10, 10 + gap]) == [[1], [1]]) is same


def test_far_people_are_new_tracks():
    assert link([[pose()], [pose(x=1000)], []], [0, 1, 2]) == [[1], [2], []]


def test_distance_uses_the_joints_that_both_show():
    seen, other = pose(), pose(x=1000)
    other[COCO17.index("nose")] = seen[COCO17.index("nose")]
    seen[:, 2] = 0
    seen[COCO17.index("nose"), 2] = 1
    assert distances(seen, other[None]).tolist() == [0]
    other[COCO17.index("nose"), 2] = 0
    assert distances(seen, other[None]).tolist() == [np.inf]
