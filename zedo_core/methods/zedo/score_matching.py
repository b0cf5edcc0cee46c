"""The training loss of a score network, and the diffusion times it is evaluated at (paper section 4.2)."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from zedo_core.diffusion.sde import SubVP
from zedo_core.nets.score_mlp import ScoreMLP


def score_matching_loss(
    net: ScoreMLP, sde: SubVP, poses: Float[Tensor, "b j 3"], t: Float[Tensor, " n"], noise: Float[Tensor, "b j 3"]
) -> Float[Tensor, ""]:
    """|| std score + z ||^2, averaged over all coordinates; with score = -net / std it is || z - net ||^2.

    There may be fewer times than poses: each time then applies to a run of consecutive poses.
    """
    each = -(-len(poses) // len(t))
    rows = net.time_rows(t).repeat_interleave(each, dim=0)[: len(poses)]
    t = t.repeat_interleave(each)[: len(poses), None, None]
    return (net(sde.mean(t) * poses + sde.std(t) * noise, rows) - noise).square().mean()


def sample_times(
    count: int, small: float, small_end: float, generator: Generator, device: torch.device
) -> Float[Tensor, " n"]:
    """Times in (0, 1], a fraction `small` of them drawn below `small_end`."""
    u = torch.rand(count, generator=generator, device=device)
    is_small = torch.rand(count, generator=generator, device=device) < small
    return torch.where(is_small, u * small_end, u).clamp_min(1e-3)
