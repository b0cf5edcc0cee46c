"""Estimating the focal length of an uncalibrated camera from the people in view.

A sample of poses is lifted with each of several focal lengths. With a wrong one, the near and far parts of the body do
not have the proportions that the prior has learnt, and prior and keypoints agree less. With C(f) the mean over the
poses of the smallest 2 log(residual of the prior) + log(angle to the rays in pixels) among the hypotheses, the
posterior over log f is

    log p(f) = -SHARPNESS n^(1/3) C(f) - (log f - log guess)^2 / (2 PRIOR^2) + constant,   n poses.

C is minus a quarter of the log plausibility by which hypotheses are selected, except that the angle is in pixels, since
the error of keypoints in pixels does not depend on the focal length. The power of n is below 1 to allow for errors that
all frames share.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray

from zedo_core.camera import Camera
from zedo_core.methods.observations import Observations
from zedo_core.methods.zedo.lifter import ZedoLifter
from zedo_core.methods.zedo.options import ZedoOptions
from zedo_core.methods.zedo.plausibility import DenoisingResidual, angle_to_rays, residual_network
from zedo_core.types import Keypoints, Lifted

FACTORS = tuple(np.geomspace(0.4, 4.0, 14).tolist())  # focal lengths tried, relative to the guess
POSES = 24  # most poses used
# With 20 the stated deviations hold on training motions with exact or noisy joints, where the error in the logarithm
# is 0.2 for the estimate and 0.4 for the guess. The joints of detectors have the same bias in all frames, which acts
# like another focal length: of three real clips at 20, two were worse than the guess and none within its deviation.
SHARPNESS = 6.0
PRIOR = 0.5  # standard deviation of log focal length about the guess
OBSERVABLE = 0.4  # an estimate with a larger standard deviation of log focal length is not used

_HYPOTHESES = 10
_MIN_JOINTS = 12
_FLOOR_PX = 0.1

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class FocalEstimate:
    """Focal length in pixels, the standard deviation of its logarithm, and the number of poses used."""

    focal_px: float
    deviation: float
    poses: int

    @property
    def is_observable(self) -> bool:
        """Whether the estimate is more certain than the guess."""
        return self.poses > 0 and self.deviation < OBSERVABLE

    @property
    def range_px(self) -> tuple[float, float]:
        """Interval of one standard deviation, which contains the focal length in two cases out of three."""
        return self.focal_px * math.exp(-self.deviation), self.focal_px * math.exp(self.deviation)

    def applied(self, camera: Camera) -> Camera:
        """The camera with this focal length, or unchanged if it is not observable; `source` says which."""
        if not self.is_observable:
            return replace(camera, source=f"{camera.source}; the focal length cannot be estimated from the people")
        low, high = self.range_px
        source = f"estimated from {self.poses} poses, {low:.0f} to {high:.0f} px in two cases out of three"
        return replace(camera, fx=self.focal_px, fy=self.focal_px * camera.fy / camera.fx, source=source)


def estimate_focal(
    keypoints: Keypoints,
    camera: Camera,
    lifter: ZedoLifter,
    *,
    seed: int = 0,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> FocalEstimate:
    """Estimate the focal length of the camera of all frames; `camera` has the guess and all other parameters.

    `on_progress` receives the poses lifted and their total, each counted once per focal length. Without people who
    have at least 12 joints, the estimate is the guess, from 0 poses.
    """
    people = _sample_evenly(keypoints.undistorted((camera,)).to_skeleton(lifter.skeleton))
    n = len(people)
    if n == 0:
        return FocalEstimate(focal_px=camera.fx, deviation=PRIOR, poses=0)
    xy, confidence = np.tile(people.xy, (len(FACTORS), 1, 1)), np.tile(people.confidence, (len(FACTORS), 1))
    K = np.tile(camera.matrix, (len(FACTORS) * n, 1, 1))
    K[:, [0, 1], [0, 1]] *= np.repeat(FACTORS, n)[:, None]
    if lifter.options.uses_regressor:  # the misfit was calibrated without it
        lifter = replace(lifter, options=ZedoOptions().with_iterations(lifter.options.iterations))
    lifted = lifter.lift_rows(xy, confidence, K, _HYPOTHESES, lambda done: on_progress(done, len(K)), seed)
    misfit = _misfit(lifter, lifted, xy, confidence, K, seed).reshape(len(FACTORS), n).mean(1)
    mean, deviation = posterior(misfit, n)
    _log.info("misfit per focal length: %s", dict(zip((camera.fx * np.array(FACTORS)).round(), misfit, strict=True)))
    return FocalEstimate(focal_px=camera.fx * math.exp(mean), deviation=deviation, poses=n)


def posterior(misfit: Float[ndarray, " f"], poses: int) -> tuple[float, float]:
    """Mean and standard deviation of log(focal length / guess), given the misfit C for each of `FACTORS`."""
    x = np.log(FACTORS)
    log_p = -SHARPNESS * poses ** (1 / 3) * misfit - x**2 / (2 * PRIOR**2)
    p = np.exp(log_p - log_p.max())
    p /= p.sum()
    mean = float(p @ x)
    return mean, math.sqrt(float(p @ (x - mean) ** 2) + (x[1] - x[0]) ** 2 / 12)


def _sample_evenly(people: Keypoints) -> Keypoints:
    """Up to `POSES` rows, evenly spaced among those with enough joints."""
    usable = np.flatnonzero(np.count_nonzero(people.confidence > 0, axis=-1) >= _MIN_JOINTS)
    sample = np.unique(np.linspace(0, len(usable) - 1, POSES).round().astype(int)) if len(usable) else np.arange(0)
    return people.take(usable[sample])


@torch.inference_mode()
def _misfit(
    lifter: ZedoLifter, lifted: Lifted, xy: ndarray, confidence: ndarray, K: ndarray, seed: int
) -> Float[ndarray, " b"]:
    """The smallest 2 log(residual) + log(angle in px) among the hypotheses of each row."""
    count = lifted.joints.shape[1]
    to = {"device": lifter.device, "dtype": torch.float32}
    joints, origin = (torch.from_numpy(array).to(**to).flatten(0, 1) for array in (lifted.joints, lifted.origin))
    observed = Observations.from_pixels(*(torch.from_numpy(array).to(**to) for array in (xy, confidence, K)))
    residual = DenoisingResidual.from_prior(lifter.prior, residual_network(lifter.prior), seed)
    focal_px = torch.from_numpy(K[:, 0, 0]).to(**to).repeat_interleave(count)
    pixels = angle_to_rays(observed.repeat(count), joints) * focal_px
    misfit = 2 * residual(joints - origin[:, None]).log() + pixels.clamp_min(_FLOOR_PX).log()
    return misfit.unflatten(0, (-1, count)).amin(1).cpu().numpy().astype(np.float64)
