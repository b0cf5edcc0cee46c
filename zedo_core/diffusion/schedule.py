"""Schedules: the times at which the prior is evaluated, and the factors of each step."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from zedo_core.diffusion.sde import SubVP


@dataclass(frozen=True)
class Schedule:
    """Times t_i and the factors of the steps x <- x_factor_i x - noise_factor_i noise(x, t_i)."""

    times: Float[Tensor, " n"]
    x_factor: Float[Tensor, " n"]
    noise_factor: Float[Tensor, " n"]


def reverse_schedule(sde: SubVP, times: Float[Tensor, " n"], step: float | Float[Tensor, " n"]) -> Schedule:
    """Euler steps of the noiseless reverse SDE with the full score (ZeDO, Algorithm 1).

    x <- x + (beta x / 2 + g^2 score) step with score = -noise / std.
    """
    noise_factor = sde.g_squared(times) / sde.std(times) * step
    return Schedule(times, 1.0 + 0.5 * sde.beta(times) * step, noise_factor)


def relaxed_steps(sde: SubVP, times: Float[Tensor, " n"], shares: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
    """Step sizes that go this share of the way to the denoised sample (x - std noise) / mean; above 1 overshoots."""
    return shares * sde.std(times) ** 2 / (sde.mean(times) * sde.g_squared(times))


def linear_times(start: float, end: float, count: int, device: torch.device | str = "cpu") -> Float[Tensor, " n"]:
    """`count` times from `start` to `end`, both included, in float64."""
    return torch.linspace(start, end, count, dtype=torch.float64, device=device)


def geometric_times(start: float, end: float, count: int, device: torch.device | str = "cpu") -> Float[Tensor, " n"]:
    """`count` times from `start` to `end`, both included, evenly spaced in their logarithm, in float64."""
    return linear_times(math.log(start), math.log(end), count, device).exp()
