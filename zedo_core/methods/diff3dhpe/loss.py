"""The loss of a denoiser: the error of the clean poses that it predicts, of their velocities, and of its own scale."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from zedo_core.errors import InputError


@dataclass(frozen=True, kw_only=True)
class LossOptions:
    """Weights of the terms; errors are in metres."""

    squared: bool = False  # mean squared distance of joints, as in the paper, in place of the mean distance
    velocity: float = 1.0  # of the mean error of the motion from frame to frame
    likelihood: float = 0.02  # of the scale's negative log likelihood; the poses do not see it
    most: float = 3.0  # largest weight of a time (see `clean_weight`)

    def __post_init__(self) -> None:
        if not (self.velocity >= 0 and self.likelihood >= 0 and self.most >= 1):
            raise InputError("expected velocity and likelihood of at least 0, and most of at least 1")


PAPER_LOSS = LossOptions(squared=True, velocity=0.0)


def denoising_loss(
    found: Float[Tensor, "b s j 3"],
    log_scale: Float[Tensor, "b s j"],
    truth: Float[Tensor, "b s j 3"],
    known: Bool[Tensor, "b s"],
    weight: Float[Tensor, " b"],
    options: LossOptions,
) -> Float[Tensor, ""]:
    """The sum of the terms over all frames that are known, each sequence with its weight.

    The scale s of a joint's error says that its density falls as exp(-d / s) / s^3 with the distance d.
    """
    o, weights = options, weight[:, None] * known
    distance = (found - truth).norm(dim=-1)
    error = distance.square() if o.squared else distance
    own = distance.detach() * torch.exp(-log_scale) + 3 * log_scale
    total = _mean((error + o.likelihood * own).mean(-1), weights, known)
    if found.shape[1] > 1 and o.velocity:
        both = known[:, 1:] & known[:, :-1]
        off = (found.diff(dim=1) - truth.diff(dim=1)).norm(dim=-1).mean(-1)
        total = total + o.velocity * _mean(off, weight[:, None] * both, both)
    return total


def _mean(values: Tensor, weights: Tensor, counted: Tensor) -> Tensor:
    return (values * weights).sum() / counted.sum().clamp_min(1)
