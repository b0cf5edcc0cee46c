"""Selection of hypotheses: the cheapest path against exhaustive search, the mean near it, and the gain in accuracy."""

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
    joints = np.repeat(clip().best[: len(offsets), None, None], offsets.shape[1], axis=2)
    joints[:, 0, :, H36M17.index("left_wrist"), 2] += offsets
    return poses_of(joints, score=-errors_m[:, None], fps=30.0, **fields)


def test_the_path_is_the_cheapest_by_exhaustive_search():
    rng = np.random.default_rng(0)
    for _ in range(20):
        cost, motion, steps = rng.random((5, 3)), rng.random((4, 3, 3)), rng.uniform(0.02, 0.2, 4)
        weight = MOTION / 30 / steps

        def total(path, cost=cost, motion=motion, weight=weight):
            steps = [weight[i] * motion[i, path[i], path[i + 1]] for i in range(4)]
            return sum(cost[i, h] for i, h in enumerate(path)) + sum(steps)

        best = min(product(range(3), repeat=5), key=total)
        assert tuple(cheapest_path(cost, motion, steps)) == best


def test_a_single_frame_that_prefers_another_hypothesis_is_overruled():
    """The wrist is 1 m off in the second hypothesis, whose expected error is the smallest in frame 7 only."""
    errors = np.tile((0.05, 0.09), (20, 1))
    errors[7] = 0.09, 0.05
    poses = with_hypotheses(np.tile((0.0, 1.0), (20, 1)), errors)
    assert zedo.select(poses, "best").chosen[7] == 1
    assert (zedo.select(poses, "track").chosen == 0).all()
    errors[7] = 0.25, 0.05  # worth going there and back: 2 x 1.5 x 1 m / 17 joints = 0.18
    assert zedo.select(replace(poses, score=-errors), "track").chosen.nonzero()[0].tolist() == [7]


def test_after_a_long_gap_a_new_path_begins():
    """Different hypotheses are better before and after an absence of two seconds; one path would not switch."""
    errors = np.tile((0.05, 0.051), (20, 1))
    errors[10:] = 0.051, 0.05
    offsets = np.tile((0.0, 1.0), (20, 1))
    whole = zedo.select(with_hypotheses(offsets, errors), "track")
    assert len(np.unique(whole.chosen)) == 1
    numbers = np.arange(20) + np.where(np.arange(20) >= 10, 60, 0)
    parted = zedo.select(with_hypotheses(offsets, errors, frame_numbers=numbers), "track")
    assert parted.chosen.tolist() == [0] * 10 + [1] * 10


def test_absent_people_and_unknown_scores():
    poses = with_hypotheses(np.zeros((20, 3)), np.tile((0.05, 0.06, np.nan), (20, 1)))
    poses = poses.take(~np.isin(poses.frame, (3, 4, 5)))
    for choice in CHOICES:
        found = zedo.select(poses, choice)
        np.testing.assert_array_equal(found.frame, poses.frame)
        assert (found.chosen == 0).all()


def test_without_scores_the_motion_decides():
    """The wrist of one hypothesis jumps from frame to frame, that of the other does not; no poses are lost."""
    offsets = np.stack([np.arange(20) % 2, np.zeros(20)], axis=1)
    poses = with_hypotheses(offsets, np.full((20, 2), np.nan))
    np.testing.assert_array_equal(zedo.select(poses, "track").best, poses.joints[:, 1])
    assert (zedo.select(poses, "best").chosen == 0).all()
    assert np.isfinite(zedo.select(poses, "mean").best).all()


def test_all_choices_agree_on_a_single_frame():
    rng = np.random.default_rng(1)
    poses = with_hypotheses(rng.random((1, 6)), rng.random((1, 6)))
    assert zedo.select(poses, "track").chosen == zedo.select(poses, "best").chosen == poses.score.argmax()


def test_the_mean_is_over_nearby_hypotheses():
    """The wrist is 0.1 m off in hypothesis 1 and 1.7 m in hypothesis 2: 6 mm and 100 mm on average over the joints."""
    errors = np.tile((0.05, 0.05, 0.05), (4, 1))
    poses = with_hypotheses(np.tile((0.0, 0.1, 1.7), (4, 1)), errors)
    found = zedo.select(poses, "mean")
    moved = found.best - poses.joints[:, 0]
    wrist = H36M17.index("left_wrist")
    np.testing.assert_allclose(moved[:, wrist, 2], 0.05, atol=1e-9)
    assert np.abs(np.delete(moved, wrist, axis=1)).max() < 1e-9
    np.testing.assert_array_equal(found.joints[:, 1:], poses.joints[:, 1:])


def test_doubtful_poses():
    """A large expected error of the chosen hypothesis, or an unknown joint."""
    errors = np.tile((0.05, 0.05), (4, 1))
    errors[1], errors[2] = (0.096, 0.05), (0.05, 0.5)
    poses = with_hypotheses(np.zeros((4, 2)), errors)
    joints = poses.joints.copy()
    joints[3, 0, 4] = np.nan
    poses = replace(poses, joints=joints)
    assert poses.doubtful.tolist() == [False, True, False, True]
    np.testing.assert_allclose(poses.expected_error_m, [0.05, 0.096, 0.05, 0.05])


def test_an_unknown_choice_is_refused():
    with pytest.raises(InputError, match="expected one of the choices best, track, mean, got 'worst'"):
        zedo.select(clip(), "worst")


def test_track_is_better_than_best_on_a_noisy_walk():
    """Lifted motion capture with 5 px of noise: no larger error, and smaller errors of the accelerations."""
    samples = mocap_clips.clips(mocap_clips.motions(None, "test"))
    rows = np.flatnonzero(samples.sequence == samples.sequence[0])[:40]
    truth = samples.joints_cam[rows]
    xy = samples.xy[rows] + np.random.default_rng(0).normal(0, 5, (len(rows), 17, 2))
    keypoints = Keypoints.from_dense(xy[:, None], np.ones((len(rows), 1, 17)), H36M17, fps=30.0)
    lifter = zedo.load_lifter(preset="zero-shot-prior-only")  # each frame alone: the default's best is a motion already
    hypotheses = zedo.lift(keypoints, Camera.from_matrix(samples.K[rows[0]]), lifter=lifter)
    error, acceleration_error = {}, {}
    for choice in ("best", "track"):
        found = zedo.select(hypotheses, choice).best
        error[choice] = mpjpe(found, truth, 0).mean()
        acceleration_error[choice] = motion_errors(found, truth, 0, 2).mean()
    assert error["track"] <= error["best"] + 1e-3
    assert acceleration_error["track"] < 0.9 * acceleration_error["best"]
