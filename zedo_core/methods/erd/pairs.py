"""Training pairs: poses seen by cameras and their keypoints as a detector would find them, and recorded pairs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Generator, Tensor

from zedo_core.data.mixture import Mixture
from zedo_core.data.pairs import Pairs
from zedo_core.errors import InputError
from zedo_core.methods.erd.features import View
from zedo_core.methods.observations import Observations
from zedo_core.nets.constants import indices
from zedo_core.nets.lifter import Lifter2D
from zedo_core.skeleton import Skeleton
from zedo_core.train.augment import AugmentOptions, PoseSource, flip
from zedo_core.train.cameras import FileCameras
from zedo_core.train.noise import DetectorNoise, NoiseOptions
from zedo_core.train.views import ViewOptions, random_places, slopes_of

_PCA_POSES = 20_000


class Batch(NamedTuple):
    """Poses in metres relative to the root, slopes of rays, confidences, and the root's place in metres."""

    pose: Float[Tensor, "b j 3"]
    slopes: Float[Tensor, "b j 2"]
    confidence: Float[Tensor, "b j"]
    root: Float[Tensor, "b 1 3"]

    @property
    def observed(self) -> Observations:
        """The observations of each row."""
        return Observations(self.slopes, self.confidence, self.slopes.new_ones(len(self.slopes), 2))


@dataclass(frozen=True)
class RecordedPairs:
    """Pairs of the user on one device; `cumulative` holds the cumulative weights of the frames."""

    batch: Batch
    cumulative: Float[Tensor, " n"]
    skeleton: Skeleton
    flip: float  # probability of mirroring

    @classmethod
    def from_pairs(cls, pairs: Pairs, skeleton: Skeleton, flip: float, device: torch.device) -> RecordedPairs:
        """Frames of a data set share its weight evenly."""
        counts = np.bincount(pairs.part, minlength=len(pairs.weights))
        weights = (np.array(pairs.weights) / np.maximum(counts, 1))[pairs.part]
        dtype = torch.float32 if device.type == "mps" else torch.float64
        cumulative = torch.from_numpy(weights).cumsum(0).to(device, dtype)
        return cls(batch_of(pairs, skeleton, device), cumulative, skeleton, flip)

    def draw(self, count: int, generator: Generator) -> Batch:
        """`count` pairs, some of them mirrored."""
        device, cumulative = self.cumulative.device, self.cumulative
        u = torch.rand(count, generator=generator, device=device, dtype=cumulative.dtype) * cumulative[-1]
        rows = torch.searchsorted(cumulative, u, right=True).clamp_max(len(cumulative) - 1)
        batch = Batch(*(values[rows] for values in self.batch))
        chosen = (torch.rand(count, generator=generator, device=device) < self.flip).float()
        sign = (1 - 2 * chosen)[:, None, None]
        order = torch.arange(len(self.skeleton), device=device)
        mirror = torch.where(chosen[:, None].bool(), indices(self.skeleton.mirror, device), order)
        slopes = batch.slopes.gather(1, mirror[..., None].expand(-1, -1, 2))
        return Batch(
            flip(batch.pose, chosen, self.skeleton),
            torch.cat([slopes[..., :1] * sign, slopes[..., 1:]], dim=-1),
            batch.confidence.gather(1, mirror),
            torch.cat([batch.root[..., :1] * sign, batch.root[..., 1:]], dim=-1),
        )


def batch_of(pairs: Pairs, skeleton: Skeleton, device: torch.device) -> Batch:
    """All pairs; the slopes of missing joints are 0."""
    joints, xy, confidence, K = (
        torch.from_numpy(values).to(device) for values in (pairs.joints_cam, pairs.xy, pairs.confidence, pairs.K)
    )
    slopes = Observations.from_pixels(xy, confidence, K).slopes * (confidence > 0)[..., None]
    root = joints[:, skeleton.root : skeleton.root + 1]
    return Batch(joints - root, slopes, confidence, root)


@dataclass(frozen=True)
class PairSource:
    """Draws pairs; everything stays on one device. A share of each batch is recorded, the rest is projected."""

    source: PoseSource
    noise: DetectorNoise
    views: ViewOptions
    cameras: FileCameras | None = None  # of `views`
    recorded: RecordedPairs | None = None
    share: float = 0.0

    @classmethod
    def from_mixture(
        cls,
        mixture: Mixture,
        recorded: Pairs | None,
        device: torch.device,
        *,
        augment: AugmentOptions,
        noise: NoiseOptions,
        views: ViewOptions,
        seed: int,
    ) -> PairSource:
        """Pairs from motion capture and, by their weights, from recorded pairs."""
        source = PoseSource.from_mixture(mixture, augment, device, seed)
        cameras = FileCameras.from_cameras(views.cameras, device) if views.cameras else None
        projected = cls(source, DetectorNoise(noise, mixture.skeleton, device), views, cameras)
        if recorded is None:
            return projected
        own, others = sum(recorded.weights), sum(mixture.weights)
        pairs = RecordedPairs.from_pairs(recorded, mixture.skeleton, source.options.flip, device)
        return cls(source, projected.noise, views, cameras, pairs, own / (own + others))

    def draw(self, count: int, generator: Generator) -> Batch:
        """`count` pairs."""
        recorded = round(self.share * count) if self.recorded else 0
        projected = self._draw_projected(count - recorded, generator)
        if self.recorded is None:
            return projected
        parts = zip(projected, self.recorded.draw(recorded, generator), strict=True)
        return Batch(*(torch.cat(both) for both in parts))

    def _draw_projected(self, count: int, generator: Generator) -> Batch:
        exact = self.draw_exact(count, generator)
        slopes, confidence = self.noise(exact.slopes, generator)
        return exact._replace(slopes=slopes, confidence=confidence)

    def draw_exact(self, count: int, generator: Generator) -> Batch:
        """`count` projected pairs with all joints in view, without noise."""
        if self.cameras is None:
            pose = self.source.draw(count, generator)
            root = random_places(count, self.views, generator, pose.device)[:, None]
        else:
            cameras = self.cameras.draw(count, generator)
            pose = self.source.draw(count, generator, cameras.R_cam_from_up)
            root = cameras.roots(pose, self.views, generator)
        return Batch(pose, slopes_of(pose + root), torch.ones_like(pose[..., 0]), root)


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
    exact = pairs.draw_exact(count, Generator(pairs.source.device).manual_seed(seed))
    places = view_of(exact.slopes, exact.confidence).local[..., :2].flatten(1)
    mean = places.mean(0)
    net.get_buffer("pca_mean").copy_(mean)
    net.get_buffer("pca_basis").copy_(torch.linalg.svd(places - mean, full_matrices=False).Vh[:needed].T)
