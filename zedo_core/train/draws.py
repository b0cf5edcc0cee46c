"""Random numbers of the noise model: independent ones, or ones that last for frames of a sequence.

Where two frames of a sequence lie a time d apart, numbers are correlated by exp(-d / tau); the duration tau differs
from sequence to sequence. Each number by itself is distributed as if it were independent.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Generator, Tensor

_DURATION_S = (0.05, 1.0)  # of errors; spread evenly in the logarithm
_MOST_WHITE = 0.7  # largest share of a joint's squared error that changes from frame to frame


@dataclass(frozen=True)
class Draws:
    """Independent numbers. `held` ones stay in a sequence, here there is none."""

    generator: Generator
    device: torch.device

    def uniform(self, *shape: int, held: bool = False) -> Tensor:
        """From 0 to 1."""
        return torch.rand(shape, generator=self.generator, device=self.device)

    def normal(self, *shape: int, held: bool = False) -> Tensor:
        """With mean 0 and variance 1."""
        return torch.randn(shape, generator=self.generator, device=self.device)

    def jitter(self, *shape: int) -> Tensor:
        """Like `normal`, but of what partly changes from frame to frame."""
        return self.normal(*shape)


@dataclass(frozen=True)
class SequenceDraws(Draws):
    """Numbers for the rows of sequences, one sequence after another: the first number of a shape is that of all rows.

    `factor` times independent numbers are correlated ones; `white` is the share of independent ones in `jitter`.
    """

    factor: Float[Tensor, "b t t"]
    white: Float[Tensor, " b"]

    @classmethod
    def from_steps(cls, step_s: Float[Tensor, " b"], frames: int, generator: Generator) -> SequenceDraws:
        """For sequences with these times between frames, in seconds."""
        device = step_s.device
        u = torch.rand(2, len(step_s), generator=generator, device=device)
        low, high = _DURATION_S
        correlation = torch.exp(-step_s / (low * (high / low) ** u[0]))[:, None, None]
        number = torch.arange(frames, device=device)
        age = (number[:, None] - number).clamp_min(0)
        fresh = torch.where(number > 0, (1 - correlation**2).sqrt(), 1.0)
        return cls(generator, device, (correlation**age * fresh).tril(), _MOST_WHITE * u[1])

    def uniform(self, *shape: int, held: bool = False) -> Tensor:
        """From 0 to below 1: the quantiles of normal ones."""
        return torch.special.ndtr(self.normal(*shape, held=held)).clamp_max(1 - 2**-24)

    def normal(self, *shape: int, held: bool = False) -> Tensor:
        """With mean 0 and variance 1 in each row."""
        b, t, _ = self.factor.shape
        if held:
            one = torch.randn((b, *shape[1:]), generator=self.generator, device=self.device)
            return one.repeat_interleave(t, 0)
        own = torch.randn((b, t, math.prod(shape[1:])), generator=self.generator, device=self.device)
        return (self.factor @ own).view(shape)

    def jitter(self, *shape: int) -> Tensor:
        """A sum of lasting and of independent ones."""
        own = torch.randn(shape, generator=self.generator, device=self.device)
        white = self.white.repeat_interleave(self.factor.shape[1]).view(-1, *(1 for _ in shape[1:]))
        return (1 - white).sqrt() * self.normal(*shape) + white.sqrt() * own
