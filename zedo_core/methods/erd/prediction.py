"""From observations to poses in camera axes: the mean pose, the modes, and the errors that the mixture expects."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from zedo_core.methods.erd.descent import Descent
from zedo_core.methods.erd.features import View
from zedo_core.methods.erd.options import ErdOptions
from zedo_core.methods.exchange import best_exchange, exchanges, number_of
from zedo_core.methods.observations import Observations
from zedo_core.nets.constants import indices
from zedo_core.skeleton import Skeleton

# Mean, and mean square, of the distance of a joint from its mode in units of the scale, for exp(-d / s) in 3D.
_MEAN_DISTANCE, _MEAN_SQUARE = 3.0, 12.0


@dataclass(frozen=True)
class Prediction:
    """The chosen pose and the mixture's modes, in metres in camera axes relative to the root; `scale` is the size of
    each joint's error in each mode, and `observed` what they were lifted from, after exchanges of sides."""

    observed: Observations
    pose: Float[Tensor, "b j 3"]
    modes: Float[Tensor, "b m j 3"]
    scale: Float[Tensor, "b m j"]
    weights: Float[Tensor, "b m"]

    def expected_error(self, poses: Float[Tensor, "b h j 3"]) -> Float[Tensor, "b h"]:
        """Mean joint error in metres of poses that the mixture expects, before calibration."""
        within = _MEAN_DISTANCE * self.scale
        total = torch.zeros_like(poses[..., 0, 0])
        for m in range(self.modes.shape[1]):  # mode after mode, to save memory
            square = (poses - self.modes[:, None, m]).square().sum(-1) + within[:, None, m].square()
            total += self.weights[:, m, None] * square.sqrt().mean(-1)
        return total

    def spread(self) -> Float[Tensor, "b j"]:
        """RMS error in metres of each joint of the chosen pose that the mixture expects, before calibration."""
        square = (self.modes - self.pose[:, None]).square().sum(-1) + _MEAN_SQUARE * self.scale.square()
        return (self.weights[..., None] * square).sum(1).sqrt()


def predict(
    net: Descent, observed: Observations, skeleton: Skeleton, options: ErdOptions, calls: int | None = None
) -> Prediction:
    """The prediction of each row with the first `calls` networks, by default all.

    With `options.exchange`, left and right limbs are exchanged where the expected error becomes so much smaller; with
    `options.mirror`, the pose is the mean of that and of the one for the mirror image, mirrored back.
    """
    calls = calls or 1 + len(net.regressors)
    if options.exchange is not None:
        every = exchanges(observed, skeleton)
        once = _predict(net, every, skeleton, calls)
        expected = once.expected_error(once.pose[:, None]).log().view(-1, number_of(skeleton))
        observed = best_exchange(every, -expected, options.exchange, skeleton)
    found = _predict(net, observed, skeleton, calls)
    if not options.mirror:
        return found
    image = _predict(net, mirror_image(observed, skeleton), skeleton, calls).pose
    return replace(found, pose=(found.pose + mirrored(image, skeleton)) / 2)


def _predict(net: Descent, observed: Observations, skeleton: Skeleton, calls: int) -> Prediction:
    view = View.from_observations(observed)
    modes, poses = net(view)
    pose, every = poses[min(calls, len(poses)) - 1] @ view.R, modes.pose @ view.R[:, None]
    root = slice(skeleton.root, skeleton.root + 1)
    return Prediction(observed, pose - pose[:, root], every - every[:, :, root], modes.log_scale.exp(), modes.weights)


def mirror_image(observed: Observations, skeleton: Skeleton) -> Observations:
    """The observations in a mirror: left is right, for the picture and for the joints."""
    joints = indices(skeleton.mirror, observed.slopes.device)
    slopes = torch.cat([-observed.slopes[..., :1], observed.slopes[..., 1:]], dim=-1)[:, joints]
    return replace(observed, slopes=slopes, confidence=observed.confidence[:, joints])


def mirrored(pose: Float[Tensor, "b j 3"], skeleton: Skeleton) -> Float[Tensor, "b j 3"]:
    """The poses in a mirror."""
    return torch.cat([-pose[..., :1], pose[..., 1:]], dim=-1)[:, indices(skeleton.mirror, pose.device)]
