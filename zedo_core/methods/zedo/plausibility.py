"""How plausible a pose is under the prior, for choosing among hypotheses without ground truth."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from zedo_core.checkpoint import Prior
from zedo_core.methods.zedo.observations import Observations

_TIME = 0.05  # diffusion time at which the residual tells good poses from bad ones best (measured on training poses)
_DRAWS = 4
_FLOOR_M = 1e-3  # a pose closer to its rays than this is not better for it
_SHARPNESS = 5.0  # power of the plausibility by which hypotheses vote (3 to 6 are equally good on training poses)


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
    off = (joints_cam[..., :2] - joints_cam[..., 2:] * observed.slopes).norm(dim=-1)
    seen = observed.confidence
    return (off * seen).sum(-1) / seen.sum(-1).clamp_min(1e-6)


def plausibility(
    prior: Prior, observed: Observations, pose: Float[Tensor, "b j 3"], T: Float[Tensor, "b 1 3"], seed: int = 0
) -> Float[Tensor, " b"]:
    """Logarithm of how plausible each row is: both the prior and the rays have to be content.

    Minus the logarithm of (denoising residual x distance to the rays). The product chose better
    than either factor and than weighted sums; the reprojection error alone prefers far, crouched fits.
    """
    conflict = distance_to_rays(observed, pose + T).clamp_min(_FLOOR_M)
    return -(denoising_residual(prior, pose, seed) * conflict).log()


def votes(plausibilities: Float[Tensor, "b h"]) -> Float[Tensor, "b h"]:
    """Weights of the hypotheses of each person, adding up to 1."""
    return (_SHARPNESS * plausibilities).softmax(dim=1)


def expected_error(joints: Float[Tensor, "b h j 3"], weights: Float[Tensor, "b h"], root: int) -> Float[Tensor, "b h"]:
    """Expected MPJPE in metres of each hypothesis, if the truth is one of them with the weights as probabilities.

    Choosing the smallest is minimum Bayes risk decision: it prefers a pose in the middle of the
    plausible ones to a lone one that the noise in the keypoints happens to favour.
    """
    relative = (joints - joints[:, :, [root]]).transpose(1, 2).contiguous()
    distance = torch.zeros(*weights.shape, weights.shape[1]).to(weights)
    for joint in relative.unbind(1):  # joint after joint, to save memory
        distance += torch.cdist(joint, joint, compute_mode="donot_use_mm_for_euclid_dist")
    return (distance @ weights[..., None])[..., 0] / relative.shape[1]


def spread_about(
    chosen: Float[Tensor, "b j 3"], joints: Float[Tensor, "b h j 3"], weights: Float[Tensor, "b h"], root: int
) -> Float[Tensor, "b j"]:
    """Root mean square distance in metres of the weighted hypotheses from the chosen one, per joint, root-relative."""
    relative = joints - joints[:, :, [root]]
    distance = (relative - (chosen - chosen[:, [root]])[:, None]).square().sum(-1)
    return (distance * weights[..., None]).sum(1).sqrt()
