"""Discrete diffusion that predicts clean samples: the cosine schedule as a tensor, and one sampler (DDIM).

`signal[i]` is the share of the sample's variance at time i, alpha-bar in the papers: y_i = sqrt(signal_i) y_0 +
sqrt(1 - signal_i) noise; signal[0] is 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

Denoise = Callable[[Tensor, int], Tensor]


class Step(NamedTuple):
    """The clean sample that was predicted at a time, and the sample at the next one."""

    clean: Tensor
    sample: Tensor


def cosine_signal(count: int = 1000) -> Float[Tensor, " n"]:
    """`signal` at times 0 to `count`, in float64 (Nichol and Dhariwal 2021, section 3.2, each step's noise at most
    0.999 of the variance)."""
    angle = (torch.arange(count + 1, dtype=torch.float64) / count + 0.008) / 1.008 * (math.pi / 2)
    kept = (angle[1:].cos() / angle[:-1].cos()).square().clamp_min(0.001)
    return torch.cat([torch.ones(1, dtype=torch.float64), kept.cumprod(0)])


def ddim_times(steps: int, count: int = 1000) -> Int[Tensor, " n"]:
    """`steps` + 1 evenly spaced times from `count` to 0."""
    return torch.linspace(count, 0, steps + 1, dtype=torch.float64).round().long()


def noised(
    clean: Float[Tensor, "b *d"], signal: Float[Tensor, " b"], noise: Float[Tensor, "b *d"]
) -> Float[Tensor, "b *d"]:
    """Samples with noise, each at its own time."""
    share = signal.view(-1, *(1 for _ in clean.shape[1:]))
    return share.sqrt() * clean + (1 - share).sqrt() * noise


def ddim(
    denoise: Denoise,
    signal: Float[Tensor, " n"],
    noise: Float[Tensor, "b *d"],
    eta: float = 0.0,
    generator: Generator | None = None,
) -> Iterator[Step]:
    """Steps from `noise` through the times with this `signal`, which rises to 1 (Song et al. 2021, equation 12).

    `denoise(y, i)` predicts the clean sample from y at the i-th time. With `eta` above 0 fresh noise is drawn from the
    generator, with 1 as much as in DDPM. The last sample is the last prediction.
    """
    y, shares = noise, signal.tolist()
    for i, (now, then) in enumerate(pairwise(shares)):
        clean = denoise(y, i)
        found = (y - math.sqrt(now) * clean) / math.sqrt(1 - now)
        sigma = eta * math.sqrt((1 - then) / (1 - now) * (1 - now / then))
        y = math.sqrt(then) * clean + math.sqrt(max(0.0, 1 - then - sigma**2)) * found
        if sigma > 0:
            y = y + sigma * torch.randn(y.shape, generator=generator, dtype=y.dtype).to(y.device)
        yield Step(clean, y)


def clean_weight(signal: Float[Tensor, " b"], most: float = 3.0) -> Float[Tensor, " b"]:
    """Weight of a clean prediction's error in training: 1 + signal / sqrt(1 - signal), at most `most` (Diff3DHPE)."""
    return (1 + signal / (1 - signal).clamp_min(1e-9).sqrt()).clamp_max(most)
