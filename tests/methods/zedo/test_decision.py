"""Selection of hypotheses: weights, expected error and spread against their definitions."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from zedo_core.methods.zedo.plausibility import expected_error, posterior_weights, spread_about
from zedo_core.metrics import mpjpe


def hypotheses(b: int = 3, h: int = 5) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    joints = torch.randn(b, h, 17, 3, generator=generator)
    return joints, posterior_weights(torch.randn(b, h, generator=generator))


def test_weights_are_probabilities_and_increase_with_plausibility() -> None:
    weights = posterior_weights(torch.tensor([[0.0, 1.0, -3.0], [-900.0, -901.0, -900.0]]))
    assert weights.sum(1).tolist() == pytest.approx([1.0, 1.0])
    assert weights[0, 1] > weights[0, 0] > weights[0, 2] > 0
    assert weights[1, 0] == weights[1, 2] > weights[1, 1]


def test_expected_error_is_the_weighted_mean_of_mpjpe() -> None:
    """Sums of 17 distances in float32: 1e-6."""
    joints, weights = hypotheses()
    found = expected_error(joints, weights, 2).numpy()
    x = joints.numpy().astype(float)
    for b in range(3):
        for i in range(5):
            expected = (weights[b].numpy() * mpjpe(x[b, [i] * 5], x[b], 2)).sum()
            assert found[b, i] == pytest.approx(expected, abs=1e-5)


def test_a_group_of_similar_poses_beats_a_slightly_more_plausible_outlier() -> None:
    joints = torch.zeros(1, 4, 17, 3)
    joints[0, 1:, 5, 0] = torch.tensor([1.00, 1.02, 1.01])
    weights = posterior_weights(torch.tensor([[0.05, 0.0, 0.0, 0.0]]))
    assert int(weights.argmax()) == 0 != int(expected_error(joints, weights, 0).argmin())


def test_spread_is_the_weighted_distance_from_the_chosen_one() -> None:
    joints, weights = hypotheses()
    found = spread_about(joints[:, 0], joints, weights, 0).numpy()
    x = joints.numpy().astype(float)
    x -= x[:, :, :1]
    expected = np.sqrt((weights.numpy()[..., None] * np.square(x - x[:, :1]).sum(-1)).sum(1))
    np.testing.assert_allclose(found, expected, atol=1e-5)  # float32
    assert (found[:, 0] == 0).all()


def test_a_single_hypothesis_has_no_spread() -> None:
    joints, weights = hypotheses(2, 1)
    assert (expected_error(joints, weights, 0) == 0).all() and (
        spread_about(joints[:, 0], joints, weights, 0) == 0
    ).all()
