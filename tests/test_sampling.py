"""Samplers against a case with a known answer, and poses from the packaged prior."""

from __future__ import annotations

import pytest
import torch

from zedo_core.checkpoint import load_prior
from zedo_core.diffusion.sample import reverse, sampling_times
from zedo_core.diffusion.sde import SubVP
from zedo_core.errors import InputError
from zedo_core.hub import find_weights
from zedo_core.methods.zedo.initial import bone_length
from zedo_core.sampling import generate


@pytest.mark.parametrize("stochastic", [True, False])
def test_a_gaussian_is_sampled_with_its_mean_and_width(stochastic: bool) -> None:
    """Data N(0.3, 0.2^2): the noise in x is known exactly. 4 standard errors of 20 000 draws, plus the steps' error."""
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


def test_poses_from_the_prior_are_bodies() -> None:
    """The bones of the people that it was trained on add up to 4.1 m, give or take a tenth."""
    prior = load_prior(find_weights("prior", "prior"))
    poses = generate(prior, 64, seed=1, steps=100)
    length = bone_length(poses, prior.skeleton)
    assert 3.7 < float(length.median()) < 4.5
    assert float(poses[:, prior.skeleton.index("pelvis")].norm(dim=-1).median()) < 0.02
    assert torch.equal(poses, generate(prior, 64, seed=1, steps=100))
    assert not torch.equal(poses, generate(prior, 64, seed=2, steps=100))


def test_counts_below_one_are_refused() -> None:
    prior = load_prior(find_weights("prior", "prior"))
    with pytest.raises(InputError, match="at least 1 pose"):
        generate(prior, 0)
