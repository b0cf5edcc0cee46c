"""Training pairs: poses seen by random cameras, and their keypoints as a detector would find them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from zedo_core.errors import InputError
from zedo_core.methods.erd.features import View
from zedo_core.methods.observations import Observations
from zedo_core.nets.lifter import Lifter2D
from zedo_core.train.augment import PoseSource
from zedo_core.train.noise import DetectorNoise
from zedo_core.train.views import ViewOptions, seen_at_random

_PCA_POSES = 20_000


@dataclass(frozen=True)
class PairSource:
    """Draws pairs; everything stays on one device."""

    source: PoseSource
    noise: DetectorNoise
    views: ViewOptions

    def draw(self, count: int, generator: Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Poses (b, j, 3) in metres relative to the root, slopes of rays (b, j, 2) and confidences (b, j)."""
        poses = self.source.draw(count, generator)
        return poses, *self.noise(seen_at_random(poses, self.views, generator), generator)

    def draw_exact(self, count: int, generator: Generator) -> Float[Tensor, "b j 2"]:
        """Slopes of the rays through all joints, without noise."""
        return seen_at_random(self.source.draw(count, generator), self.views, generator)


def view_of(slopes: Float[Tensor, "b j 2"], confidence: Float[Tensor, "b j"]) -> View:
    """The view of people given by the slopes of their rays."""
    return View.from_observations(Observations(slopes, confidence, slopes.new_ones(len(slopes), 2)))


def fit_components(net: Lifter2D, pairs: PairSource, frames: int, seed: int) -> None:
    """Set the principal components of the network's input to those of training poses with all joints in view.

    InputError when there are fewer `frames` to draw from than components.
    """
    needed, count = net.config.components, min(frames, _PCA_POSES)
    if count < needed:
        raise InputError(f"expected at least {needed} poses for {needed} principal components, got {count}")
    slopes = pairs.draw_exact(count, Generator(pairs.source.device).manual_seed(seed))
    places = view_of(slopes, torch.ones_like(slopes[..., 0])).local[..., :2].flatten(1)
    mean = places.mean(0)
    net.get_buffer("pca_mean").copy_(mean)
    net.get_buffer("pca_basis").copy_(torch.linalg.svd(places - mean, full_matrices=False).Vh[:needed].T)
