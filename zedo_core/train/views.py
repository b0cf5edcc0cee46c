"""Training poses seen by cameras, random ones or those of a file, as slopes of rays: no camera matrix is needed."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from zedo_core.camera import Camera
from zedo_core.errors import InputError
from zedo_core.nets.constants import constant

NEAR_M = 0.3


@dataclass(frozen=True, kw_only=True)
class ViewOptions:
    """Where people are in front of the camera."""

    nearest_m: float = 2.0  # depths are spread evenly in their logarithm
    farthest_m: float = 12.0
    across_deg: float = 26.0  # largest angle from the optical axis to the side, for random cameras
    up_deg: float = 20.0  # and upwards or downwards
    cameras: tuple[Camera, ...] = ()  # instead of random ones; see `zedo_core.train.cameras`

    def __post_init__(self) -> None:
        if not 1.0 <= self.nearest_m <= self.farthest_m < math.inf:
            raise InputError(f"expected depths from 1 m, got {self.nearest_m:g} to {self.farthest_m:g} m")
        if not (0 <= self.across_deg <= 60 and 0 <= self.up_deg <= 60):
            raise InputError(f"expected angles from 0 to 60 degrees, got {self.across_deg:g} and {self.up_deg:g}")

    def depth(self, u: Float[Tensor, " b"]) -> Float[Tensor, " b"]:
        """Depths in metres for random numbers `u` from 0 to 1."""
        return self.nearest_m * (self.farthest_m / self.nearest_m) ** u


def random_places(count: int, options: ViewOptions, generator: Generator, device: torch.device) -> Float[Tensor, "b 3"]:
    """Random places in front of the camera, in metres in camera axes."""
    o, u = options, torch.rand(count, 3, generator=generator, device=device)
    limits = constant((o.across_deg, o.up_deg), device).deg2rad()
    slopes = torch.tan((2 * u[:, 1:] - 1) * limits)
    return torch.cat([slopes, torch.ones_like(slopes[:, :1])], dim=1) * o.depth(u[:, 0])[:, None]


def slopes_of(points_cam: Float[Tensor, "b j 3"]) -> Float[Tensor, "b j 2"]:
    """Slopes of the rays through points in metres in camera axes."""
    return points_cam[..., :2] / points_cam[..., 2:].clamp_min(NEAR_M)
