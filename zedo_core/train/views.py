"""Training poses seen by random cameras, as slopes of rays: no camera matrix is needed."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from zedo_core.errors import InputError

_NEAR_M = 0.3


@dataclass(frozen=True, kw_only=True)
class ViewOptions:
    """Where people are in front of the camera."""

    nearest_m: float = 2.0  # depths are spread evenly in their logarithm
    farthest_m: float = 12.0
    across_deg: float = 26.0  # largest angle from the optical axis to the side
    up_deg: float = 20.0  # and upwards or downwards

    def __post_init__(self) -> None:
        if not 1.0 <= self.nearest_m <= self.farthest_m < math.inf:
            raise InputError(f"expected depths from 1 m, got {self.nearest_m:g} to {self.farthest_m:g} m")
        if not (0 <= self.across_deg <= 60 and 0 <= self.up_deg <= 60):
            raise InputError(f"expected angles from 0 to 60 degrees, got {self.across_deg:g} and {self.up_deg:g}")


def seen_at_random(poses: Float[Tensor, "b j 3"], options: ViewOptions, generator: Generator) -> Float[Tensor, "b j 2"]:
    """Slopes of the rays through the joints of poses (relative to the root, metres, camera axes), placed at random."""
    o, u = options, torch.rand(len(poses), 3, generator=generator, device=poses.device)
    depth = o.nearest_m * (o.farthest_m / o.nearest_m) ** u[:, 0]
    limits = torch.tensor([o.across_deg, o.up_deg], device=poses.device).deg2rad()
    slopes = torch.tan((2 * u[:, 1:] - 1) * limits)
    T = torch.cat([slopes, torch.ones_like(slopes[:, :1])], dim=1) * depth[:, None]
    points = poses + T[:, None]
    return points[..., :2] / points[..., 2:].clamp_min(_NEAR_M)
