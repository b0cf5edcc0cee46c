"""ZeDO as a lifter: rows of observed people in, hypotheses in camera axes out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor

from zedo_core.checkpoint import Prior
from zedo_core.errors import InputError
from zedo_core.methods.zedo.initial import best_starts, bone_length, standard_poses
from zedo_core.methods.zedo.ipo import descend
from zedo_core.methods.zedo.observations import Observations, depth_bounds
from zedo_core.methods.zedo.oil import optimise_in_loop
from zedo_core.methods.zedo.options import ZedoOptions
from zedo_core.methods.zedo.plausibility import expected_error, plausibility, spread_about, votes
from zedo_core.skeleton import Skeleton
from zedo_core.types import Lifted

MAX_HYPOTHESES = 200
# Rows in one batch of the loop: enough to keep the processor busy, small enough for its caches (CPU) or memory (GPU).
_ROWS_CPU, _ROWS_GPU = 1024, 65536
# Placements in one batch of the heading search.
_PLACEMENTS = 200_000


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
        shapes = standard_poses(self.clusters, max(count, self.options.shapes) if self._searches else count)
        j = len(self.skeleton)
        parts = [
            tuple(
                np.empty((0, *size), np.float32) for size in ((hypotheses, j, 3), (hypotheses, 3), (hypotheses,), (j,))
            )
        ]
        for rows in self._chunks(len(xy), count, len(shapes)):
            arrays = (np.asarray(array[rows], np.float32) for array in (xy, confidence, K))
            tensors = (torch.from_numpy(array).to(self.device) for array in arrays)
            candidates = self._lift(Observations.from_pixels(*tensors), shapes, count, seed)
            parts.append(tuple(part.cpu().numpy() for part in self._decide(*candidates, hypotheses)))
            on_rows(min(rows.stop, len(xy)))
        joints, origin, score, spread = (np.concatenate(part) for part in zip(*parts, strict=True))
        return Lifted(joints=joints, origin=origin, score=score, spread=spread)

    def _decide(
        self, pose: Float[Tensor, "b n j 3"], T: Float[Tensor, "b n 1 3"], plausible: Float[Tensor, "b n"], count: int
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The `count` best of the candidates, and the spread of all of them about the first, as `Lifted` holds them."""
        root = self.skeleton.index("pelvis")
        weights = votes(plausible)
        score = -expected_error(pose, weights, root)
        best = score.argsort(dim=1, descending=True, stable=True)[:, :count]
        row = torch.arange(len(pose), device=pose.device)[:, None]
        picked, origin = pose[row, best], T[row, best]
        return picked + origin, origin[:, :, 0], score[row, best], spread_about(picked[:, 0], pose, weights, root)

    def _lift(
        self, observed: Observations, shapes: Float[Tensor, "s j 3"], count: int, seed: int
    ) -> tuple[Float[Tensor, "b n j 3"], Float[Tensor, "b n 1 3"], Float[Tensor, "b n"]]:
        """One chunk: start, loop, size; poses, their translations, and how plausible they are."""
        bounds = depth_bounds(observed, self.options.spread_m)
        rows = observed.repeat(count)
        pose, T = self._start(observed, rows, shapes, bounds, count)
        pose, T = optimise_in_loop(self.prior, rows, pose, T, bounds.repeat_interleave(count, 0), self.options)
        if self.options.fix_size:
            factor = bone_length(shapes, self.skeleton).mean() / bone_length(pose, self.skeleton)
            pose, T = pose * factor[:, None, None], T * factor[:, None, None]
        plausible = plausibility(self.prior, rows, pose, T, seed)
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

    def _chunks(self, people: int, candidates: int, shapes: int) -> list[slice]:
        """Slices over the people such that neither the loop nor the search takes more memory than planned."""
        rows = _ROWS_CPU if self.device.type == "cpu" else _ROWS_GPU
        size = rows // candidates
        if self._searches:
            size = min(size, _PLACEMENTS // (shapes * self.options.headings * len(self.options.tilts_deg)))
        size = max(1, size)
        return [slice(start, start + size) for start in range(0, people, size)]
