"""The sub-variance-preserving SDE (Song et al. 2021, Appendix C; ZeDO uses the same constants)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class SubVP:
    """dx = -beta(t) x / 2 dt + g(t) dw for t in 0..1, with beta linear in t; t may have any shape."""

    beta_min: float = 0.1
    beta_max: float = 20.0

    def beta(self, t: Float[Tensor, "*b"]) -> Float[Tensor, "*b"]:
        """The rate beta(t)."""
        return self.beta_min + t * (self.beta_max - self.beta_min)

    def log_mean(self, t: Float[Tensor, "*b"]) -> Float[Tensor, "*b"]:
        """Logarithm of the factor on the clean sample."""
        return -0.25 * t**2 * (self.beta_max - self.beta_min) - 0.5 * t * self.beta_min

    def mean(self, t: Float[Tensor, "*b"]) -> Float[Tensor, "*b"]:
        """Factor on the clean sample at time t."""
        return torch.exp(self.log_mean(t))

    def std(self, t: Float[Tensor, "*b"]) -> Float[Tensor, "*b"]:
        """Standard deviation of the noise at time t."""
        return 1.0 - torch.exp(2.0 * self.log_mean(t))

    def g_squared(self, t: Float[Tensor, "*b"]) -> Float[Tensor, "*b"]:
        """Squared diffusion coefficient g(t)^2."""
        discount = 1.0 - torch.exp(-2.0 * self.beta_min * t - (self.beta_max - self.beta_min) * t**2)
        return self.beta(t) * discount
