"""The loss of a lifting network: the error of the mean pose, and the likelihood of the mixture."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from zedo_core.nets.lifter import Modes


def lifting_loss(modes: Modes, pose: Float[Tensor, "b j 3"], likelihood: float, root: int) -> Float[Tensor, ""]:
    """Mean joint distance in metres of the weighted mean, plus `likelihood` times the mixture's mean negative log
    likelihood per joint."""
    return (modes.mean - pose).norm(dim=-1).mean() + likelihood * negative_log_likelihood(modes, pose, root)


def negative_log_likelihood(modes: Modes, pose: Float[Tensor, "b j 3"], root: int) -> Float[Tensor, ""]:
    """Mean over joints but the root, up to a constant: in each mode, the density of a joint falls exponentially with
    its distance, exp(-d / s) / s^3 (Laplace in three dimensions)."""
    others = [joint for joint in range(pose.shape[1]) if joint != root]
    distance = (modes.pose - pose[:, None]).norm(dim=-1)[..., others]
    log_scale = modes.log_scale[..., others]
    log_density = -(distance * torch.exp(-log_scale) + 3 * log_scale).sum(-1)
    return -(modes.logit.log_softmax(-1) + log_density).logsumexp(-1).mean() / len(others)
