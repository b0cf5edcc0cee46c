"""ERD's lifter: rows of keypoints in, hypotheses in camera axes out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor

from zedo_core.camera import Camera
from zedo_core.methods.erd.options import MAX_HYPOTHESES, ErdOptions
from zedo_core.methods.erd.prediction import Prediction, predict
from zedo_core.methods.erd.weights import ErdWeights
from zedo_core.methods.observations import SPREAD_M, Observations, bounded_translation, depth_bounds, matrices_of
from zedo_core.methods.protocol import OnRows, Steps, check_hypotheses
from zedo_core.skeleton import Skeleton
from zedo_core.types import Keypoints, Lifted

_ROWS = 1024  # people in one batch


@dataclass(frozen=True)
class ErdLifter:
    """The networks with settings, on one device."""

    loaded: ErdWeights
    options: ErdOptions
    device: torch.device

    name = "erd"
    window = None

    @property
    def skeleton(self) -> Skeleton:
        """The joint set of the input and of the result."""
        return self.loaded.skeleton

    @property
    def weights(self) -> str:
        """The name of the weights."""
        return self.loaded.name

    @property
    def weights_sha256(self) -> str:
        """SHA-256 of the weights."""
        return self.loaded.sha256

    @property
    def calls(self) -> int:
        """Network calls per pose."""
        return self.options.iterations or 1 + len(self.loaded.net.regressors)

    @property
    def settings(self) -> dict[str, Any]:
        """All options, for the record."""
        return asdict(self.options) | {"iterations": self.calls}

    def lift(
        self,
        rows: Keypoints,
        cameras: Sequence[Camera],
        hypotheses: int,
        seed: int = 0,
        on_rows: OnRows = lambda done: None,
    ) -> Lifted:
        """See `protocol.Lifter.lift`: first the mean pose, then the modes by their weights, then mean poses of
        keypoints with noise, which is determined by `seed`."""
        K = matrices_of(cameras, rows)
        return self.lift_rows(rows.xy, rows.confidence, K, hypotheses, on_rows, seed)

    @torch.inference_mode()
    def lift_rows(
        self,
        xy: Float[ndarray, "b j 2"],
        confidence: Float[ndarray, "b j"],
        K: Float[ndarray, "b 3 3"],
        hypotheses: int,
        on_rows: OnRows = lambda done: None,
        seed: int = 0,
    ) -> Lifted:
        """`lift` from arrays: undistorted pixels, confidences, and the matrix K of each row."""
        check_hypotheses(hypotheses, MAX_HYPOTHESES)
        j = len(self.skeleton)
        sizes = ((hypotheses, j, 3), (hypotheses, 3), (hypotheses,), (j,))
        results = tuple(np.empty((len(xy), *size), np.float32) for size in sizes)
        for start in range(0, len(xy), _ROWS):
            rows = slice(start, start + _ROWS)
            arrays = (torch.from_numpy(np.asarray(array[rows], np.float32)) for array in (xy, confidence, K))
            observed = Observations.from_pixels(*(array.to(self.device) for array in arrays))
            for result, part in zip(results, self._lift(observed, hypotheses, seed), strict=True):
                result[rows] = part.cpu().numpy()
            on_rows(min(rows.stop, len(xy)))
        joints, origin, score, spread = results
        return Lifted(joints=joints, origin=origin, score=score, spread=spread)

    @torch.inference_mode()
    def steps(
        self, rows: Keypoints, cameras: Sequence[Camera], wanted: Int[ndarray, " m"], hypotheses: int, seed: int = 0
    ) -> Steps:
        """See `protocol.SteppingLifter.steps`: the pose of the lifter, then that after each regressor."""
        part = rows.take(wanted)
        arrays = (part.xy, part.confidence, matrices_of(cameras, part))
        pixels = (torch.from_numpy(np.asarray(array, np.float32)).to(self.device) for array in arrays)
        observed = self.predict(Observations.from_pixels(*pixels)).observed  # after exchanges of sides
        once = replace(self.options, exchange=None)
        poses = [
            predict(self.loaded.net, observed, self.skeleton, once, calls).pose for calls in range(1, self.calls + 1)
        ]
        bounds = depth_bounds(observed, SPREAD_M)
        T = bounded_translation(poses[-1], observed.slopes, observed.weights, bounds)
        names = ("lifter", *(f"regressor {k}" for k in range(1, self.calls)))
        return Steps(names=names, joints=(torch.stack(poses) + T).cpu().numpy())

    def predict(self, observed: Observations) -> Prediction:
        """The mean pose and the modes of each row, in camera axes."""
        return predict(self.loaded.net, observed, self.skeleton, self.options, self.calls)

    def _lift(self, observed: Observations, count: int, seed: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The arrays of `Lifted` for a batch, on the device."""
        found, known = self.predict(observed), self.loaded.calibration
        poses, observed = self.hypotheses(found, count, seed), found.observed
        bounds = depth_bounds(observed, SPREAD_M)
        T = bounded_translation(poses, observed.slopes[:, None], observed.weights[:, None], bounds[:, None])
        score = -known.error_scale * found.expected_error(poses) ** known.error_power
        spread = known.joint_scale * found.spread() ** known.joint_power
        spread[:, self.skeleton.root] = 0.0
        return poses + T, T[:, :, 0], score, spread

    def hypotheses(self, found: Prediction, count: int, seed: int = 0) -> Float[Tensor, "b h j 3"]:
        """`count` poses: the mean pose, the modes by their weights, then the mean poses of keypoints with noise."""
        observed = found.observed
        order = found.weights.argsort(dim=1, descending=True, stable=True)
        modes = found.modes[torch.arange(len(order), device=order.device)[:, None], order]
        poses = [found.pose[:, None], modes[:, : count - 1]]
        generator = torch.Generator().manual_seed(seed)
        size = (observed.slopes - observed.slopes.mean(1, keepdim=True)).square().sum(-1).mean(-1).sqrt()
        for _ in range(count - 1 - modes.shape[1]):
            noise = torch.randn(1, *observed.slopes.shape[1:], generator=generator).to(size)  # the same for all rows
            jittered = observed.slopes + self.options.jitter * size[:, None, None] * noise
            poses.append(self.predict(replace(observed, slopes=jittered)).pose[:, None])
        return torch.cat(poses, dim=1)
