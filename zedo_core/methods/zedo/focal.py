"""The focal length of a camera that nobody knows, from the people before it.

Some people in some frames are lifted with one focal length after the other. With a wrong one the body's parts that are
near and far do not have the sizes that the prior knows, and what prior and keypoints agree on becomes worse. With C(f)
the mean over people and frames of the least 2 log(residual of the prior) + log(angle to the rays in pixels) among the
hypotheses, the posterior over log f is

    log p(f) = -SHARPNESS n^(1/3) C(f) - (log f - log guess)^2 / (2 PRIOR^2) + constant,   n poses.

C is minus a quarter of the plausibility by which hypotheses are chosen, but for the angle in pixels: keypoints err by
pixels, whatever the focal length. The power of n, less than 1, is for errors that all frames share.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray

from zedo_core.camera import Camera
from zedo_core.errors import InputError
from zedo_core.methods.zedo import ZedoLifter
from zedo_core.methods.zedo.observations import Observations
from zedo_core.methods.zedo.plausibility import DenoisingResidual, angle_to_rays, judging_network
from zedo_core.types import Keypoints, Lifted

FACTORS = tuple(np.geomspace(0.4, 4.0, 14).tolist())  # of the focal length that is guessed
POSES = 24  # people in frames that are looked at
# 20 makes the stated deviations true on training motions with exact or noisy joints, where the estimate is off by 0.2
# in the logarithm and the guess by 0.4. The joints of detectors are off in the same way in all frames, which looks like
# another focal length: of three real clips at 20, two were worse than the guess and none was within its deviation.
SHARPNESS = 6.0
PRIOR = 0.5  # standard deviation of the logarithm of focal lengths about the guess
OBSERVABLE = 0.4  # with a larger deviation of the logarithm the people do not say enough

WAYS = ("guess", "estimate")  # of what to do where nothing tells the focal length

_HYPOTHESES = 10
_LEAST_JOINTS = 12
_FLOOR_PX = 0.1

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class FocalEstimate:
    """Focal length in pixels, the standard deviation of its logarithm, and from how many poses."""

    focal_px: float
    deviation: float
    poses: int

    @property
    def is_observable(self) -> bool:
        """Whether the people say more than the guess knows."""
        return self.poses > 0 and self.deviation < OBSERVABLE

    @property
    def range_px(self) -> tuple[float, float]:
        """Where it lies in two cases of three."""
        return self.focal_px * math.exp(-self.deviation), self.focal_px * math.exp(self.deviation)

    def applied(self, camera: Camera) -> Camera:
        """The camera with this focal length, or the camera as it was, saying so, when it is not observable."""
        if not self.is_observable:
            return replace(camera, source=f"{camera.source}; the people do not show the focal length")
        low, high = self.range_px
        source = f"estimated from {self.poses} poses, {low:.0f} to {high:.0f} px in two cases of three"
        return replace(camera, fx=self.focal_px, fy=self.focal_px * camera.fy / camera.fx, source=source)


def check_way(way: str) -> None:
    """InputError when there is none of that name."""
    if way not in WAYS:
        raise InputError(f"expected a focal length by {' or '.join(WAYS)}, got '{way}'")


def estimate_focal(
    keypoints: Keypoints,
    camera: Camera,
    lifter: ZedoLifter,
    *,
    seed: int = 0,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> FocalEstimate:
    """The focal length of the camera that took all frames; `camera` has the guess and everything else.

    `on_progress` gets the poses lifted and their number, each counted once per focal length. Nobody with
    12 joints: an estimate that is the guess, from 0 poses.
    """
    people = keypoints.undistorted((camera,)).to_skeleton(lifter.skeleton)
    frames, columns = _rows(people)
    n = len(frames)
    if n == 0:
        return FocalEstimate(focal_px=camera.fx, deviation=PRIOR, poses=0)
    xy, confidence = (
        np.tile(array, (len(FACTORS), *[1] * (array.ndim - 1)))
        for array in (people.xy[frames, columns], people.confidence[frames, columns])
    )
    K = np.tile(camera.matrix, (len(FACTORS) * n, 1, 1))
    K[:, [0, 1], [0, 1]] *= np.repeat(FACTORS, n)[:, None]
    found = lifter.lift_rows(xy, confidence, K, _HYPOTHESES, lambda done: on_progress(done, len(K)), seed)
    misfit = _misfit(lifter, found, xy, confidence, K, seed).reshape(len(FACTORS), n).mean(1)
    mean, deviation = posterior(misfit, n)
    _log.info("misfit per focal length: %s", dict(zip((camera.fx * np.array(FACTORS)).round(), misfit, strict=True)))
    return FocalEstimate(focal_px=camera.fx * math.exp(mean), deviation=deviation, poses=n)


def posterior(misfit: Float[ndarray, " f"], poses: int) -> tuple[float, float]:
    """Mean and standard deviation of log(factor on the guess), given the misfit with each of `FACTORS`."""
    x = np.log(FACTORS)
    log_p = -SHARPNESS * poses ** (1 / 3) * misfit - x**2 / (2 * PRIOR**2)
    p = np.exp(log_p - log_p.max())
    p /= p.sum()
    mean = float(p @ x)
    return mean, math.sqrt(float(p @ (x - mean) ** 2) + (x[1] - x[0]) ** 2 / 12)


def _rows(people: Keypoints) -> tuple[Int[ndarray, " n"], Int[ndarray, " n"]]:
    """Frames and columns of up to `POSES` people, evenly over all who show enough joints."""
    enough = np.count_nonzero(people.confidence > 0, axis=-1) >= _LEAST_JOINTS
    columns, frames = np.nonzero(enough.T)
    picked = np.unique(np.linspace(0, len(frames) - 1, POSES).round().astype(int)) if len(frames) else np.arange(0)
    return frames[picked], columns[picked]


@torch.inference_mode()
def _misfit(
    lifter: ZedoLifter, found: Lifted, xy: ndarray, confidence: ndarray, K: ndarray, seed: int
) -> Float[ndarray, " b"]:
    """2 log(residual) + log(angle in px) of the hypothesis in which it is least, for each row."""
    count = found.joints.shape[1]
    to = {"device": lifter.device, "dtype": torch.float32}
    joints, origin = (torch.from_numpy(array).to(**to).flatten(0, 1) for array in (found.joints, found.origin))
    observed = Observations.from_pixels(*(torch.from_numpy(array).to(**to) for array in (xy, confidence, K)))
    residual = DenoisingResidual.of(lifter.prior, judging_network(lifter.prior), seed)
    pixels = angle_to_rays(observed.repeat(count), joints) * torch.from_numpy(K[:, 0, 0]).to(**to).repeat_interleave(
        count
    )
    misfit = 2 * residual(joints - origin[:, None]).log() + pixels.clamp_min(_FLOOR_PX).log()
    return misfit.unflatten(0, (-1, count)).amin(1).cpu().numpy().astype(np.float64)
