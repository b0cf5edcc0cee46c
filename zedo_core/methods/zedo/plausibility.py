"""How plausible a pose is under the prior, for choosing among hypotheses without ground truth."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from zedo_core.checkpoint import Prior
from zedo_core.methods.zedo.observations import Observations, weighted_mean

_TIME = 0.05  # diffusion time at which the residual tells good poses from bad ones best (measured on training poses)
_DRAWS = 4
_FLOOR_M = 1e-3  # a pose closer to its rays than this is not better for it


def denoising_residual(prior: Prior, pose: Float[Tensor, "b j 3"], seed: int = 0) -> Float[Tensor, " b"]:
    """|| net(m x + s z, t) - z ||^2, the mean over the coordinates and a few draws of z, the same for every pose."""
    t = torch.tensor([_TIME], dtype=pose.dtype, device=pose.device)
    mean, std, row = prior.sde.mean(t), prior.sde.std(t), prior.net.time_rows(t)
    generator = torch.Generator().manual_seed(seed)
    draws = torch.randn(_DRAWS, *pose.shape[1:], generator=generator).to(pose)
    residuals = [(prior.net(mean * pose + std * z, row) - z).square().mean((1, 2)) for z in draws]
    return torch.stack(residuals).mean(0)


def distance_to_rays(observed: Observations, joints_cam: Float[Tensor, "b j 3"]) -> Float[Tensor, " b"]:
    """Mean distance in metres, weighted by confidence, between joints and the rays at their depth."""
    off = (joints_cam[..., :2] - joints_cam[..., 2:] * observed.slopes).norm(dim=-1, keepdim=True)
    return weighted_mean(off, observed.confidence.clamp_min(1e-6))[:, 0, 0]


def plausibility(
    prior: Prior, observed: Observations, pose: Float[Tensor, "b j 3"], T: Float[Tensor, "b 1 3"], seed: int = 0
) -> Float[Tensor, " b"]:
    """Score of each row, higher is better: both the prior and the rays have to be content.

    Minus the logarithm of (denoising residual x distance to the rays). The product chose better
    than either factor and than weighted sums; the reprojection error alone prefers far, crouched fits.
    """
    conflict = distance_to_rays(observed, pose + T).clamp_min(_FLOOR_M)
    return -(denoising_residual(prior, pose, seed) * conflict).log()
