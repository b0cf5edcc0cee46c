"""Poses drawn from the prior itself: what it has learnt, seen directly."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from zedo_core.checkpoint import Prior
from zedo_core.diffusion.sample import reverse, sampling_times
from zedo_core.errors import InputError


@torch.inference_mode()
def generate(
    prior: Prior, count: int, *, seed: int = 0, steps: int = 200, stochastic: bool = True
) -> Float[Tensor, "count j 3"]:
    """Random poses in metres in camera axes, relative to the root; same seed, same poses.

    By the reverse SDE, or without its noise by the probability-flow ODE. InputError for a count or a
    number of steps below 1.
    """
    if count < 1 or steps < 1:
        raise InputError(f"expected at least 1 pose and 1 step, got {count} and {steps}")
    device = next(prior.net.parameters()).device
    times = sampling_times(steps)
    rows = prior.net.time_rows(times.float().to(device))
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(count, len(prior.skeleton), 3, generator=generator).to(device)
    noise = noise * float(prior.sde.std(times[0]))
    return reverse(
        lambda x, i: prior.net(x, rows[i : i + 1]), prior.sde, noise, times, generator if stochastic else None
    )
