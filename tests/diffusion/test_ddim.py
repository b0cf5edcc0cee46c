"""DDIM: the schedule against its definition, and the sampler where the optimal prediction is known."""

from __future__ import annotations

import math

import pytest
import torch

from zedo_core.diffusion.ddim import clean_weight, cosine_signal, ddim, ddim_times, noised


def test_the_signal_is_the_product_of_the_paper() -> None:
    """Nichol and Dhariwal 2021: beta_t = min(1 - f(t) / f(t - 1), 0.999), written out step by step."""
    product, found = 1.0, cosine_signal(50)
    assert found[0] == 1 and len(found) == 51
    for t in range(1, 51):
        now, before = (math.cos((i / 50 + 0.008) / 1.008 * math.pi / 2) ** 2 for i in (t, t - 1))
        product *= 1 - min(1 - now / before, 0.999)
        assert float(found[t]) == pytest.approx(product, rel=1e-9)


def test_times_are_even() -> None:
    assert ddim_times(5).tolist() == [1000, 800, 600, 400, 200, 0] and ddim_times(1).tolist() == [1000, 0]


@pytest.mark.parametrize("eta", [0.0, 1.0])
def test_gaussian_samples(eta: float) -> None:
    """For samples with mean 3 and deviation 0.5 the best prediction is known; 200 steps give them within 2 %."""
    signal = cosine_signal()[ddim_times(200)]

    def denoise(y: torch.Tensor, i: int) -> torch.Tensor:
        a = float(signal[i])
        return 3 + math.sqrt(a) * 0.25 / (a * 0.25 + 1 - a) * (y - math.sqrt(a) * 3)

    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(20_000, 1, generator=generator, dtype=torch.float64)
    *_, last = ddim(denoise, signal, noise, eta, generator)
    assert float(last.sample.mean()) == pytest.approx(3, abs=0.02)
    assert float(last.sample.std()) == pytest.approx(0.5, rel=0.02)
    if eta == 0:  # deterministic: noise z becomes 3 + z / 2
        torch.testing.assert_close(last.sample, 3 + noise / 2, rtol=0, atol=0.03)


def test_a_step_is_that_of_the_paper() -> None:
    """Equation 12 of DDIM, with sqrt(alpha-bar) times the clean sample."""
    y, clean = torch.tensor([[0.7]], dtype=torch.float64), 0.4
    signal = torch.tensor([0.3, 0.8, 1.0], dtype=torch.float64)
    first, last = ddim(lambda *_: torch.full_like(y, clean), signal, y)
    noise = (0.7 - math.sqrt(0.3) * clean) / math.sqrt(0.7)
    assert float(first.sample) == pytest.approx(math.sqrt(0.8) * clean + math.sqrt(0.2) * noise)
    assert float(first.clean) == float(last.sample) == clean


def test_one_step_is_the_prediction() -> None:
    y = torch.randn(3, 2)
    (only,) = ddim(lambda x, i: 2 * x, cosine_signal()[ddim_times(1)], y)
    torch.testing.assert_close(only.sample, 2 * y)


def test_noise_and_weights() -> None:
    clean, noise = torch.ones(2, 3, 1), torch.full((2, 3, 1), 2.0)
    mixed = noised(clean, torch.tensor([1.0, 0.36]), noise)
    torch.testing.assert_close(mixed[:, 0, 0], torch.tensor([1.0, 0.6 + 0.8 * 2]))
    signal = torch.tensor([0.0, 0.36, 1.0])
    torch.testing.assert_close(clean_weight(signal), torch.tensor([1.0, 1.45, 3.0]))
