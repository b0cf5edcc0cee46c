"""ZeDO's lifter: rows of keypoints in, hypotheses in camera axes out."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor

from zedo_core.camera import Camera
from zedo_core.errors import DeviceError
from zedo_core.methods.diff3dhpe.lifter import DiffLifter
from zedo_core.methods.erd.lifter import ErdLifter
from zedo_core.methods.exchange import best_exchange, exchanges, number_of
from zedo_core.methods.observations import Observations, bounded_translation, depth_bounds, matrices_of
from zedo_core.methods.protocol import OnRows, Steps, check_hypotheses
from zedo_core.methods.zedo.calibration import calibration_of
from zedo_core.methods.zedo.initial_poses import bone_length, poses_for
from zedo_core.methods.zedo.ipo import descend
from zedo_core.methods.zedo.moving import with_motions
from zedo_core.methods.zedo.oil import DenoisingSteps, Trace, optimise_in_loop
from zedo_core.methods.zedo.options import MAX_HYPOTHESES, ZedoOptions
from zedo_core.methods.zedo.plausibility import (
    DenoisingResidual,
    expected_error,
    plausibility,
    posterior_weights,
    residual_network,
    spread_about,
)
from zedo_core.methods.zedo.prior import Prior
from zedo_core.methods.zedo.recorded import Recorded, TensorFunction, capture
from zedo_core.methods.zedo.search import best_placements
from zedo_core.nets.fused import FusedScore
from zedo_core.nets.tabulated import TabulatedScore
from zedo_core.skeleton import Skeleton
from zedo_core.types import Keypoints, Lifted

# Poses in one batch of the loop: enough to keep the processor busy, few enough for its caches (CPU) or memory (GPU).
ROWS_CPU, ROWS_GPU = 512, 32768
_RECORDED_ROWS = 4096  # on a GPU, batches up to this size are limited by kernel launches and are recorded
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Model:
    """What all batches of a call share."""

    initial_poses: Float[Tensor, "s j 3"]
    denoise: DenoisingSteps
    late: DenoisingSteps | None  # for poses lifted by ERD
    residual: DenoisingResidual


@dataclass(frozen=True)
class ZedoLifter:
    """The ZeDO method with a prior, sets of initial poses by size, and settings, on one device."""

    prior: Prior
    initial_poses: dict[int, Float[Tensor, "s j 3"]]
    options: ZedoOptions
    device: torch.device
    regressor: ErdLifter | None = None  # needed if `options.uses_regressor`
    sequence: DiffLifter | None = None  # for the first hypothesis of people seen in several frames

    name = "zedo"

    @classmethod
    def from_prior(
        cls,
        prior: Prior,
        initial_poses: Mapping[int, ndarray],
        options: ZedoOptions,
        device: torch.device,
        regressor: ErdLifter | None = None,
        sequence: DiffLifter | None = None,
    ) -> ZedoLifter:
        """A lifter with everything moved to the device."""
        poses = {size: torch.from_numpy(array).to(device) for size, array in initial_poses.items()}
        return cls(replace(prior, net=prior.net.to(device)), poses, options, device, regressor, sequence)

    @property
    def window(self) -> int | None:
        """See `protocol.Lifter.window`."""
        return self.sequence.window if self.sequence else None

    @property
    def skeleton(self) -> Skeleton:
        """The joint set of the input and of the result."""
        return self.prior.skeleton

    @property
    def weights(self) -> str:
        """The name of the prior."""
        return self.prior.name

    @property
    def weights_sha256(self) -> str:
        """SHA-256 of the prior."""
        return self.prior.sha256

    @property
    def products(self) -> str:
        """Precision of the network's matrix products: float32, or float16 in the fused kernel."""
        return self._denoise.noise.products

    @property
    def settings(self) -> dict[str, Any]:
        """All options, and the known bones of each track, for the record."""
        bones = self.sequence.settings.get("bones") if self.sequence else None
        return asdict(self.options) | ({"bones": bones} if bones else {})

    def lift(
        self,
        rows: Keypoints,
        cameras: Sequence[Camera],
        hypotheses: int,
        seed: int = 0,
        on_rows: OnRows = lambda done: None,
    ) -> Lifted:
        """See `protocol.Lifter.lift`; the hypothesis with the smallest expected error comes first.

        `seed` is for the noise with which the plausibility of poses is computed.
        """
        K, sequence = matrices_of(cameras, rows), self.sequence
        if sequence is None:
            return self.lift_rows(rows.xy, rows.confidence, K, hypotheses, on_rows, seed)
        # Motions take about as long as frames.
        lifted = self.lift_rows(rows.xy, rows.confidence, K, hypotheses, lambda done: on_rows(done // 2), seed)
        lifted = with_motions(lifted, rows, cameras, sequence, lambda done: on_rows((len(rows) + done) // 2))
        on_rows(len(rows))
        return lifted

    def with_bones(self, bones_m: Mapping[int, Float[ndarray, " j"]]) -> ZedoLifter:
        """See `protocol.BonesLifter.with_bones`; only motions make use of them."""
        return replace(self, sequence=self.sequence.with_bones(bones_m)) if self.sequence else self

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
        count = self._count(hypotheses)
        lift_batch, recorded = self._batch_functions(count, hypotheses, seed)
        people, j = len(xy), len(self.skeleton)
        sizes = ((hypotheses, j, 3), (hypotheses, 3), (hypotheses,), (j,))
        results = tuple(np.empty((people, *size), np.float32) for size in sizes)
        done, size = 0, max(1, (ROWS_CPU if self.device.type == "cpu" else ROWS_GPU) // count)
        while done < people:
            rows = slice(done, min(done + size, people))
            function = lift_batch if (rows.stop - rows.start) * count > _RECORDED_ROWS else recorded
            try:
                lifted = self._lift_batch(xy[rows], confidence[rows], K[rows], function)
            except torch.OutOfMemoryError:
                size = self._halve(rows.stop - rows.start)
                continue
            for result, part in zip(results, lifted, strict=True):
                result[rows] = part.cpu().numpy()
            done = rows.stop
            on_rows(done)
        joints, origin, score, spread = results
        seen, calibration = confidence > 0, calibration_of(self.options)
        return Lifted(
            joints=joints,
            origin=origin,
            score=-calibration.pose_error(-score, seen),
            spread=calibration.joint_error(spread, seen),
        )

    @torch.inference_mode()
    def steps(
        self, rows: Keypoints, cameras: Sequence[Camera], wanted: Int[ndarray, " m"], hypotheses: int, seed: int = 0
    ) -> Steps:
        """See `protocol.SteppingLifter.steps`: the most plausible of the loops that start from initial poses."""
        check_hypotheses(hypotheses, MAX_HYPOTHESES)
        part, count, seen = rows.take(wanted), self._count(hypotheses), []
        arrays = (part.xy, part.confidence, matrices_of(cameras, part))
        pixels = (torch.from_numpy(np.asarray(array, np.float32)).to(self.device) for array in arrays)
        observed = Observations.from_pixels(*pixels)
        _, T, plausible = self._lift(observed, self._model(count, seed), count, lambda i, pose: seen.append(pose))
        best, row = plausible[:, :count].argmax(1), torch.arange(len(observed), device=self.device)
        poses = torch.stack(seen).unflatten(1, (-1, count))[:, row, best]
        names = ("initial pose", *(f"step {i} of {len(seen) - 1}" for i in range(1, len(seen))))
        return Steps(names=names, joints=(poses + T[row, best]).cpu().numpy())

    def _count(self, hypotheses: int) -> int:
        """Number of candidates from initial poses."""
        return max(hypotheses - self.options.regressed - self.options.average, self.options.candidates)

    @cached_property
    def _denoise(self) -> DenoisingSteps:
        return DenoisingSteps.from_prior(self.prior, self.options)

    @cached_property
    def _late(self) -> DenoisingSteps | None:
        return DenoisingSteps.from_prior(self.prior, self.options.late) if self.options.uses_regressor else None

    @cached_property
    def _residual_network(self) -> TabulatedScore | FusedScore:
        return residual_network(self.prior)

    def _halve(self, people: int) -> int:
        """Half the batch size, after the device ran out of memory; DeviceError if it cannot be halved."""
        if people == 1:
            raise DeviceError(
                f"device '{self.device}': not enough memory for one person; lower --hypo or use another device"
            )
        torch.cuda.empty_cache()  # does nothing if CUDA was not used
        _log.warning("device '%s': not enough memory for a batch of %d people; halving it", self.device, people)
        return people // 2

    def _lift_batch(self, xy: ndarray, confidence: ndarray, K: ndarray, function: TensorFunction) -> tuple[Tensor, ...]:
        """The arrays of `Lifted` for a batch, on the device."""
        arrays = (torch.from_numpy(np.asarray(array, np.float32)) for array in (xy, confidence, K))
        return function(*(array.to(self.device) for array in arrays))

    @cached_property
    def _batch_functions(self) -> Callable[[int, int, int], tuple[TensorFunction, TensorFunction]]:
        """`_make_batch_functions` with a cache; a lifter made from this one by `replace` has its own."""
        return lru_cache(maxsize=4)(self._make_batch_functions)

    def _make_batch_functions(self, count: int, hypotheses: int, seed: int) -> tuple[TensorFunction, TensorFunction]:
        """The function that lifts a batch with `count` candidates, and on a GPU its recording."""
        model = self._model(count, seed)

        def lift_batch(*pixels: Tensor) -> tuple[Tensor, ...]:
            return self._select(*self._lift(Observations.from_pixels(*pixels), model, count), hypotheses)

        recordable = self.device.type == "cuda" and self._uses_grid and not self.options.uses_regressor
        return lift_batch, Recorded(lift_batch, capture) if recordable else lift_batch

    def _model(self, count: int, seed: int) -> _Model:
        tried = min(self.options.initial_poses, max(self.initial_poses)) if self._uses_grid else 0
        initial_poses = poses_for(self.initial_poses, max(count, tried))
        residual = DenoisingResidual.from_prior(self.prior, self._residual_network, seed)
        return _Model(initial_poses, self._denoise, self._late, residual)

    def _select(
        self, pose: Float[Tensor, "b n j 3"], T: Float[Tensor, "b n 1 3"], plausible: Float[Tensor, "b n"], count: int
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The `count` best candidates, and the spread of all candidates about the best, in the order of `Lifted`."""
        root = self.skeleton.root
        weights = posterior_weights(plausible)
        if self.options.average:
            mean, T_mean = ((weights[..., None, None] * x).sum(1, keepdim=True) for x in (pose, T))
            pose, T = torch.cat([mean, pose], dim=1), torch.cat([T_mean, T], dim=1)
            weights = torch.nn.functional.pad(weights, (1, 0))
        score = -expected_error(pose, weights, root)
        if self.options.average:  # the weights are too certain to say that a single pose is better than the mean
            score[:, 0] = score.amax(1)
        best = score.argsort(dim=1, descending=True, stable=True)[:, :count]
        row = torch.arange(len(pose), device=pose.device)[:, None]
        selected, origin = pose[row, best], T[row, best]
        return selected + origin, origin[:, :, 0], score[row, best], spread_about(selected[:, 0], pose, weights, root)

    def _lift(
        self, observed: Observations, model: _Model, count: int, trace: Trace | None = None
    ) -> tuple[Float[Tensor, "b n j 3"], Float[Tensor, "b n 1 3"], Float[Tensor, "b n"]]:
        """Poses, translations and log plausibility of all candidates: initial poses, the loop, then the body size.

        `trace` gets the initial poses as step -1, and the poses after each step of their loop.
        """
        if self.options.exchange is not None:
            observed = self._exchange(observed, model)
        bounds = depth_bounds(observed, self.options.spread_m)
        rows = observed.repeat(count)
        pose, T = self._place(observed, rows, model.initial_poses, bounds, count)
        if trace is not None:
            trace(-1, pose)
        of_rows = bounds.repeat_interleave(count, 0)
        pose, T = optimise_in_loop(model.denoise, rows, pose, T, of_rows, self.options, trace)
        if self.options.regressed:
            more, T_more = self._refine_regressed(observed, self.options.regressed, model)
            pose, T = (_join(a, b, len(observed)) for a, b in ((pose, more), (T, T_more)))
            count += self.options.regressed
            rows = observed.repeat(count)
        pose, T, plausible = self._judge(rows, pose, T, model)
        return pose.unflatten(0, (-1, count)), T.unflatten(0, (-1, count)), plausible.unflatten(0, (-1, count))

    def _judge(
        self, rows: Observations, pose: Float[Tensor, "n j 3"], T: Float[Tensor, "n 1 3"], model: _Model
    ) -> tuple[Float[Tensor, "n j 3"], Float[Tensor, "n 1 3"], Float[Tensor, " n"]]:
        """The poses in the body size, their translations and log plausibility."""
        if self.options.fix_size:
            factor = bone_length(model.initial_poses, self.skeleton).mean() / bone_length(pose, self.skeleton)
            pose, T = pose * factor[:, None, None], T * factor[:, None, None]
        return pose, T, plausibility(model.residual, rows, pose, T)

    def _refine_regressed(
        self, observed: Observations, count: int, model: _Model
    ) -> tuple[Float[Tensor, "n j 3"], Float[Tensor, "n 1 3"]]:
        """`count` poses lifted by ERD and their translations, after the loop at late times."""
        assert self.regressor is not None and model.late is not None
        pose = self.regressor.hypotheses(self.regressor.predict(observed), count).flatten(0, 1)
        rows = observed.repeat(count)
        bounds = depth_bounds(rows, self.options.spread_m)
        T = bounded_translation(pose, rows.slopes, rows.weights, bounds)
        return optimise_in_loop(model.late, rows, pose, T, bounds, self.options.late)

    def _exchange(self, observed: Observations, model: _Model) -> Observations:
        """The observations with left and right limbs exchanged where that is more plausible."""
        assert self.options.exchange is not None
        every = exchanges(observed, self.skeleton)
        plausible = self._judge(every, *self._refine_regressed(every, 1, model), model)[2]
        plausible = plausible.view(-1, number_of(self.skeleton))
        return best_exchange(every, plausible, self.options.exchange, self.skeleton)

    def _place(
        self, observed: Observations, rows: Observations, poses: Tensor, bounds: Tensor, count: int
    ) -> tuple[Float[Tensor, "n j 3"], Float[Tensor, "n 1 3"]]:
        """Initial poses and translations of all candidates."""
        if self._uses_grid:
            pose, T = best_placements(observed, poses, bounds, count, self.options)
            return pose.flatten(0, 1), T.flatten(0, 1)
        pose = poses.repeat(len(observed), 1, 1)
        R, T, _ = descend(rows, pose, self.skeleton, self.options)
        return pose @ R.mT, T

    @property
    def _uses_grid(self) -> bool:
        return self.options.init == "headings"


def _join(first: Float[Tensor, "n *x"], second: Float[Tensor, "m *x"], people: int) -> Float[Tensor, "k *x"]:
    """The candidates of each person from both, one after the other."""
    return torch.cat([x.unflatten(0, (people, -1)) for x in (first, second)], dim=1).flatten(0, 1)
