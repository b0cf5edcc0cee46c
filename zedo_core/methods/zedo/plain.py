"""A plain implementation of the loop as the paper describes it, not optimised for speed: the baseline of benchmarks.

All people at once, but one hypothesis after the other; in every iteration the time is embedded for each row, the
translation comes from the normal equations by a matrix inverse, the rays are recomputed, and the poses are copied to
the host and back.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from zedo_core.methods.observations import Observations
from zedo_core.methods.zedo.options import ZedoOptions
from zedo_core.methods.zedo.prior import Prior
from zedo_core.nets.score_mlp import Layer, ScoreMLP, sinusoid


@torch.inference_mode()
def plain_loop(
    prior: Prior,
    observed: Observations,
    pose: Float[Tensor, "b h j 3"],
    T: Float[Tensor, "b h 1 3"],
    options: ZedoOptions,
) -> tuple[Float[Tensor, "b h j 3"], Float[Tensor, "b h 1 3"]]:
    """`optimise_in_loop` with the paper's settings: the full pull, and a depth that is flipped instead of bounded."""
    assert options.flip_negative_depth and not options.weigh_rays
    results = [_optimise_hypothesis(prior, observed, pose[:, h], T[:, h], options) for h in range(pose.shape[1])]
    poses, translations = zip(*results, strict=True)
    return torch.stack(poses, dim=1), torch.stack(translations, dim=1)


def _optimise_hypothesis(
    prior: Prior, observed: Observations, pose: Float[Tensor, "b j 3"], T: Float[Tensor, "b 1 3"], options: ZedoOptions
) -> tuple[Float[Tensor, "b j 3"], Float[Tensor, "b 1 3"]]:
    on_host = pose.cpu().numpy()
    times = np.linspace(options.t_start, options.t_end, options.iterations)
    for i, time in enumerate(times):
        pose = torch.from_numpy(on_host).to(T.device)
        t = torch.full((len(pose),), float(time), dtype=pose.dtype, device=pose.device)
        if i >= int(options.iterations * options.warm_up):
            T = translation_by_inverse(pose, observed)
            T = torch.where(T[..., 2:] < 0, -T, T)
        rays = observed.rays
        pose = ((pose + T) * rays).sum(-1, keepdim=True) * rays - T
        score = -noise_per_row(prior.net, pose, t) / prior.sde.std(t)[:, None, None]
        beta, g_squared = prior.sde.beta(t)[:, None, None], prior.sde.g_squared(t)[:, None, None]
        pose = pose + (0.5 * beta * pose + g_squared * score) * options.step
        on_host = pose.cpu().numpy()
    return torch.from_numpy(on_host).to(T.device), T


def noise_per_row(net: ScoreMLP, pose: Float[Tensor, "b j 3"], t: Float[Tensor, " b"]) -> Float[Tensor, "b j 3"]:
    """The network's prediction, with the time of each row embedded and projected separately."""
    embedding = F.silu(net.embed(sinusoid(999.0 * t, net.config.time_width)))
    h = _layer(net.stem, pose.flatten(1), embedding)
    for first, second in net.blocks:  # type: ignore[misc]
        h = h + _layer(second, _layer(first, h, embedding), embedding)
    return net.head(h).unflatten(1, (-1, 3))


def _layer(layer: Layer, x: Float[Tensor, "b i"], embedding: Float[Tensor, "b e"]) -> Float[Tensor, "b o"]:
    return F.silu(layer.norm(layer.dense(x) + layer.time(embedding)))


def translation_by_inverse(pose: Float[Tensor, "b j 3"], observed: Observations) -> Float[Tensor, "b 1 3"]:
    """(A^T A)^-1 A^T y with two equations per joint, -T_xy + r T_z = P_xy - P_z r, weighted by confidence."""
    A = pose.new_zeros(*pose.shape[:2], 2, 3)
    A[..., 0, 0] = A[..., 1, 1] = -1.0
    A[..., 2] = observed.slopes
    y = pose[..., :2] - pose[..., 2:] * observed.slopes
    root = observed.weights.sqrt()[..., None]
    A, y = (A * root[..., None]).flatten(1, 2), (y * root).flatten(1)[..., None]
    return (torch.linalg.inv(A.mT @ A) @ A.mT @ y).mT
