"""ZeDO's benchmark: the plain loop gives the same result, and the counts are exact."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode
from zedo_cases import J, people, tiny_lifter, tiny_prior
from zedo_cases import scene as random_scene

from zedo_core.data.mocap_clips import sample_keypoints
from zedo_core.methods.observations import Observations
from zedo_core.methods.zedo import preset, workloads
from zedo_core.methods.zedo.loading import load
from zedo_core.methods.zedo.plain import plain_loop, translation_by_inverse
from zedo_core.methods.zedo.plausibility import _DRAWS
from zedo_core.methods.zedo.workloads import Scene, count_network_rows, flops_per_row, our_loop

REFERENCE = replace(preset("reference"), iterations=50, adam_steps=20)


def test_the_plain_loop_and_ours_give_the_same_poses() -> None:
    """float32 differs by 0.03 mm after 50 iterations; another warm-up iteration would cause 2 mm, 1 % in step 1 mm."""
    lifter = load(device="cpu")
    some = sample_keypoints(40)
    confidence = np.random.default_rng(0).uniform(0.3, 1.0, some.confidence.shape)
    scene = Scene.from_keypoints(lifter, replace(some, confidence=confidence), 2, REFERENCE)
    ours, T = our_loop(lifter, scene, REFERENCE)
    plain, T_plain = plain_loop(lifter.prior, scene.observed, scene.pose, scene.T, REFERENCE)
    assert ours.shape == plain.shape == (40, 2, J, 3)
    assert (ours - plain).abs().max() < 2e-4
    assert (T - T_plain).norm(dim=-1).div(T.norm(dim=-1)).max() < 1e-3
    assert (ours - scene.pose).norm(dim=-1).mean() > 0.05


def test_the_inverse_finds_the_translation() -> None:
    pose, T, slopes, confidence = random_scene(0, 8)
    found = translation_by_inverse(pose, Observations(slopes, confidence, torch.ones(8, 2, dtype=pose.dtype)))
    torch.testing.assert_close(found, T, rtol=1e-8, atol=1e-8)


def test_our_loop_does_not_depend_on_the_batch_size(monkeypatch: pytest.MonkeyPatch) -> None:
    options = replace(REFERENCE, iterations=3, adam_steps=2)
    lifter = tiny_lifter()
    scene = Scene.from_keypoints(lifter, sample_keypoints(7), 2, options)
    whole = our_loop(lifter, scene, options)
    monkeypatch.setattr(workloads, "ROWS_CPU", 6)  # 3 people
    for part, expected in zip(our_loop(lifter, scene, options), whole, strict=True):
        torch.testing.assert_close(part, expected)


def test_flops_of_the_matrix_products() -> None:
    """Against numbers computed by hand and torch's counter."""
    net = tiny_prior().net
    assert flops_per_row(net) == 2 * (51 * 64 + 64 * 64 + 64 * 64 + 64 * 51)
    rows = net.time_rows(torch.tensor([0.05]))
    with FlopCounterMode(display=False) as counter:
        net(torch.zeros(3, J, 3), rows)
    assert counter.get_total_flops() == 3 * flops_per_row(net)


def test_counting_rows_of_the_network() -> None:
    """4 iterations and the noise samples of the residual, for 3 candidates or 5 hypotheses."""
    lifter = tiny_lifter()
    assert count_network_rows(lambda: lifter.lift_rows(*people(2), 1)) == 2 * 3 * (4 + _DRAWS)
    assert count_network_rows(lambda: lifter.lift_rows(*people(2), 5)) == 2 * 5 * (4 + _DRAWS)
