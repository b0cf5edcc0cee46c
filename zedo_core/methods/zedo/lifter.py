"""ZeDO as a lifter: rows of observed people in, hypotheses in camera axes out."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor

from zedo_core.errors import DeviceError, InputError
from zedo_core.methods.zedo.checkpoint import Prior
from zedo_core.methods.zedo.initial import best_starts, bone_length, standard_poses
from zedo_core.methods.zedo.ipo import descend
from zedo_core.methods.zedo.observations import Observations, depth_bounds
from zedo_core.methods.zedo.oil import DenoisingSteps, optimise_in_loop
from zedo_core.methods.zedo.options import ZedoOptions
from zedo_core.methods.zedo.plausibility import (
    DenoisingResidual,
    expected_error,
    judging_network,
    plausibility,
    spread_about,
    votes,
)
from zedo_core.methods.zedo.recorded import Find, Recorded, capture
from zedo_core.nets.fused import FusedScore
from zedo_core.nets.tabled import TabledScore
from zedo_core.skeleton import Skeleton
from zedo_core.types import Lifted

MAX_HYPOTHESES = 200
# Rows in one batch of the loop: enough to keep the processor busy, small enough for its caches (CPU) or memory (GPU).
ROWS_CPU, ROWS_GPU = 512, 32768
_RECORDED_ROWS = 4096  # on a GPU, batches up to here are bound by the launches of their kernels, and are recorded
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Model:
    """What all batches of one call share."""

    shapes: Float[Tensor, "s j 3"]
    denoise: DenoisingSteps
    residual: DenoisingResidual


@dataclass(frozen=True)
class ZedoLifter:
    """The ZeDO method with a prior, standard poses and settings, on one device."""

    prior: Prior
    clusters: dict[int, Float[Tensor, "s j 3"]]
    options: ZedoOptions
    device: torch.device

    name = "zedo"

    @classmethod
    def build(
        cls, prior: Prior, clusters: dict[int, ndarray], options: ZedoOptions, device: torch.device
    ) -> ZedoLifter:
        """Put everything onto the device."""
        poses = {size: torch.from_numpy(array).to(device) for size, array in clusters.items()}
        return cls(replace(prior, net=prior.net.to(device)), poses, options, device)

    @property
    def skeleton(self) -> Skeleton:
        """The joint set in which people have to be given."""
        return self.prior.skeleton

    @property
    def products(self) -> str:
        """In what the network's matrix products take their numbers: float32, or float16 where they are fused."""
        return self._denoise.noise.products

    @property
    def settings(self) -> dict[str, Any]:
        """All options, for the record."""
        return asdict(self.options)

    @torch.inference_mode()
    def lift_rows(
        self,
        xy: Float[ndarray, "b j 2"],
        confidence: Float[ndarray, "b j"],
        K: Float[ndarray, "b 3 3"],
        hypotheses: int,
        on_rows: Callable[[int], None] = lambda done: None,
        seed: int = 0,
    ) -> Lifted:
        """Hypotheses in metres in camera axes, the one with the least expected error first.

        `xy` in undistorted pixels; `seed` is that of the noise by which poses are judged.
        `on_rows` is told how many people are done. InputError for a number of hypotheses out of range.
        """
        if not 1 <= hypotheses <= MAX_HYPOTHESES:
            raise InputError(f"expected 1 to {MAX_HYPOTHESES} hypotheses, got {hypotheses}")
        count = max(hypotheses, self.options.candidates)
        find, recorded = self._finders(count, hypotheses, seed)
        people, j = len(xy), len(self.skeleton)
        sizes = ((hypotheses, j, 3), (hypotheses, 3), (hypotheses,), (j,))
        results = tuple(np.empty((people, *size), np.float32) for size in sizes)
        done, step = 0, max(1, (ROWS_CPU if self.device.type == "cpu" else ROWS_GPU) // count)
        while done < people:
            rows = slice(done, min(done + step, people))
            try:
                several = (rows.stop - rows.start) * count > _RECORDED_ROWS
                found = self._lift_some(xy[rows], confidence[rows], K[rows], find if several else recorded)
            except torch.OutOfMemoryError:
                step = self._fewer(rows.stop - rows.start)
                continue
            for result, part in zip(results, found, strict=True):
                result[rows] = part.cpu().numpy()
            done = rows.stop
            on_rows(done)
        joints, origin, score, spread = results
        return Lifted(joints=joints, origin=origin, score=score, spread=spread)

    @cached_property
    def _denoise(self) -> DenoisingSteps:
        return DenoisingSteps.of(self.prior, self.options)

    @cached_property
    def _judge(self) -> TabledScore | FusedScore:
        return judging_network(self.prior)

    def _fewer(self, people: int) -> int:
        """Half as many people at a time, after the memory was too small; DeviceError when there is no less."""
        if people == 1:
            raise DeviceError(
                f"device '{self.device}': the memory is too small for one person; lower --hypo or use another device"
            )
        torch.cuda.empty_cache()  # does nothing where CUDA was not used
        _log.warning("the memory of '%s' is too small for %d people at a time; going on with half", self.device, people)
        return people // 2

    def _lift_some(self, xy: ndarray, confidence: ndarray, K: ndarray, find: Find) -> tuple[Tensor, ...]:
        """The arrays of `Lifted` for a few people, on the device."""
        return find(*(torch.from_numpy(np.asarray(array, np.float32)).to(self.device) for array in (xy, confidence, K)))

    @cached_property
    def _finders(self) -> Callable[[int, int, int], tuple[Find, Find]]:
        """From candidates, hypotheses and seed to what lifts people, and to the same as a recording on a GPU."""
        return lru_cache(maxsize=4)(self._make_finders)

    def _make_finders(self, count: int, hypotheses: int, seed: int) -> tuple[Find, Find]:
        tried = min(self.options.shapes, max(self.clusters)) if self._searches else 0
        shapes = standard_poses(self.clusters, max(count, tried))
        model = _Model(shapes, self._denoise, DenoisingResidual.of(self.prior, self._judge, seed))

        def find(*seen: Tensor) -> tuple[Tensor, ...]:
            return self._decide(*self._lift(Observations.from_pixels(*seen), model, count), hypotheses)

        recordable = self.device.type == "cuda" and self._searches
        return find, Recorded(find, capture) if recordable else find

    def _decide(
        self, pose: Float[Tensor, "b n j 3"], T: Float[Tensor, "b n 1 3"], plausible: Float[Tensor, "b n"], count: int
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The `count` best of the candidates, and the spread of all of them about the first, as `Lifted` holds them."""
        root = self.skeleton.root
        weights = votes(plausible)
        score = -expected_error(pose, weights, root)
        best = score.argsort(dim=1, descending=True, stable=True)[:, :count]
        row = torch.arange(len(pose), device=pose.device)[:, None]
        picked, origin = pose[row, best], T[row, best]
        return picked + origin, origin[:, :, 0], score[row, best], spread_about(picked[:, 0], pose, weights, root)

    def _lift(
        self, observed: Observations, model: _Model, count: int
    ) -> tuple[Float[Tensor, "b n j 3"], Float[Tensor, "b n 1 3"], Float[Tensor, "b n"]]:
        """Start, loop, size: poses, their translations, and how plausible they are."""
        bounds = depth_bounds(observed, self.options.spread_m)
        rows = observed.repeat(count)
        pose, T = self._start(observed, rows, model.shapes, bounds, count)
        pose, T = optimise_in_loop(model.denoise, rows, pose, T, bounds.repeat_interleave(count, 0), self.options)
        if self.options.fix_size:
            factor = bone_length(model.shapes, self.skeleton).mean() / bone_length(pose, self.skeleton)
            pose, T = pose * factor[:, None, None], T * factor[:, None, None]
        plausible = plausibility(model.residual, rows, pose, T)
        return pose.unflatten(0, (-1, count)), T.unflatten(0, (-1, count)), plausible.unflatten(0, (-1, count))

    def _start(
        self, observed: Observations, rows: Observations, shapes: Tensor, bounds: Tensor, count: int
    ) -> tuple[Float[Tensor, "n j 3"], Float[Tensor, "n 1 3"]]:
        """Initial poses and translations of all rows."""
        if self._searches:
            pose, T = best_starts(observed, shapes, bounds, count, self.options)
            return pose.flatten(0, 1), T.flatten(0, 1)
        pose = shapes.repeat(len(observed), 1, 1)
        R, T, _ = descend(rows, pose, self.skeleton, self.options)
        return pose @ R.mT, T

    @property
    def _searches(self) -> bool:
        return self.options.init == "headings"
