"""Validation of the networks during training: held-out poses, lifted from exact and from noisy keypoints."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Generator, Tensor

from zedo_core.data.mocap import Motions, random_views
from zedo_core.data.pairs import Pairs
from zedo_core.methods.erd.descent import Descent
from zedo_core.methods.erd.features import View
from zedo_core.methods.erd.pairs import PairSource, batch_of
from zedo_core.methods.observations import Observations
from zedo_core.metrics import mpjpe, pa_mpjpe
from zedo_core.skeleton import Skeleton
from zedo_core.train.noise import DetectorNoise, NoiseOptions


@dataclass(frozen=True)
class Known:
    """People in camera axes, where the root is (b, 1, 3), and what is seen of them."""

    joints_cam: Float[np.ndarray, "b j 3"]
    root_cam: Float[Tensor, "b 1 3"]
    observed: Observations

    @classmethod
    def from_pairs(cls, pairs: Pairs, count: int, skeleton: Skeleton, seed: int, device: torch.device) -> Known:
        """`count` frames, drawn by the seed."""
        rows = np.random.default_rng(seed).permutation(len(pairs))[:count]
        batch = batch_of(pairs.take(rows), skeleton, device)
        return cls(pairs.joints_cam[rows].astype(float), batch.root, batch.observed)

    @torch.no_grad()
    def lift(self, net: Descent, *, root_known: bool = False) -> list[Float[np.ndarray, "b j 3"]]:
        """The poses P_0 to P_K in camera axes, relative to the root."""
        view = View.from_observations(self.observed)
        _, poses = net(view, self.root_cam @ view.R.mT if root_known else None)
        return [_numpy(pose @ view.R) for pose in poses]


@dataclass(frozen=True)
class LiftingCheck:
    """Held-out poses: exactly, and as detected: with noise of strength 1, or the user's pairs if there are any."""

    exact: Known
    noisy: Known
    root: int

    @classmethod
    def from_motions(cls, motions: Motions, count: int, seed: int, device: torch.device) -> LiftingCheck:
        """Seen by random cameras; the same motions and seed give the same views and noise."""
        views, root = random_views(motions, count, seed), motions.skeleton.root
        xy, K = (torch.from_numpy(array.astype(np.float32)).to(device) for array in (views.xy, views.K))
        noise = DetectorNoise(NoiseOptions(), motions.skeleton, device)
        found, confidence = noise(xy, Generator(device).manual_seed(seed))
        place = torch.from_numpy(views.joints_cam[:, root : root + 1].astype(np.float32)).to(device)
        exact = Known(views.joints_cam, place, Observations.from_pixels(xy, torch.ones_like(confidence), K))
        return cls(exact, Known(views.joints_cam, place, Observations.from_pixels(found, confidence, K)), root)

    @classmethod
    def from_source(cls, source: PairSource, count: int, seed: int, root: int) -> LiftingCheck:
        """Seen by the cameras of the source."""
        generator = Generator(source.source.device).manual_seed(seed)
        exact = source.draw_exact(count, generator)
        slopes, confidence = source.noise(exact.slopes, generator)
        noisy = exact._replace(slopes=slopes, confidence=confidence)
        joints_cam = _numpy(exact.pose + exact.root)
        exactly, noisily = (Known(joints_cam, exact.root, batch.observed) for batch in (exact, noisy))
        return cls(exactly, noisily, root)

    def errors(self, net: Descent, *, root_known: bool = False) -> dict[str, float]:
        """Mean errors of the last pose of the descent in millimetres."""
        return self.errors_of_descent(net, root_known=root_known)[-1]

    def errors_of_descent(self, net: Descent, *, root_known: bool = False) -> list[dict[str, float]]:
        """Mean errors of the poses P_0 to P_K in millimetres; the descent may be told where the root is."""
        rows: list[dict[str, float]] = [{} for _ in range(1 + len(net.regressors))]
        for name, known in (("", self.exact), ("_noisy", self.noisy)):
            for row, pose in zip(rows, known.lift(net, root_known=root_known), strict=True):
                row[f"mpjpe{name}_mm"] = float(1000 * mpjpe(pose, known.joints_cam, self.root).mean())
                row[f"pa_mpjpe{name}_mm"] = float(1000 * pa_mpjpe(pose, known.joints_cam).mean())
        return rows


def _numpy(values: Tensor) -> np.ndarray:
    return values.cpu().numpy().astype(float)
