"""The pieces of work that are timed: lifters, people, and our loop in the batches of the lifter."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor

from zedo_core.data import mocap_clips
from zedo_core.lifting import load_lifter
from zedo_core.methods.zedo import ZedoLifter, ZedoOptions
from zedo_core.methods.zedo.initial import standard_poses
from zedo_core.methods.zedo.ipo import descend
from zedo_core.methods.zedo.lifter import ROWS_CPU, ROWS_GPU
from zedo_core.methods.zedo.observations import Observations, depth_bounds
from zedo_core.methods.zedo.oil import DenoisingSteps, optimise_in_loop
from zedo_core.nets.score_mlp import ScoreMLP, ScoreMLPConfig

PACKAGED, WIDE = "packaged", "wide"


@dataclass(frozen=True)
class People:
    """Keypoints in pixels, confidences and cameras, one person a row."""

    xy: Float[ndarray, "b 17 2"]
    confidence: Float[ndarray, "b 17"]
    K: Float[ndarray, "b 3 3"]

    @classmethod
    def sample(cls) -> People:
        """The motion capture sample in the package: 600 people."""
        samples = mocap_clips.load(None)
        return cls(*(array.astype(np.float32) for array in (samples.xy, samples.confidence, samples.K)))

    def cycled(self, rows: int) -> People:
        """So many rows, the same again and again."""
        i = np.arange(rows) % len(self.xy)
        return People(self.xy[i], self.confidence[i], self.K[i])

    def observed(self, device: torch.device) -> Observations:
        """As the loop takes them."""
        return Observations.from_pixels(*(torch.from_numpy(a).to(device) for a in (self.xy, self.confidence, self.K)))


def lifters(device: torch.device) -> dict[str, ZedoLifter]:
    """The packaged prior, and one with a network of the paper's size and random weights, good enough to be timed."""
    lifter = load_lifter(device=str(device))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = ScoreMLP(ScoreMLPConfig()).eval().requires_grad_(False).to(device)
    return {PACKAGED: lifter, WIDE: replace(lifter, prior=replace(lifter.prior, net=net))}


@dataclass(frozen=True)
class Scene:
    """People with their initial poses and translations, for loops that are compared."""

    observed: Observations
    pose: Float[Tensor, "b h j 3"]
    T: Float[Tensor, "b h 1 3"]

    @classmethod
    @torch.inference_mode()
    def start(cls, lifter: ZedoLifter, people: People, hypotheses: int, options: ZedoOptions) -> Scene:
        """Initial poses by `options.adam_steps` of the paper's optimiser."""
        observed = people.observed(lifter.device)
        shapes = standard_poses(lifter.clusters, hypotheses)
        pose = shapes.repeat(len(observed), 1, 1)
        R, T, _ = descend(observed.repeat(hypotheses), pose, lifter.skeleton, options)
        size = (-1, hypotheses)
        return cls(observed, (pose @ R.mT).unflatten(0, size), T.unflatten(0, size))


@torch.inference_mode()
def our_loop(lifter: ZedoLifter, scene: Scene, options: ZedoOptions) -> tuple[Tensor, Tensor]:
    """Our loop over all people and hypotheses, in the batches in which the lifter runs it."""
    people, hypotheses = scene.pose.shape[:2]
    size = max(1, (ROWS_CPU if lifter.device.type == "cpu" else ROWS_GPU) // hypotheses)
    denoise, ends = DenoisingSteps.of(lifter.prior, options), []
    for start in range(0, people, size):
        part = slice(start, start + size)
        observed = scene.observed[part].repeat(hypotheses)
        bounds = depth_bounds(observed, options.spread_m)
        pose, T = scene.pose[part].flatten(0, 1), scene.T[part].flatten(0, 1)
        ends.append(optimise_in_loop(denoise, observed, pose, T, bounds, options))
    poses, translations = (torch.cat(parts).unflatten(0, (-1, hypotheses)) for parts in zip(*ends, strict=True))
    return poses, translations
