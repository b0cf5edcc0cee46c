"""Linking people without track ids from frame to frame."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from keypoint_cases import pose

from zedo_core.detection.matching import MAX_DISTANCE
from zedo_core.keypoints._people import Person, keypoints_from_people
from zedo_core.skeleton import COCO17
from zedo_core.types import Keypoints

MAX_GAP = 30  # frames


def link(frames: Sequence[Sequence[np.ndarray]], numbers: Sequence[int]) -> Keypoints:
    """The tracks of people without track ids."""
    people = [
        Person(frame=number, joints=joints) for number, poses in zip(numbers, frames, strict=True) for joints in poses
    ]
    return keypoints_from_people(people, COCO17, numbers, Path("clip.json"))


def assert_track(keypoints: Keypoints, track: int, joints: Sequence[np.ndarray]) -> None:
    np.testing.assert_array_equal(keypoints.xy[keypoints.track == track], np.stack(joints)[..., :2])


def test_linking_follows_two_people_who_pass_each_other():
    """Two people walk towards each other, swap sides, and are listed in changing order."""
    left, right = (
        [pose(x=100 + 20 * t) for t in range(21)],
        [pose(x=500 - 20 * t) + np.array([0, 90, 0]) for t in range(21)],
    )
    frames = [[a, b] if t % 3 else [b, a] for t, (a, b) in enumerate(zip(left, right, strict=True))]
    keypoints = link(frames, range(21))
    assert keypoints.track_ids.tolist() == [1, 2]
    assert_track(keypoints, 1, right)
    assert_track(keypoints, 2, left)


def test_two_people_walking_one_behind_the_other():
    """The second person gets close to where the first was; greedy matching of the nearest pair would swap the ids."""
    diagonal = float(np.linalg.norm(np.ptp(pose()[:, :2], axis=0)))
    first, second = ([pose(x=(start + 0.7 * MAX_DISTANCE * t) * diagonal) for t in range(3)] for start in (0, 0.4))
    keypoints = link(list(zip(first, second, strict=True)), range(3))
    assert keypoints.track_ids.tolist() == [1, 2]
    assert_track(keypoints, 1, first)
    assert_track(keypoints, 2, second)


@pytest.mark.parametrize(("gap", "same"), [(1, True), (MAX_GAP, True), (MAX_GAP + 1, False)])
def test_a_track_ends_after_a_long_gap(gap, same):
    assert (link([[pose()], [pose()]], [10, 10 + gap]).track.tolist() == [1, 1]) is same


def test_distant_people_are_new_tracks():
    keypoints = link([[pose()], [pose(x=1000)], []], [0, 1, 2])
    assert (keypoints.track.tolist(), keypoints.frame.tolist()) == ([1, 2], [0, 1])
