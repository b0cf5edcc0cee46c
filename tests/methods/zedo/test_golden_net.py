"""The SDE, the score network and the official files against numbers of the official code (see golden/README.md)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from zedo_core.diffusion.sde import SubVP
from zedo_core.errors import WeightsError
from zedo_core.methods.zedo.initial_poses import load_initial_poses
from zedo_core.methods.zedo.official import official_key
from zedo_core.methods.zedo.prior import Prior, load_official_prior, load_prior, save_prior
from zedo_core.nets.tabulated import TabulatedScore
from zedo_core.skeleton import H36M17
from zedo_core.weights import packaged

GOLDEN = Path(__file__).parents[2] / "golden"
NUMBERS = dict(np.load(GOLDEN / "official_numbers.npz"))
CHECKPOINT = GOLDEN / "checkpoint_tiny.pth"


@pytest.fixture(scope="module")
def prior() -> Prior:
    return load_prior(CHECKPOINT)


def difference(name: str, found: torch.Tensor, record: pytest.FixtureRequest) -> float:
    """Largest difference from the official array, relative to its largest value; shown by `pytest -s`."""
    expected = NUMBERS[name]
    largest = float(np.abs(found.double().numpy() - expected).max() / np.abs(expected).max())
    print(f"\n{record.node.name}: {name} differs by {largest:.1e}")
    return largest


@pytest.mark.parametrize("t", ["0.01", "0.05", "0.1"])
def test_sde(t: str, request: pytest.FixtureRequest) -> None:
    """The official code computes in float32 and 1 - exp(-x) loses digits at small t: 1e-5 relative to the largest."""
    sde, time = SubVP(), torch.tensor([float(t)], dtype=torch.float64)
    got = torch.cat([sde.mean(time), sde.std(time), -0.5 * sde.beta(time), sde.g_squared(time).sqrt()])
    assert difference(f"sde_t{t}", got, request) < 1e-5


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("t", ["0.01", "0.1", "0.5", "1.0"])
def test_net(prior: Prior, t: str, dtype: torch.dtype, request: pytest.FixtureRequest) -> None:
    """Rounding of float32 (1e-7) through six layers on both sides, and sin(999 t) loses three digits: 1e-4."""
    net = load_prior(CHECKPOINT).net.to(dtype)
    poses = torch.from_numpy(NUMBERS["gt_cam"]).to(dtype)
    with torch.no_grad():
        got = net(poses, net.time_rows(torch.tensor([float(t)], dtype=dtype)))
    assert difference(f"net_out_t{t}", got, request) < 1e-4


@pytest.mark.parametrize(
    ("weights", "dtype", "within"),
    [(CHECKPOINT, torch.float64, 1e-11), (packaged("prior"), torch.float32, 1e-5)],
    ids=["tiny", "packaged"],
)
def test_the_tabulated_network_is_the_same(weights: Path, dtype: torch.dtype, within: float) -> None:
    """Except for rounding, which groups of two similar channels in the tiny network may magnify."""
    net = load_prior(weights).net.to(dtype)
    poses = torch.randn(9, 17, 3, dtype=dtype, generator=torch.Generator().manual_seed(0))
    times = torch.tensor([0.01, 0.3, 1.0], dtype=dtype)
    with torch.no_grad():
        tabulated = TabulatedScore(net, times)
        for i in range(len(times)):
            expected = net(poses, net.time_rows(times[i : i + 1]))
            assert float((tabulated(poses, i) - expected).abs().max() / expected.abs().max()) < within


def test_sizes_from_the_official_checkpoint(prior: Prior) -> None:
    sizes = prior.net.config
    assert (sizes.joints, sizes.width, sizes.time_width, sizes.blocks) == (17, 64, 32, 2)
    assert prior.skeleton == H36M17 and not prior.net.training


def test_saving_and_loading_a_prior(prior: Prior, tmp_path: Path) -> None:
    save_prior(tmp_path, prior.net, prior.sde, prior.skeleton, "tiny", half=False)
    again = load_prior(tmp_path)
    assert again.name == "tiny" and again.sde == prior.sde
    for name, value in prior.net.state_dict().items():
        torch.testing.assert_close(again.net.state_dict()[name], value, rtol=0, atol=0)


def test_unknown_keys_are_refused() -> None:
    with pytest.raises(WeightsError, match="not one of ZeDO's"):
        official_key("module.extra.weight")


@pytest.mark.parametrize("missing", ["module.post_dense.weight", "module.b1_dense1.weight", "module.pre_dense.weight"])
def test_an_incomplete_checkpoint_is_refused(missing: str, tmp_path: Path) -> None:
    content = torch.load(CHECKPOINT, weights_only=True)
    del content["model_state_dict"][missing]
    torch.save(content, tmp_path / "hole.pth")
    with pytest.raises(WeightsError):
        load_official_prior(tmp_path / "hole.pth")


def test_official_initial_poses_are_relative_to_the_root() -> None:
    sets = load_initial_poses(GOLDEN / "clusters_tiny_4.npy")
    raw = np.load(GOLDEN / "clusters_tiny_4.npy")
    assert sets.keys() == {4}
    np.testing.assert_allclose(sets[4], raw - raw[:, :1], atol=1e-6)  # float32 of metres
