"""What the networks see of a person: rays turned to the optical axis, centred and scaled, so that neither the camera
matrix nor the place in the picture matters."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from zedo_core.methods.observations import (
    SPREAD_M,
    Observations,
    bounded_translation,
    depth_bounds,
    turn_to_axis,
    weighted_mean,
)

_NEAR = 0.1  # least depth of a turned ray


@dataclass(frozen=True)
class View:
    """Turned observations: `R` turns camera axes so that the weighted mean of the rays becomes the optical axis.

    `centre` and `size` are the weighted mean of the turned slopes and the weighted RMS distance from it; `local` holds
    each joint's place (slopes minus centre over size) and confidence, `whole` the log of the size and the slopes of the
    mean ray before turning.
    """

    R: Float[Tensor, "b 3 3"]
    turned: Observations
    centre: Float[Tensor, "b 1 2"]
    size: Float[Tensor, "b 1 1"]
    local: Float[Tensor, "b j 3"]
    whole: Float[Tensor, "b 3"]

    @classmethod
    def from_observations(cls, observed: Observations) -> View:
        """The view of each row; joints with confidence 0 do not matter."""
        confidence = observed.confidence
        weights = confidence.clamp_min(1e-9)
        mean = weighted_mean(observed.slopes, weights)
        R = turn_to_axis(mean[:, 0])
        rays = F.pad(observed.slopes, (0, 1), value=1.0) @ R.mT
        slopes = rays[..., :2] / rays[..., 2:].clamp_min(_NEAR)
        centre = weighted_mean(slopes, weights)
        size = weighted_mean((slopes - centre).square(), weights).sum(-1, keepdim=True).sqrt().clamp_min(1e-6)
        seen = (confidence > 0)[..., None]
        local = torch.cat([(slopes - centre) / size * seen, confidence[..., None]], dim=-1)
        whole = torch.cat([size[:, 0].log(), mean[:, 0]], dim=-1)
        return cls(R, Observations(slopes, confidence, observed.focal_px), centre, size, local, whole)

    def project(
        self, pose: Float[Tensor, "b j 3"], root: Float[Tensor, "b 1 3"] | None = None
    ) -> Float[Tensor, "b j 2"]:
        """Places of the joints, as in `local`, of poses in turned axes, with the root at `root` if given, otherwise
        each placed where it fits the rays best."""
        if root is None:
            bounds = depth_bounds(self.turned, SPREAD_M)
            root = bounded_translation(pose, self.turned.slopes, self.turned.weights, bounds)
        placed = pose + root
        return (placed[..., :2] / placed[..., 2:].clamp_min(_NEAR) - self.centre) / self.size
