"""A sampler: from noise at t = 1 to a sample, by the reverse SDE or the probability flow ODE (Song et al. 2021)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from zedo_core.diffusion.sde import SubVP

Predict = Callable[[Tensor, int], Tensor]
Constrain = Callable[[Tensor, int], Tensor]


def sampling_times(steps: int, start: float = 1.0, device: torch.device | str = "cpu") -> Float[Tensor, " n"]:
    """Times from `start` to 0.001 (or `start` / 2 if that is less), denser towards the end, in float64."""
    end = min(0.001, start / 2)
    return torch.linspace(start**0.5, end**0.5, steps + 1, dtype=torch.float64, device=device) ** 2


def reverse(
    predict: Predict,
    sde: SubVP,
    noise: Float[Tensor, "b *d"],
    times: Float[Tensor, " n"],
    generator: Generator | None,
    constrain: Constrain = lambda x, i: x,
) -> Float[Tensor, "b *d"]:
    """Euler steps from `noise`, a sample at `times[0]`, to `times[-1]`.

    `predict(x, i)` is the noise in x at times[i]. With a generator the stochastic reverse SDE is solved, otherwise the
    probability flow ODE. `constrain(x, i)` corrects a sample at times[i] before it is used. The last step returns the
    predicted clean sample.
    """
    x = constrain(noise, 0)
    score_weight = 1.0 if generator is not None else 0.5
    for i in range(len(times) - 1):
        t, dt = times[i], times[i] - times[i + 1]
        score = -predict(x, i) / float(sde.std(t))
        x = x + (0.5 * float(sde.beta(t)) * x + score_weight * float(sde.g_squared(t)) * score) * float(dt)
        if generator is not None and i < len(times) - 2:
            fresh = torch.randn(x.shape, generator=generator, dtype=x.dtype).to(x.device)
            x = x + float((sde.g_squared(t) * dt).sqrt()) * fresh
        x = constrain(x, i + 1)
    last = times[-1]
    return (x - float(sde.std(last)) * predict(x, len(times) - 1)) / float(sde.mean(last))


def time_of_noise(sde: SubVP, sigma: float) -> float:
    """The time at which the noise is `sigma` times as large as the sample, by bisection; 1 if there is none."""
    low, high = 0.0, 1.0
    for _ in range(50):
        middle = torch.tensor((low + high) / 2, dtype=torch.float64)
        if float(sde.std(middle) / sde.mean(middle)) < sigma:
            low = float(middle)
        else:
            high = float(middle)
    return high
