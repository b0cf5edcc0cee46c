"""Samplers against a known distribution, and poses from the packaged prior."""

from __future__ import annotations

import pytest
import torch

from zedo_core.data import mocap_clips
from zedo_core.diffusion.sample import reverse, sampling_times, time_of_noise
from zedo_core.diffusion.sde import SubVP
from zedo_core.errors import InputError
from zedo_core.methods.zedo.initial_poses import bone_length
from zedo_core.methods.zedo.prior import Prior, load_prior
from zedo_core.methods.zedo.sampling import complete, denoise, generate
from zedo_core.skeleton import H36M17
from zedo_core.weights import find_weights


@pytest.fixture(scope="module")
def prior() -> Prior:
    return load_prior(find_weights("prior", "prior"))


@pytest.fixture(scope="module")
def bodies() -> torch.Tensor:
    """Forty people of the packaged sample, relative to the pelvis."""
    joints = torch.from_numpy(mocap_clips.load(None).joints_cam[::15]).float()
    return joints - joints[:, :1]


@pytest.mark.parametrize("stochastic", [True, False])
def test_mean_and_width_of_a_sampled_gaussian(stochastic: bool) -> None:
    """For data N(0.3, 0.2^2) the noise is known exactly. 4 standard errors of 20 000 draws, plus discretisation."""
    sde, centre, width = SubVP(), 0.3, 0.2
    times = sampling_times(500)

    def predict(x: torch.Tensor, i: int) -> torch.Tensor:
        mean, std = sde.mean(times[i]), sde.std(times[i])
        return (std * (x - mean * centre) / (mean**2 * width**2 + std**2)).to(x.dtype)

    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(20_000, generator=generator, dtype=torch.float64)
    x = reverse(predict, sde, noise, times, generator if stochastic else None)
    assert float(x.mean()) == pytest.approx(centre, abs=0.006 + 0.005)
    assert float(x.std()) == pytest.approx(width, rel=0.02 + 0.03)


def test_sampled_poses_have_the_size_of_people(prior: Prior) -> None:
    """The bones of the training poses add up to 4.1 m within a tenth."""
    poses = generate(prior, 64, seed=1, steps=100)
    length = bone_length(poses, prior.skeleton)
    assert 3.7 < float(length.median()) < 4.5
    assert float(poses[:, prior.skeleton.index("pelvis")].norm(dim=-1).median()) < 0.02
    assert torch.equal(poses, generate(prior, 64, seed=1, steps=100))
    assert not torch.equal(poses, generate(prior, 64, seed=2, steps=100))


def test_counts_below_one_are_refused(prior: Prior) -> None:
    with pytest.raises(InputError, match="at least 1 pose"):
        generate(prior, 0)


def test_the_diffusion_time_of_a_noise_level() -> None:
    sde = SubVP()
    for sigma in (0.005, 0.03, 0.5):
        t = torch.tensor(time_of_noise(sde, sigma), dtype=torch.float64)
        assert float(sde.std(t) / sde.mean(t)) == pytest.approx(sigma, rel=1e-6)
    assert time_of_noise(sde, 1e9) == pytest.approx(1.0)


def test_noise_is_removed(prior: Prior, bodies: torch.Tensor) -> None:
    """Measured: 47 mm are reduced to 30 for 30 mm in each coordinate, 95 mm to 51 for 60 mm."""
    for sigma, remains in ((0.03, 0.75), (0.06, 0.65)):
        noise = sigma * torch.randn(bodies.shape, generator=torch.Generator().manual_seed(0))
        clean = denoise(prior, bodies + noise, sigma, steps=50)
        assert float((clean - bodies).norm(dim=-1).mean()) < remains * float(noise.norm(dim=-1).mean())
    with pytest.raises(InputError, match="noise above 0"):
        denoise(prior, bodies, 0.0)


def test_missing_joints_are_completed(prior: Prior, bodies: torch.Tensor) -> None:
    """A shank and a forearm have the length of the other side, and another direction with another seed."""
    known = torch.ones(bodies.shape[:2], dtype=torch.bool)
    missing = H36M17.indices(("left_ankle", "right_wrist"))
    known[:, missing] = False
    given = torch.where(known[..., None], bodies, torch.nan)
    first, second = (complete(prior, given, known, seed=seed, steps=100) for seed in (0, 1))
    assert torch.equal(first[known], bodies[known]) and torch.isfinite(first).all()
    assert not torch.equal(first, second)
    for joint, end in (("knee", "ankle"), ("elbow", "wrist")):
        left, right = (
            (first[:, H36M17.index(f"{side}_{end}")] - first[:, H36M17.index(f"{side}_{joint}")]).norm(dim=-1)
            for side in ("left", "right")
        )
        assert float(((left - right).abs() / (left + right)).median()) < 0.06
    error = (first - bodies)[:, missing].norm(dim=-1)
    at_pelvis = torch.zeros_like(bodies) - bodies  # error of joints placed at the pelvis
    assert float(error.mean()) < 0.6 * float(at_pelvis[:, missing].norm(dim=-1).mean())
    with pytest.raises(InputError, match="expected every pose to have its pelvis"):
        complete(prior, bodies, torch.zeros_like(known))
