"""Plausibility of a pose under the prior, for selecting among hypotheses without ground truth."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from zedo_core.methods.observations import Observations
from zedo_core.methods.zedo.prior import Prior
from zedo_core.nets.fused import FusedScore, fused_or_tabulated
from zedo_core.nets.tabulated import TabulatedScore

_TIME = 0.05  # diffusion time at which the residual separates good poses from bad best (measured on training poses)
_DRAWS = 4
_NEAR_M = 0.1
_FLOOR_RAD = 2e-4  # smaller angles to the rays do not make a pose more plausible
# Powers of residual and angle in the plausibility, tuned on training poses with 0 to 6 px of noise; halving or
# doubling them costs 1 to 2 %.
_RESIDUAL_POWER, _ANGLE_POWER = 8.0, 4.0


@dataclass(frozen=True)
class DenoisingResidual:
    """How well the prior separates noise from a pose: || net(m x + s z, t) - z ||^2, averaged over coordinates and z.

    The samples of z are the same for every pose.
    """

    noise: TabulatedScore | FusedScore
    draws: Float[Tensor, "n j 3"]
    mean: float
    std: float

    @classmethod
    def from_prior(cls, prior: Prior, noise: TabulatedScore | FusedScore, seed: int = 0) -> DenoisingResidual:
        """For a prior, its `residual_network`, and the seed of the noise samples."""
        t = torch.tensor(_TIME, dtype=torch.float64)
        draws = torch.randn(_DRAWS, len(prior.skeleton), 3, generator=torch.Generator().manual_seed(seed))
        like = next(prior.net.parameters())
        return cls(noise, draws.to(like), float(prior.sde.mean(t)), float(prior.sde.std(t)))

    def __call__(self, pose: Float[Tensor, "b j 3"]) -> Float[Tensor, " b"]:
        """The residual of each pose; smaller is more plausible."""
        total = pose.new_zeros(len(pose))
        for z in self.draws:
            total += (self.noise(self.mean * pose + self.std * z, 0) - z).square().mean((1, 2))
        return total / len(self.draws)


def residual_network(prior: Prior) -> TabulatedScore | FusedScore:
    """The prior's network at the diffusion time of `DenoisingResidual`."""
    like = next(prior.net.parameters())
    return fused_or_tabulated(prior.net, torch.full((1,), _TIME, dtype=like.dtype, device=like.device))


def angle_to_rays(observed: Observations, joints_cam: Float[Tensor, "b j 3"]) -> Float[Tensor, " b"]:
    """Mean angle in radians, weighted by confidence, between joints and rays at the camera.

    An angle rather than a distance, since the error of keypoints in pixels does not depend on the depth.
    """
    depth = joints_cam[..., 2:].clamp_min(_NEAR_M)
    angle = (joints_cam[..., :2] / depth - observed.slopes).norm(dim=-1)
    weights = observed.confidence
    return (angle * weights).sum(-1) / weights.sum(-1).clamp_min(1e-6)


def plausibility(
    residual: DenoisingResidual, observed: Observations, pose: Float[Tensor, "b j 3"], T: Float[Tensor, "b 1 3"]
) -> Float[Tensor, " b"]:
    """Log plausibility of each row, up to a constant: a pose has to agree with both the prior and the rays.

    It is -log(residual^8 angle^4). Either factor alone selects worse; the reprojection error alone prefers distant,
    crouched fits.
    """
    angle = angle_to_rays(observed, pose + T).clamp_min(_FLOOR_RAD)
    return -_RESIDUAL_POWER * residual(pose).log() - _ANGLE_POWER * angle.log()


def posterior_weights(plausibilities: Float[Tensor, "b h"]) -> Float[Tensor, "b h"]:
    """Probabilities of the hypotheses of each person, which sum to 1."""
    return plausibilities.softmax(dim=1)


def expected_error(joints: Float[Tensor, "b h j 3"], weights: Float[Tensor, "b h"], root: int) -> Float[Tensor, "b h"]:
    """Expected MPJPE in metres of each hypothesis, if the true pose is one of them with the weights as probabilities.

    Selecting the smallest minimises the Bayes risk: it prefers a pose in the middle of the plausible ones to an
    isolated one that the noise in the keypoints happens to favour.
    """
    return (pose_distances(joints - joints[:, :, root : root + 1]) @ weights[..., None])[..., 0]


def pose_distances(poses: Float[Tensor, "b h j 3"]) -> Float[Tensor, "b h h"]:
    """Mean joint distance between every two poses of each row."""
    total = poses.new_zeros(*poses.shape[:2], poses.shape[1])
    for joint in poses.unbind(2):  # joint after joint, to save memory
        total += torch.cdist(joint, joint, compute_mode="donot_use_mm_for_euclid_dist")
    return total / poses.shape[2]


def spread_about(
    chosen: Float[Tensor, "b j 3"], joints: Float[Tensor, "b h j 3"], weights: Float[Tensor, "b h"], root: int
) -> Float[Tensor, "b j"]:
    """Weighted RMS distance in metres of the hypotheses from the chosen one, per joint, relative to the root."""
    relative = joints - joints[:, :, root : root + 1]
    distance = (relative - (chosen - chosen[:, root : root + 1])[:, None]).square().sum(-1)
    return (distance * weights[..., None]).sum(1).sqrt()
