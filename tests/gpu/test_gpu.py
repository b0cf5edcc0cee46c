"""Tests that need a GPU; not collected without one. By hand: pytest tests/gpu -s"""

from __future__ import annotations

import numpy as np
import pytest
import torch

import zedo_core as zedo
from zedo_core.data.mocap_clips import CAMERA, sample_keypoints
from zedo_core.methods.zedo.loading import load
from zedo_core.methods.zedo.recorded import Recorded
from zedo_core.nets.fused import FusedScore, fused_or_tabulated
from zedo_core.nets.tabulated import TabulatedScore

CUDA = torch.device("cuda")


def test_the_packaged_network_is_fused() -> None:
    net = load(device="cuda").prior.net
    times = torch.tensor([0.1, 0.02], device=CUDA)
    found = fused_or_tabulated(net, times)
    assert isinstance(found, FusedScore)
    poses = 0.3 * torch.randn(5000, 17, 3, device=CUDA)
    with torch.inference_mode():
        expected = TabulatedScore(net, times)(poses, 1)
        assert float((found(poses, 1) - expected).abs().max() / expected.abs().max()) < 0.005


@pytest.mark.parametrize("rows", [1, 600])
def test_the_same_poses_as_on_the_cpu(rows: int) -> None:
    """Half precision may change the selection among similar poses, so medians are compared."""
    keypoints = sample_keypoints(rows)
    on_cpu, on_gpu = (zedo.load_lifter(device=device).lift(keypoints, (CAMERA,), 10) for device in ("cpu", "cuda"))
    distance_m = np.linalg.norm(on_cpu.joints[:, 0] - on_gpu.joints[:, 0], axis=-1)
    median_mm, most_mm = 1000 * np.quantile(distance_m, (0.5, 0.95))
    print(f"\n{rows} people: median {median_mm:.2f} mm, 95 % below {most_mm:.2f} mm")
    assert median_mm < 2


def test_lifting_a_single_person_is_recorded_with_the_same_result(caplog: pytest.LogCaptureFixture) -> None:
    lifter = load(device="cuda", preset="zero-shot-prior-only")  # with ERD's start there is no recording
    found = [lifter.lift(sample_keypoints(1), (CAMERA,), 10).joints for _ in range(4)]
    _, recorded = lifter._batch_functions(10, 10, 0)
    assert isinstance(recorded, Recorded) and not caplog.records
    for again in found[1:]:
        np.testing.assert_allclose(again, found[0], rtol=0, atol=1e-4)


def test_batches_are_halved_when_memory_runs_out() -> None:
    """Batches do not fit into a small fraction of the memory until they are halved."""
    torch.cuda.set_per_process_memory_fraction(0.02)
    try:
        found = zedo.load_lifter(device="cuda").lift(sample_keypoints(20_000), (CAMERA,), 10)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert np.isfinite(found.joints).all()
