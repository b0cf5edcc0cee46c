"""Measured errors and their means: results that are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from evaluate_cases import lifted

from zedo_core.data import Samples
from zedo_core.evaluate.cases import select_rows
from zedo_core.evaluate.measure import PER_HYPOTHESIS, measure
from zedo_core.evaluate.plots import binned
from zedo_core.evaluate.summary import consecutive, summarise
from zedo_core.metrics import mpjpe
from zedo_core.skeleton import H36M17
from zedo_core.types import Lifted


def test_a_perfect_prediction_has_no_error(samples: Samples) -> None:
    """Rounding to float32 at 5 m is 0.5 um, which bounds all the errors."""
    numbers = summarise(samples, measure(samples, lifted(samples.joints_cam[:, None])))
    for metric in set(PER_HYPOTHESIS) - {"pck", "auc"}:
        assert numbers[metric]["chosen"] < 2e-3 and numbers[metric]["oracle"] < 2e-3
    for metric in ("position", "reprojection", "bones", "velocity", "acceleration"):
        assert numbers[metric] < 2e-3
    assert numbers["pck"]["chosen"] == 100.0
    assert max(numbers["joints"].values()) < 2e-3


def test_only_the_official_procrustes_alignment_allows_reflection(samples: Samples) -> None:
    mirrored = samples.joints_cam * np.array([-1.0, 1.0, 1.0])
    numbers = summarise(samples, measure(samples, lifted(mirrored[:, None])))
    assert numbers["pa_official"]["chosen"] < 2e-3 < 30 < numbers["pa_mpjpe"]["chosen"]


def test_the_official_protocol_does_not_subtract_the_predicted_root(samples: Samples) -> None:
    """All joints including the root are 30 mm off the pose's origin."""
    moved = samples.joints_cam + np.array([0.03, 0.0, 0.0])
    numbers = summarise(samples, measure(samples, lifted(moved[:, None], samples.joints_cam[:, None, 0])))
    assert numbers["mpjpe"]["chosen"] < 2e-3
    assert numbers["official"]["chosen"] == pytest.approx(30.0, abs=2e-3)
    assert numbers["position"] == pytest.approx(30.0, abs=2e-3)


def test_chosen_mean_median_and_oracle_of_known_hypotheses(samples: Samples) -> None:
    """Hypotheses in which all joints except the root are off by 17/16 of 40, 10 and 100 mm."""
    offset = np.zeros((3, 17, 3))
    offset[:, 1:, 1] = np.array([0.040, 0.010, 0.100])[:, None] * 17 / 16
    numbers = summarise(samples, measure(samples, lifted(samples.joints_cam[:, None] + offset)))
    expected = {"chosen": 40.0, "mean": 50.0, "median": 40.0, "oracle": 10.0}
    for kind, value in expected.items():
        assert numbers["mpjpe"][kind] == pytest.approx(value, abs=2e-3)
    assert numbers["mpjpe"]["chosen_interval"] == pytest.approx([40.0, 40.0], abs=2e-3)
    assert numbers["action_mean"]["mpjpe"] == pytest.approx({"chosen": 40.0, "oracle": 10.0}, abs=2e-3)


def test_means_over_frames_and_actions_and_intervals(samples: Samples) -> None:
    """One clip of 25 frames with its own action is wrong; the other 23 have another action."""
    two = replace(samples, action=(samples.sequence == 0).astype(int), actions=("right", "wrong"))
    joints = samples.joints_cam.copy()
    joints[samples.sequence == 0, 1:, 0] += 0.24 * 17 / 16
    numbers = summarise(two, measure(two, lifted(joints[:, None])))
    assert numbers["mpjpe"]["chosen"] == pytest.approx(10.0, abs=2e-3)
    assert numbers["action_mean"]["mpjpe"]["chosen"] == pytest.approx(120.0, abs=2e-3)
    low, high = numbers["mpjpe"]["chosen_interval"]
    assert low < 1e-2 and 20 < high < 40  # the wrong clip is drawn 0 to 3 times


def test_joints_without_truth_are_left_out(samples: Samples) -> None:
    known = tuple(joint for joint in H36M17.joints if joint not in ("spine", "neck_nose", "pelvis"))
    part = replace(samples, evaluated=known)
    joints = samples.joints_cam.copy()
    joints[:, H36M17.indices(("spine", "neck_nose"))] += 0.5
    numbers = summarise(part, measure(part, lifted(joints[:, None])))
    assert numbers["mpjpe"]["chosen"] < 2e-3 and set(numbers["joints"]) == set(known)


def test_velocities_are_between_consecutive_frames_only(samples: Samples) -> None:
    assert [len(run) for run in consecutive(samples)] == [25] * 24
    thinned = samples.take(slice(None, None, 2))
    assert all(len(run) == 1 for run in consecutive(thinned))
    assert summarise(thinned, measure(thinned, lifted(thinned.joints_cam[:, None])))["velocity"] is None


class TestWithoutScores:
    """A method may provide neither scores nor spreads nor origins."""

    def test_the_official_protocol_measures_from_the_root(self, samples: Samples) -> None:
        joints = samples.joints_cam[:, None].astype(np.float32) + np.float32(0.03)
        measured = measure(samples, Lifted(joints=joints))
        assert not {"score", "spread"} & set(measured)
        assert summarise(samples, measured)["official"]["chosen"] < 2e-3


def test_worst_median_and_best_rows_are_from_different_sequences() -> None:
    errors = np.arange(12.0)
    sequence = np.repeat([0, 1, 2, 3], 3)
    assert select_rows(errors, sequence, 2) == [
        *(("worst", 11), ("worst", 8)),
        *(("median", 6), ("median", 5)),
        *(("best", 0), ("best", 3)),
    ]
    everything = select_rows(errors, np.zeros(12, int), 5)
    assert len({row for _, row in everything}) == 12


def test_binned_gives_the_rms_of_equal_parts() -> None:
    x, y = binned(np.array([4.0, 1.0, 3.0, 2.0]), np.array([3.0, 1.0, 4.0, 1.0]), 2)
    np.testing.assert_allclose(x, [1.5, 3.5])
    np.testing.assert_allclose(y, [1.0, np.sqrt(12.5)])


def test_errors_agree_with_the_metrics(samples: Samples) -> None:
    rng = np.random.default_rng(0)
    joints = samples.joints_cam[:, None] + rng.normal(0, 0.05, (600, 3, 17, 3))
    measured = measure(samples, lifted(joints))
    truth = np.broadcast_to(samples.joints_cam[:, None], joints.shape)
    np.testing.assert_allclose(measured["mpjpe"], mpjpe(joints, truth, 0), atol=1e-6)
    np.testing.assert_allclose(measured["joint"].mean(1), measured["mpjpe"][:, 0], atol=1e-6)
