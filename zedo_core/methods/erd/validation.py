"""Validation of the networks during training: held-out poses, lifted from exact and from noisy keypoints."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Generator, Tensor

from zedo_core.data.mocap import Motions, random_views
from zedo_core.methods.erd.descent import Descent
from zedo_core.methods.erd.features import View
from zedo_core.methods.observations import Observations
from zedo_core.metrics import mpjpe, pa_mpjpe
from zedo_core.train.noise import DetectorNoise, NoiseOptions


@dataclass(frozen=True)
class LiftingCheck:
    """Held-out poses seen by random cameras: exactly, and with detector noise of strength 1."""

    joints_cam: Float[np.ndarray, "b j 3"]
    exact: Observations
    noisy: Observations
    root: int

    @classmethod
    def from_motions(cls, motions: Motions, count: int, seed: int, device: torch.device) -> LiftingCheck:
        """The same motions and seed give the same views and noise."""
        views = random_views(motions, count, seed)
        xy, K = (torch.from_numpy(array.astype(np.float32)).to(device) for array in (views.xy, views.K))
        noise = DetectorNoise(NoiseOptions(), motions.skeleton, device)
        found, confidence = noise(xy, Generator(device).manual_seed(seed))
        exact = Observations.from_pixels(xy, torch.ones_like(confidence), K)
        noisy = Observations.from_pixels(found, confidence, K)
        return cls(views.joints_cam, exact, noisy, motions.skeleton.root)

    def errors(self, net: Descent) -> dict[str, float]:
        """Mean errors of the last pose of the descent in millimetres."""
        return self.errors_of_descent(net)[-1]

    def errors_of_descent(self, net: Descent) -> list[dict[str, float]]:
        """Mean errors of the poses P_0 to P_K in millimetres."""
        every = {name: self.lift(net, observed) for name, observed in (("", self.exact), ("_noisy", self.noisy))}
        return [
            {
                f"{metric}{name}_mm": float(1000 * function(poses[k]).mean())
                for name, poses in every.items()
                for metric, function in (("mpjpe", self._mpjpe), ("pa_mpjpe", self._pa_mpjpe))
            }
            for k in range(1 + len(net.regressors))
        ]

    def _mpjpe(self, joints: Float[np.ndarray, "b j 3"]) -> Float[np.ndarray, " b"]:
        return mpjpe(joints, self.joints_cam, self.root)

    def _pa_mpjpe(self, joints: Float[np.ndarray, "b j 3"]) -> Float[np.ndarray, " b"]:
        return pa_mpjpe(joints, self.joints_cam)

    @torch.no_grad()
    def lift(self, net: Descent, observed: Observations) -> list[Float[np.ndarray, "b j 3"]]:
        """The poses P_0 to P_K in camera axes, relative to the root."""
        view = View.from_observations(observed)
        _, poses = net(view)
        return [_numpy(pose @ view.R) for pose in poses]


def _numpy(values: Tensor) -> np.ndarray:
    return values.cpu().numpy().astype(float)
