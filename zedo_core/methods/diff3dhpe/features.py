"""What the network sees of a window: rays turned so that their mean is the optical axis, centred in each frame and
scaled by one size for all frames, so that neither the camera matrix nor the place in the picture matters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

from zedo_core.methods.observations import turn_to_axis, weighted_mean
from zedo_core.skeleton import Skeleton

_NEAR = 0.1  # least depth of a turned ray
FEATURES, GUIDE_FEATURES, BONE_FEATURES = 9, 4, 2  # of each joint, and those of a guide and of bone lengths besides
UNIT_M = 0.3  # poses are diffused in this unit, in which their coordinates have a variance of about 1
STEP_S = 1 / 24  # time between frames whose logarithm is 0 in the features


class Guide(NamedTuple):
    """Poses of a method for single frames, in metres in camera axes relative to the root, and the spread of each joint
    that it expects, in metres."""

    pose: Float[Tensor, "b t j 3"]
    spread: Float[Tensor, "b t j"]


@dataclass(frozen=True)
class Window:
    """Turned windows: `R` turns camera axes so that the weighted mean of all rays becomes the optical axis.

    `features` of each joint are its place relative to the weighted mean of its frame, its confidence, the place of that
    mean relative to the mean of the window, all over the window's size; the log of the size, the slopes of the mean ray
    before turning, and the log of the time between frames. Missing joints are at 0. Frames that are not `known` do not
    matter. With a guide, its poses in units of `UNIT_M` and the log of its spread follow; `base`, to which the network
    adds what it predicts, are these poses, otherwise 0. With bone lengths, that of the bone to each joint in the same
    unit follows, and whether it is known.
    """

    R: Float[Tensor, "b 3 3"]
    features: Float[Tensor, "b t j f"]
    known: Bool[Tensor, "b t"]
    base: Float[Tensor, "b t j 3"]

    @classmethod
    def from_slopes(
        cls,
        slopes: Float[Tensor, "b t j 2"],
        confidence: Float[Tensor, "b t j"],
        known: Bool[Tensor, "b t"],
        step_s: Float[Tensor, " b"],
        guide: Guide | None = None,
        bones_m: Float[Tensor, "b j"] | None = None,
    ) -> Window:
        """The window of each sequence; joints with confidence 0 do not matter. Unknown bones have length 0."""
        b, t, j, _ = slopes.shape
        confidence = confidence * known[..., None]
        seen = (confidence > 0)[..., None]
        slopes, weights = slopes * seen, confidence.clamp_min(1e-9)
        mean = weighted_mean(slopes.flatten(1, 2), weights.flatten(1))
        R = turn_to_axis(mean[:, 0])
        rays = F.pad(slopes, (0, 1), value=1.0) @ R[:, None].mT
        turned = rays[..., :2] / rays[..., 2:].clamp_min(_NEAR)
        centre = weighted_mean(turned, weights)
        middle = weighted_mean(turned.flatten(1, 2), weights.flatten(1))[:, :, None]
        size = (
            weighted_mean((turned - centre).square().flatten(1, 2), weights.flatten(1)).sum(-1).sqrt().clamp_min(1e-6)
        )
        size = size[..., None, None]
        step = (step_s / STEP_S).log()[:, None]
        whole = torch.cat([size[:, 0, 0].log(), mean[:, 0], step], dim=-1)[:, None, None].expand(b, t, j, -1)
        place, across = (turned - centre) / size * seen, ((centre - middle) / size * known[..., None, None])
        features = torch.cat([place, confidence[..., None], across.expand(b, t, j, 2), whole], dim=-1)
        base = torch.zeros_like(rays)
        if guide is not None:
            base = guide.pose @ R[:, None].mT / UNIT_M * known[..., None, None]
            spread = (guide.spread / UNIT_M).clamp_min(1e-3).log() * known[..., None]
            features = torch.cat([features, base, spread[..., None]], dim=-1)
        if bones_m is not None:
            lengths = torch.stack([bones_m / UNIT_M, (bones_m > 0).to(bones_m)], dim=-1)
            features = torch.cat([features, lengths[:, None].expand(b, t, j, -1)], dim=-1)
        return cls(R, features, known, base)


def bone_lengths(poses: Float[Tensor, "b t j 3"], skeleton: Skeleton) -> Float[Tensor, "b j"]:
    """The mean length in metres of the bone from its parent to each joint; 0 for the root."""
    parents = [joint if parent < 0 else parent for joint, parent in enumerate(skeleton.parents)]
    return (poses - poses[:, :, parents]).norm(dim=-1).mean(1)
