"""How plausible a pose is under the prior, for choosing among hypotheses without ground truth."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from zedo_core.methods.zedo.checkpoint import Prior
from zedo_core.methods.zedo.observations import Observations
from zedo_core.nets.fused import FusedScore, fused_or_tabled
from zedo_core.nets.tabled import TabledScore

_TIME = 0.05  # diffusion time at which the residual tells good poses from bad ones best (measured on training poses)
_DRAWS = 4
_NEAR_M = 0.1
_FLOOR_RAD = 2e-4  # a pose closer to its rays than this is not better for it
# Powers of residual and angle by which hypotheses vote, chosen on training poses with 0 to 6 px of noise; half or
# twice as much costs 1 to 2 %.
_RESIDUAL_POWER, _ANGLE_POWER = 8.0, 4.0


@dataclass(frozen=True)
class DenoisingResidual:
    """How well the prior tells noise from a pose: || net(m x + s z, t) - z ||^2, the mean over coordinates and draws.

    The draws of z are the same for every pose.
    """

    noise: TabledScore | FusedScore
    draws: Float[Tensor, "n j 3"]
    mean: float
    std: float

    @classmethod
    def of(cls, prior: Prior, noise: TabledScore | FusedScore, seed: int = 0) -> DenoisingResidual:
        """For one prior, its `judging_network`, and one seed of the draws."""
        t = torch.tensor(_TIME, dtype=torch.float64)
        draws = torch.randn(_DRAWS, len(prior.skeleton), 3, generator=torch.Generator().manual_seed(seed))
        like = next(prior.net.parameters())
        return cls(noise, draws.to(like), float(prior.sde.mean(t)), float(prior.sde.std(t)))

    def __call__(self, pose: Float[Tensor, "b j 3"]) -> Float[Tensor, " b"]:
        """The residual of each pose; the less, the more plausible."""
        total = pose.new_zeros(len(pose))
        for z in self.draws:
            total += (self.noise(self.mean * pose + self.std * z, 0) - z).square().mean((1, 2))
        return total / len(self.draws)


def judging_network(prior: Prior) -> TabledScore | FusedScore:
    """The prior's network at the time at which poses are judged."""
    like = next(prior.net.parameters())
    return fused_or_tabled(prior.net, torch.full((1,), _TIME, dtype=like.dtype, device=like.device))


def angle_to_rays(observed: Observations, joints_cam: Float[Tensor, "b j 3"]) -> Float[Tensor, " b"]:
    """Mean angle in radians, weighted by confidence, between joints and rays as seen by the camera.

    An angle and not a distance: keypoints err by pixels, wherever the body stands.
    """
    depth = joints_cam[..., 2:].clamp_min(_NEAR_M)
    off = (joints_cam[..., :2] / depth - observed.slopes).norm(dim=-1)
    seen = observed.confidence
    return (off * seen).sum(-1) / seen.sum(-1).clamp_min(1e-6)


def plausibility(
    residual: DenoisingResidual, observed: Observations, pose: Float[Tensor, "b j 3"], T: Float[Tensor, "b 1 3"]
) -> Float[Tensor, " b"]:
    """Logarithm of how plausible each row is, up to a constant: both the prior and the rays have to be content.

    It is -log(residual^8 angle^4). Either factor alone chooses worse; the reprojection error alone prefers
    far, crouched fits.
    """
    conflict = angle_to_rays(observed, pose + T).clamp_min(_FLOOR_RAD)
    return -_RESIDUAL_POWER * residual(pose).log() - _ANGLE_POWER * conflict.log()


def votes(plausibilities: Float[Tensor, "b h"]) -> Float[Tensor, "b h"]:
    """Weights of the hypotheses of each person, adding up to 1."""
    return plausibilities.softmax(dim=1)


def expected_error(joints: Float[Tensor, "b h j 3"], weights: Float[Tensor, "b h"], root: int) -> Float[Tensor, "b h"]:
    """Expected MPJPE in metres of each hypothesis, if the truth is one of them with the weights as probabilities.

    Choosing the smallest is minimum Bayes risk decision: it prefers a pose in the middle of the
    plausible ones to a lone one that the noise in the keypoints happens to favour.
    """
    return (pose_distances(joints - joints[:, :, root : root + 1]) @ weights[..., None])[..., 0]


def pose_distances(poses: Float[Tensor, "b h j 3"]) -> Float[Tensor, "b h h"]:
    """Mean distance of the joints of every pose from those of every other, row by row."""
    total = poses.new_zeros(*poses.shape[:2], poses.shape[1])
    for joint in poses.unbind(2):  # joint after joint, to save memory
        total += torch.cdist(joint, joint, compute_mode="donot_use_mm_for_euclid_dist")
    return total / poses.shape[2]


def spread_about(
    chosen: Float[Tensor, "b j 3"], joints: Float[Tensor, "b h j 3"], weights: Float[Tensor, "b h"], root: int
) -> Float[Tensor, "b j"]:
    """Root mean square distance in metres of the weighted hypotheses from the chosen one, per joint, root-relative."""
    relative = joints - joints[:, :, root : root + 1]
    distance = (relative - (chosen - chosen[:, root : root + 1])[:, None]).square().sum(-1)
    return (distance * weights[..., None]).sum(1).sqrt()
