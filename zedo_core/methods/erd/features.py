"""What the networks see of a person: rays turned to the optical axis, centred and scaled, so that neither the camera
matrix nor the place in the picture matters."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from zedo_core.methods.observations import Observations, bounded_translation, depth_bounds, weighted_mean

_NEAR = 0.1  # least depth of a turned ray
SPREAD_M = (0.2, 0.6)  # of the joints across the line of sight; bounds the depth


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

    def project(self, pose: Float[Tensor, "b j 3"]) -> Float[Tensor, "b j 2"]:
        """Places of the joints, as in `local`, of poses in turned axes, each placed where it fits the rays best."""
        bounds = depth_bounds(self.turned, SPREAD_M)
        placed = pose + bounded_translation(pose, self.turned.slopes, self.turned.weights, bounds)
        return (placed[..., :2] / placed[..., 2:].clamp_min(_NEAR) - self.centre) / self.size


def turn_to_axis(slopes: Float[Tensor, "b 2"]) -> Float[Tensor, "b 3 3"]:
    """The smallest rotations that turn rays (slopes at z = 1) to the z axis (Rodrigues' formula)."""
    x, y, z = F.normalize(F.pad(slopes, (0, 1), value=1.0), dim=-1).unbind(-1)
    zero = torch.zeros_like(x)
    skew = torch.stack([zero, zero, -x, zero, zero, -y, x, y, zero], dim=-1).unflatten(-1, (3, 3))
    return torch.eye(3, dtype=x.dtype, device=x.device) + skew + skew @ skew / (1 + z)[:, None, None]
