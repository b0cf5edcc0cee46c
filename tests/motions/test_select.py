"""The choice among hypotheses: along a track against all paths there are, the mean of the mode, and what it gains."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from export_cases import clip, poses_of

import zedo_core as zedo
from zedo_core.camera import Camera
from zedo_core.data import mocap_clips
from zedo_core.errors import InputError
from zedo_core.metrics import motion_errors, mpjpe
from zedo_core.motions.select import CHOICES, MOTION, cheapest_path
from zedo_core.skeleton import H36M17
from zedo_core.types import Keypoints, Poses


def with_hypotheses(offsets: np.ndarray, errors_m: np.ndarray, **fields) -> Poses:
    """A clip of one person whose hypotheses (t, h) have the left wrist moved forward by metres."""
    base = clip().joints[: len(offsets), :, 0]
    joints = np.repeat(base[:, :, None], offsets.shape[1], axis=2)
    joints[:, 0, :, H36M17.index("left_wrist"), 2] += offsets
    usual = poses_of(base, fps=30.0)
    spread = usual.spread
    return replace(usual, joints=joints, score=-errors_m[:, None], spread=spread, **fields)


def test_the_path_is_the_cheapest_of_all():
    rng = np.random.default_rng(0)
    for _ in range(20):
        cost, motion, steps = rng.random((5, 3)), rng.random((4, 3, 3)), rng.uniform(0.02, 0.2, 4)
        weight = MOTION / 30 / steps

        def total(path, cost=cost, motion=motion, weight=weight):
            moved = [weight[i] * motion[i, path[i], path[i + 1]] for i in range(4)]
            return sum(cost[i, h] for i, h in enumerate(path)) + sum(moved)

        best = min(product(range(3), repeat=5), key=total)
        assert tuple(cheapest_path(cost, motion, steps)) == best


def test_one_frame_that_prefers_another_pose_does_not_have_its_way():
    """The wrist is 1 m off in the second hypothesis, whose expected error is the least in frame 7 alone."""
    errors = np.tile((0.05, 0.09), (20, 1))
    errors[7] = 0.09, 0.05
    poses = with_hypotheses(np.tile((0.0, 1.0), (20, 1)), errors)
    assert zedo.select(poses, "best").chosen[7, 0] == 1
    assert (zedo.select(poses, "track").chosen == 0).all()
    errors[7] = 0.25, 0.05  # worth going there and back: 2 x 1.5 x 1 m / 17 joints = 0.18
    assert zedo.select(replace(poses, score=-errors[:, None]), "track").chosen[:, 0].nonzero()[0].tolist() == [7]


def test_after_a_long_gap_a_new_path_begins():
    """Before and after two seconds of absence other hypotheses are better; a path over a gap would cost more."""
    errors = np.tile((0.05, 0.051), (20, 1))
    errors[10:] = 0.051, 0.05
    offsets = np.tile((0.0, 1.0), (20, 1))
    whole = zedo.select(with_hypotheses(offsets, errors), "track")
    assert len(np.unique(whole.chosen)) == 1
    numbers = np.arange(20) + np.where(np.arange(20) >= 10, 60, 0)
    parted = zedo.select(with_hypotheses(offsets, errors, frame_numbers=numbers), "track")
    assert parted.chosen[:, 0].tolist() == [0] * 10 + [1] * 10


def test_absent_people_and_unknown_scores():
    errors = np.tile((0.05, 0.06, np.nan), (20, 1))
    errors[3:6] = np.nan
    poses = with_hypotheses(np.zeros((20, 3)), errors)
    for choice in CHOICES:
        found = zedo.select(poses, choice)
        assert found.chosen[:, 0].tolist() == [0] * 3 + [-1] * 3 + [0] * 14
        np.testing.assert_array_equal(found.joints[3:6], poses.joints[3:6])


def test_single_frames_are_chosen_alike():
    rng = np.random.default_rng(1)
    poses = with_hypotheses(rng.random((1, 6)), rng.random((1, 6)))
    assert zedo.select(poses, "track").chosen == zedo.select(poses, "best").chosen == poses.score.argmax()


def test_the_mean_is_over_the_near_ones():
    """The wrist of hypothesis 1 is 0.1 m off, that of hypothesis 2 1.7 m, a mean over the joints of 6 mm and 100 mm."""
    errors = np.tile((0.05, 0.05, 0.05), (4, 1))
    poses = with_hypotheses(np.tile((0.0, 0.1, 1.7), (4, 1)), errors)
    found = zedo.select(poses, "mean")
    moved = found.best - poses.joints[:, :, 0]
    wrist = H36M17.index("left_wrist")
    np.testing.assert_allclose(moved[:, 0, wrist, 2], 0.05, atol=1e-9)
    assert np.abs(np.delete(moved, wrist, axis=2)).max() < 1e-9
    np.testing.assert_array_equal(found.joints[:, :, 1:], poses.joints[:, :, 1:])


def test_what_is_not_to_be_trusted():
    """A large expected error of the chosen hypothesis, or a joint that is not known; not who is absent."""
    errors = np.tile((0.05, 0.05), (5, 1))
    errors[1], errors[2] = (0.096, 0.05), (0.05, 0.5)
    poses = with_hypotheses(np.zeros((5, 2)), errors)
    joints, chosen = poses.joints.copy(), poses.chosen.copy()
    joints[3, 0, 0, 4], joints[4], chosen[4] = np.nan, np.nan, -1
    poses = replace(poses, joints=joints, chosen=chosen)
    assert poses.doubtful[:, 0].tolist() == [False, True, False, True, False]
    np.testing.assert_allclose(poses.expected_error_m[:, 0], [0.05, 0.096, 0.05, 0.05, np.nan])


def test_an_unknown_choice_is_refused():
    with pytest.raises(InputError, match="expected a choice of best, track, mean, got 'worst'"):
        zedo.select(clip(), "worst")


def test_it_beats_the_choice_frame_by_frame_on_a_noisy_walk():
    """Lifted motion capture with 5 px of noise: less error and a quarter less error of the accelerations."""
    samples = mocap_clips.clips(mocap_clips.motions(None, "test"))
    rows = np.flatnonzero(samples.sequence == samples.sequence[0])[:40]
    truth = samples.joints_cam[rows]
    xy = samples.xy[rows] + np.random.default_rng(0).normal(0, 5, (len(rows), 17, 2))
    keypoints = Keypoints(
        xy=xy[:, None],
        confidence=np.ones((len(rows), 1, 17)),
        skeleton=H36M17,
        frame_numbers=np.arange(len(rows)),
        track_ids=np.zeros(1, int),
        fps=30.0,
    )
    hypotheses = zedo.lift(keypoints, Camera.from_matrix(samples.K[rows[0]]))
    error, jerks = {}, {}
    for choice in ("best", "track"):
        found = zedo.select(hypotheses, choice).best[:, 0]
        error[choice] = mpjpe(found, truth, 0).mean()
        jerks[choice] = motion_errors(found, truth, 0, 2).mean()
    assert error["track"] <= error["best"] + 1e-3
    assert jerks["track"] < 0.9 * jerks["best"]
