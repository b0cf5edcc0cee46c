"""Validation of a prior during training: its loss on held-out poses, and the errors of lifting them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Generator, Tensor

from zedo_core.data.mixture import Mixture
from zedo_core.data.mocap import Views, random_views
from zedo_core.diffusion.sde import SubVP
from zedo_core.methods.zedo.clustering import facing_camera, nearest
from zedo_core.methods.zedo.lifter import ZedoLifter
from zedo_core.methods.zedo.options import ZedoOptions
from zedo_core.methods.zedo.prior import Prior
from zedo_core.methods.zedo.score_matching import score_matching_loss
from zedo_core.metrics import mpjpe, pa_mpjpe
from zedo_core.nets.score_mlp import ScoreMLP
from zedo_core.skeleton import Skeleton
from zedo_core.train.augment import AugmentOptions, PoseSource, frame_weights

_HYPOTHESES = 10
_LOSS_POSES = 2048
_INITIAL_POSES, _CLUSTERED_FRAMES = 200, 8000


@dataclass(frozen=True)
class LossCheck:
    """Held-out poses, times and noise, the same for every check."""

    poses: Float[Tensor, "b j 3"]
    t: Float[Tensor, " b"]
    noise: Float[Tensor, "b j 3"]

    @classmethod
    def from_mixture(cls, held_out: Mixture, augment: AugmentOptions, seed: int, device: torch.device) -> LossCheck:
        """Draw poses, of whose augmentations only heading, size and camera are applied."""
        plain = replace(augment, limb_exchange=0.0, rarity=0.0, rotation=0.0, root_tilt=0.0)
        generator = Generator(device).manual_seed(seed + 1)
        poses = PoseSource.from_mixture(held_out, plain, device).draw(_LOSS_POSES, generator)
        noise = torch.randn(poses.shape, generator=generator, device=device)
        return cls(poses, torch.linspace(0.01, 0.1, len(poses), device=device), noise)

    @torch.no_grad()
    def loss(self, net: ScoreMLP) -> float:
        """The loss at times from 0.01 to 0.1, the range of inference."""
        net.eval()
        return float(score_matching_loss(net, SubVP(), self.poses, self.t, self.noise))


@dataclass(frozen=True)
class TaskCheck:
    """Held-out poses seen by random cameras, and initial poses from the training data."""

    views: Views
    initial_poses: Float[ndarray, "s j 3"]
    skeleton: Skeleton
    device: torch.device

    @classmethod
    def from_mixtures(
        cls, training: Mixture, held_out: Mixture, views: int, rarity: float, seed: int, device: torch.device
    ) -> TaskCheck:
        """The same data and seed give the same views and initial poses."""
        rng = np.random.default_rng(seed)
        probabilities = _positive(frame_weights(training, rarity, seed))
        rows = rng.choice(len(training), min(len(training), _CLUSTERED_FRAMES), replace=False, p=probabilities)
        poses = facing_camera(torch.from_numpy(training.positions[rows]), training.skeleton).numpy()
        initial_poses = nearest(poses, np.ones(len(poses)), min(_INITIAL_POSES, len(poses)), seed)
        return cls(random_views(held_out.motions, views, seed), initial_poses, training.skeleton, device)

    def errors(self, net: ScoreMLP) -> dict[str, float]:
        """Mean errors in millimetres of all views, lifted with the network from exact 2D keypoints.

        `_1` is for the hypothesis that the method selects, `_10` for the best of ten against the ground truth.
        """
        prior = Prior(net=net.eval(), sde=SubVP(), skeleton=self.skeleton, name="in training", sha256="")
        truth, available = self.views.joints_cam, len(self.initial_poses)
        count = min(_HYPOTHESES, available)
        options = ZedoOptions(initial_poses=available, candidates=count)
        lifter = ZedoLifter.from_prior(prior, {available: self.initial_poses}, options, self.device)
        lifted = lifter.lift_rows(self.views.xy, np.ones(truth.shape[:2]), self.views.K, count)
        joints, truth = lifted.joints.astype(float), np.repeat(truth[:, None], count, axis=1)
        error, aligned = 1000 * mpjpe(joints, truth, self.skeleton.root), 1000 * pa_mpjpe(joints, truth)
        return {
            "mpjpe_1_mm": float(error[:, 0].mean()),
            "pa_mpjpe_1_mm": float(aligned[:, 0].mean()),
            "mpjpe_10_mm": float(error.min(1).mean()),
            "pa_mpjpe_10_mm": float(aligned.min(1).mean()),
        }


def _positive(weights: Float[ndarray, " n"]) -> Float[ndarray, " n"]:
    """Probabilities without zeros, so that enough distinct frames can be drawn."""
    raised = weights + 1e-9 / len(weights)
    return raised / raised.sum()
