"""Samplers: from noise at t = 1 to a sample, by the reverse SDE or the probability-flow ODE (Song et al. 2021)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from zedo_core.diffusion.sde import SubVP

Predict = Callable[[Tensor, int], Tensor]


def sampling_times(steps: int, device: torch.device | str = "cpu") -> Float[Tensor, " n"]:
    """Times from 1 to 0.001, denser towards the end, in float64."""
    return torch.linspace(1.0, 0.001**0.5, steps + 1, dtype=torch.float64, device=device) ** 2


def reverse(
    predict: Predict, sde: SubVP, noise: Float[Tensor, "b *d"], times: Float[Tensor, " n"], generator: Generator | None
) -> Float[Tensor, "b *d"]:
    """Euler steps from `noise`, a sample at `times[0]`, to `times[-1]`.

    `predict(x, i)` is the noise in x at times[i]. With a generator the stochastic reverse SDE, else
    the probability flow. The last step ends at the predicted clean sample.
    """
    x = noise
    half = 1.0 if generator is not None else 0.5
    for i in range(len(times) - 1):
        t, dt = times[i], times[i] - times[i + 1]
        score = -predict(x, i) / float(sde.std(t))
        x = x + (0.5 * float(sde.beta(t)) * x + half * float(sde.g_squared(t)) * score) * float(dt)
        if generator is not None and i < len(times) - 2:
            fresh = torch.randn(x.shape, generator=generator, dtype=x.dtype).to(x.device)
            x = x + float((sde.g_squared(t) * dt).sqrt()) * fresh
    last = times[-1]
    return (x - float(sde.std(last)) * predict(x, len(times) - 1)) / float(sde.mean(last))
