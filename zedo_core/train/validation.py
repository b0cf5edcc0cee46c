"""Validation of a prior in training: its loss on held-out poses, and the task itself, lifting them."""

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
from zedo_core.methods.zedo import ZedoLifter, ZedoOptions
from zedo_core.methods.zedo.checkpoint import Prior
from zedo_core.metrics import mpjpe, pa_mpjpe
from zedo_core.nets.score_mlp import ScoreMLP
from zedo_core.skeleton import Skeleton
from zedo_core.train.augment import PoseSource, frame_weights
from zedo_core.train.clusters import facing_camera, nearest
from zedo_core.train.loop import score_matching_loss
from zedo_core.train.options import TrainOptions

HYPOTHESES = 10
_LOSS_POSES = 2048
_SHAPES, _SHAPES_FROM = 200, 8000  # initial poses, and frames that they are chosen from


@dataclass(frozen=True)
class TaskErrors:
    """Errors in millimetres of held-out poses lifted under random cameras with exact 2D.

    `_1` is of the hypothesis that the method chooses, `_10` of the best of ten against the truth.
    """

    mpjpe_1_mm: float
    pa_mpjpe_1_mm: float
    mpjpe_10_mm: float
    pa_mpjpe_10_mm: float


@dataclass(frozen=True)
class LossCheck:
    """Fixed held-out poses, times and noise: the same question at every check."""

    poses: Float[Tensor, "b j 3"]
    t: Float[Tensor, " b"]
    noise: Float[Tensor, "b j 3"]

    @classmethod
    def of(cls, held: Mixture, options: TrainOptions, device: torch.device) -> LossCheck:
        """Poses as they are but for heading, size and camera."""
        plain = replace(options.augment, limb_exchange=0.0, rarity=0.0, rotation=0.0, root_tilt=0.0)
        generator = Generator(device).manual_seed(options.seed + 1)
        poses = PoseSource.of(held, plain, device).draw(_LOSS_POSES, generator)
        noise = torch.randn(poses.shape, generator=generator, device=device)
        return cls(poses, torch.linspace(0.01, 0.1, len(poses), device=device), noise)

    @torch.no_grad()
    def loss(self, net: ScoreMLP) -> float:
        """The loss at times from 0.01 to 0.1, those of inference."""
        net.eval()
        return float(score_matching_loss(net, SubVP(), self.poses, self.t, self.noise))


@dataclass(frozen=True)
class TaskCheck:
    """Held-out poses before random cameras, and initial poses from the rest."""

    views: Views
    shapes: Float[ndarray, "s j 3"]
    skeleton: Skeleton
    device: torch.device

    @classmethod
    def of(cls, kept: Mixture, held: Mixture, options: TrainOptions, device: torch.device) -> TaskCheck:
        """The same views and initial poses for the same data and seed."""
        rng = np.random.default_rng(options.seed)
        weights = frame_weights(kept, options.augment.rarity, options.seed)
        rows = rng.choice(len(kept), min(len(kept), _SHAPES_FROM), replace=False, p=_spread(weights))
        poses = facing_camera(torch.from_numpy(kept.positions[rows]), kept.skeleton).numpy()
        count = min(_SHAPES, len(poses))
        shapes = nearest(poses, np.ones(len(poses)), count, options.seed)
        return cls(random_views(held.motions, options.check_poses, options.seed), shapes, kept.skeleton, device)

    def errors(self, net: ScoreMLP) -> TaskErrors:
        """Lift all views with the network as it is now."""
        prior = Prior(net=net.eval(), sde=SubVP(), skeleton=self.skeleton, name="in training", sha256="")
        truth, count = self.views.joints_cam, min(HYPOTHESES, len(self.shapes))
        options = ZedoOptions(shapes=len(self.shapes), candidates=count)
        lifter = ZedoLifter.build(prior, {len(self.shapes): self.shapes}, options, self.device)
        found = lifter.lift_rows(self.views.xy, np.ones(truth.shape[:2]), self.views.K, count)
        joints, truth = found.joints.astype(float), np.repeat(truth[:, None], count, axis=1)
        error, aligned = 1000 * mpjpe(joints, truth, self.skeleton.root), 1000 * pa_mpjpe(joints, truth)
        means = (error[:, 0].mean(), aligned[:, 0].mean(), error.min(1).mean(), aligned.min(1).mean())
        return TaskErrors(*(float(mean) for mean in means))


def _spread(weights: Float[ndarray, " n"]) -> Float[ndarray, " n"]:
    """Probabilities of which none is 0, since so many different frames may not be had otherwise."""
    raised = weights + 1e-9 / len(weights)
    return raised / raised.sum()
