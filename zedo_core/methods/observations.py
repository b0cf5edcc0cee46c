"""Observations of each person, rays and confidences, and the geometry between them and a pose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor
from torch.nn import functional as F

from zedo_core.camera import Camera
from zedo_core.types import Keypoints

# Smallest confidence in the closed-form translation (official code), which is then defined with all joints missing.
_MIN_CONFIDENCE = 1e-4
NEAR_M = 1e-3  # smallest depth used for projection
SPREAD_M = (0.2, 0.6)  # of a body across the line of sight, to bound the depth of a regressed pose


@dataclass(frozen=True)
class Observations:
    """One row per person. `slopes` are (x, y) of the ray through each joint at z = 1; `focal_px` is (fx, fy)."""

    slopes: Float[Tensor, "b j 2"]
    confidence: Float[Tensor, "b j"]
    focal_px: Float[Tensor, "b 2"]

    @classmethod
    def from_pixels(
        cls, xy: Float[Tensor, "b j 2"], confidence: Float[Tensor, "b j"], K: Float[Tensor, "b 3 3"]
    ) -> Observations:
        """From undistorted pixels and the matrix K of each row."""
        focal_px = torch.stack([K[:, 0, 0], K[:, 1, 1]], dim=-1)
        slopes = (xy - K[:, None, :2, 2]) / focal_px[:, None]
        return cls(slopes, confidence, focal_px)

    def __len__(self) -> int:
        return len(self.slopes)

    def __getitem__(self, rows: slice) -> Observations:
        return Observations(self.slopes[rows], self.confidence[rows], self.focal_px[rows])

    def repeat(self, times: int) -> Observations:
        """Each row repeated `times` times consecutively."""
        parts = (self.slopes, self.confidence, self.focal_px)
        return Observations(*(part.repeat_interleave(times, 0) for part in parts))

    @property
    def rays(self) -> Float[Tensor, "b j 3"]:
        """Unit rays."""
        return F.normalize(F.pad(self.slopes, (0, 1), value=1.0), dim=-1)

    @property
    def weights(self) -> Float[Tensor, "b j"]:
        """Weight of each joint in the closed-form translation: confidence to the fourth power."""
        return self.confidence.clamp(_MIN_CONFIDENCE, 1.0) ** 4


def matrices_of(cameras: Sequence[Camera], rows: Keypoints) -> Float[ndarray, "b 3 3"]:
    """The matrix K of each row, from one camera for all frames or one per frame."""
    if len(cameras) == 1:
        return np.broadcast_to(cameras[0].matrix, (len(rows), 3, 3))
    return np.stack([camera.matrix for camera in cameras])[rows.frame]


def weighted_mean(values: Float[Tensor, "*#b j d"], weights: Float[Tensor, "*#b j"]) -> Float[Tensor, "... 1 d"]:
    """Mean over the joints."""
    total = (values * weights[..., None]).sum(-2, keepdim=True)
    return total / weights.sum(-1)[..., None, None]


def depth_bounds(observed: Observations, spread_m: tuple[float, float] | None) -> Float[Tensor, "b 2"]:
    """Nearest and farthest depth in metres at which a body with a spread in the range `spread_m` has its size in view.

    The spread is the root mean square distance of the joints from their mean, across the line of
    sight. Without `spread_m` any depth in front of the camera is allowed.
    """
    slopes = observed.slopes
    if spread_m is None:
        return torch.stack([slopes.new_zeros(len(slopes)), slopes.new_full((len(slopes),), torch.inf)], dim=1)
    centre = weighted_mean(slopes, observed.weights)
    variance = weighted_mean((slopes - centre).square(), observed.weights).sum(-1)
    near, far = (variance.sqrt().clamp_min(1e-6).reciprocal() * end for end in spread_m)
    return torch.cat([near, far], dim=1)


def solve_translation(
    pose: Float[Tensor, "*#b j 3"], slopes: Float[Tensor, "*#b j 2"], weights: Float[Tensor, "*#b j"]
) -> Float[Tensor, "... 1 3"]:
    """Translation that brings the pose closest to the rays by weighted least squares, for any broadcastable batch.

    The equations -T_xy + r T_z = P_xy - P_z r of each joint, with r the slope of its ray, have a closed-form
    solution: T_z is the regression of the right-hand side on r, T_xy follows from the means.
    """
    offset = pose[..., :2] - pose[..., 2:] * slopes
    r_mean, o_mean = weighted_mean(slopes, weights), weighted_mean(offset, weights)
    r, o = slopes - r_mean, (offset - o_mean)
    along = (weights[..., None] * r * o).sum((-2, -1))
    spread = (weights[..., None] * r.square()).sum((-2, -1))
    depth = (along / spread.clamp_min(1e-12))[..., None, None]
    return torch.cat([r_mean * depth - o_mean, depth], dim=-1)


def bounded_translation(
    pose: Float[Tensor, "*#b j 3"],
    slopes: Float[Tensor, "*#b j 2"],
    weights: Float[Tensor, "*#b j"],
    bounds: Float[Tensor, "*#b 2"],
) -> Float[Tensor, "... 1 3"]:
    """`solve_translation` with its depth clamped to the bounds; x and y are optimal for that depth."""
    free = solve_translation(pose, slopes, weights)
    depth = free[..., 2:].clamp(bounds[..., None, :1], bounds[..., None, 1:])
    across = free[..., :2] + weighted_mean(slopes, weights) * (depth - free[..., 2:])
    return torch.cat([across, depth], dim=-1)


def reprojection_l1(
    points: Float[Tensor, "*b j 3"], slopes: Float[Tensor, "*c j 2"], focal_px: Float[Tensor, "*d 2"]
) -> Float[Tensor, "*e j"]:
    """Mean over x and y of the absolute difference in pixels between projected points and keypoints."""
    depth = points[..., 2:]
    depth = torch.where(depth.abs() < NEAR_M, torch.full_like(depth, NEAR_M), depth)
    return ((points[..., :2] / depth - slopes) * focal_px).abs().mean(-1)


def turn_to_axis(slopes: Float[Tensor, "b 2"]) -> Float[Tensor, "b 3 3"]:
    """The smallest rotations that turn rays (slopes at z = 1) to the z axis (Rodrigues' formula)."""
    x, y, z = F.normalize(F.pad(slopes, (0, 1), value=1.0), dim=-1).unbind(-1)
    zero = torch.zeros_like(x)
    skew = torch.stack([zero, zero, -x, zero, zero, -y, x, y, zero], dim=-1).unflatten(-1, (3, 3))
    return torch.eye(3, dtype=x.dtype, device=x.device) + skew + skew @ skew / (1 + z)[:, None, None]
