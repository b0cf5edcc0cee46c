"""What only a GPU can show; left out where there is none. By hand: pytest tests/gpu -s"""

from __future__ import annotations

import numpy as np
import pytest
import torch

import zedo_core as zedo
from zedo_core.bench.work import People
from zedo_core.methods.zedo.recorded import Recorded
from zedo_core.nets.fused import FusedScore, fused_or_tabled
from zedo_core.nets.tabled import TabledScore

CUDA = torch.device("cuda")


def test_the_packaged_network_is_fused() -> None:
    net = zedo.load_lifter(device="cuda").prior.net
    times = torch.tensor([0.1, 0.02], device=CUDA)
    found = fused_or_tabled(net, times)
    assert isinstance(found, FusedScore)
    poses = 0.3 * torch.randn(5000, 17, 3, device=CUDA)
    with torch.inference_mode():
        expected = TabledScore(net, times)(poses, 1)
        assert float((found(poses, 1) - expected).abs().max() / expected.abs().max()) < 0.005


@pytest.mark.parametrize("rows", [1, 600])
def test_the_same_poses_as_on_the_cpu(rows: int) -> None:
    """Half precision may turn the choice among near equals, so medians are compared."""
    some = People.sample().cycled(rows)
    on_cpu, on_gpu = (
        zedo.load_lifter(device=device).lift_rows(some.xy, some.confidence, some.K, 10) for device in ("cpu", "cuda")
    )
    off = np.linalg.norm(on_cpu.joints[:, 0] - on_gpu.joints[:, 0], axis=-1)
    print(f"\n{rows} people: median {1000 * np.median(off):.2f} mm, 95 % below {1000 * np.quantile(off, 0.95):.2f} mm")
    assert np.median(off) < 0.002


def test_a_single_picture_is_recorded_and_stays_the_same(caplog: pytest.LogCaptureFixture) -> None:
    lifter, some = zedo.load_lifter(device="cuda"), People.sample().cycled(1)
    found = [lifter.lift_rows(some.xy, some.confidence, some.K, 10).joints for _ in range(4)]
    _, recorded = lifter._finders(10, 10, 0)
    assert isinstance(recorded, Recorded) and not caplog.records
    for again in found[1:]:
        np.testing.assert_allclose(again, found[0], rtol=0, atol=1e-4)


def test_too_little_memory_is_lived_with() -> None:
    """A million people at once would not fit a small share of the memory; the lifter halves until they do."""
    torch.cuda.set_per_process_memory_fraction(0.02)
    try:
        some = People.sample().cycled(20_000)
        found = zedo.load_lifter(device="cuda").lift_rows(some.xy, some.confidence, some.K, 10)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert np.isfinite(found.joints).all()
