"""Sampling poses from a prior, completing or denoising poses with it, and how plausible the results are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy import ndarray
from torch import Tensor

from zedo_core.data.bodies import load_bodies
from zedo_core.errors import InputError
from zedo_core.methods.zedo.loading import PACKAGED
from zedo_core.methods.zedo.prior import Prior, load_prior
from zedo_core.methods.zedo.sampling import STEPS, complete, denoise, generate
from zedo_core.nets.device import find_device
from zedo_core.skeleton import Skeleton
from zedo_core.skeleton.anatomy import MAX_ASYMMETRY, asymmetry, within_limits
from zedo_core.storage.files import atomic_write
from zedo_core.weights import find_weights

_BATCH = 1024
_MAX_DRAWN, _MAX_COMPLETIONS = 10**6, 400


@dataclass(frozen=True, kw_only=True)
class ViewRequest:
    """What to compute with a prior."""

    poses: Path | None = None  # file of poses to complete or denoise; None to draw new poses
    count: int = 64  # poses to draw, or completions of each pose
    sigma_m: float | None = None  # noise to remove from the poses, in metres; None to complete missing joints
    stochastic: bool = True  # draw by the reverse SDE, otherwise by the probability flow
    weights: str | None = None  # None for the packaged weights
    device: str = "auto"
    seed: int = 0
    steps: int = STEPS


@dataclass(frozen=True, kw_only=True, eq=False)
class PriorView:
    """The result: h poses for each of n bodies, in metres in camera axes, relative to the root."""

    task: str  # drawn, completed or denoised
    poses: Float[ndarray, "n h j 3"]
    given: Float[ndarray, "n j 3"] | None  # NaN where a joint was missing
    skeleton: Skeleton
    weights: str

    @property
    def known(self) -> Bool[ndarray, "n j"] | None:
        """The joints that were given; None for drawn poses."""
        return None if self.given is None else np.isfinite(self.given[..., 0])

    @property
    def within_limits(self) -> float:
        """Fraction of the poses that are within the limits of human joints."""
        return float(within_limits(self._flat, self.skeleton).mean())

    @property
    def symmetric(self) -> float:
        """Fraction of the poses whose left and right bones have similar lengths."""
        return float((asymmetry(self._flat, self.skeleton) <= MAX_ASYMMETRY).mean())

    @property
    def moved_m(self) -> float | None:
        """Mean distance that the given joints moved."""
        if self.given is None:
            return None
        return float(np.nanmean(np.linalg.norm(self.poses - self.given[:, None], axis=-1)))

    @property
    def _flat(self) -> Float[ndarray, "m j 3"]:
        return self.poses.reshape(-1, *self.poses.shape[2:]).astype(float)

    def save(self, path: Path) -> None:
        """Write the poses as npz."""
        with atomic_write(path) as partial, open(partial, "wb") as file:
            np.savez_compressed(file, poses=self.poses, joint_names=self.skeleton.joints, units="metres", axes="camera")


def view_prior(request: ViewRequest, on_progress: Callable[[int, int], None] = lambda done, total: None) -> PriorView:
    """Draw poses, complete poses with missing joints, or denoise poses; InputError or WeightsError on failure."""
    most = _MAX_DRAWN if request.poses is None else _MAX_COMPLETIONS
    if not 1 <= request.count <= most:
        raise InputError(f"expected 1 to {most} poses, got {request.count}")
    prior = load_prior(find_weights(request.weights or PACKAGED, "prior"), find_device(request.device))
    given = None if request.poses is None else load_bodies(request.poses, prior.skeleton)
    task, poses = _compute(request, prior, given, on_progress)
    return PriorView(task=task, poses=poses, given=given, skeleton=prior.skeleton, weights=prior.name)


def _compute(
    request: ViewRequest, prior: Prior, given: Float[ndarray, "n j 3"] | None, on_progress: Callable[[int, int], None]
) -> tuple[str, Float[ndarray, "n h j 3"]]:
    """The name of the task, and the resulting poses of each body."""
    if given is None:
        if request.sigma_m is not None:
            raise InputError("expected a file of poses to remove noise from, got none")
        drawn = _in_batches(
            request.count,
            lambda rows, seed: generate(
                prior, rows.stop - rows.start, seed=seed, steps=request.steps, stochastic=request.stochastic
            )[:, None],
            request.seed,
            on_progress,
        )
        return "drawn", drawn
    poses = torch.from_numpy(given).to(next(prior.net.parameters()))
    known = torch.isfinite(poses).all(-1)
    if request.sigma_m is not None:
        if not bool(known.all()):
            raise InputError(
                "expected poses with all joints to remove noise from, found missing ones; complete them first"
            )
        sigma_m = request.sigma_m
        clean = _in_batches(
            len(poses),
            lambda rows, seed: denoise(prior, poses[rows], sigma_m, steps=request.steps)[:, None],
            request.seed,
            on_progress,
        )
        return "denoised", clean
    if bool(known.all()):
        raise InputError(
            "expected missing joints to complete, found none; set them to NaN, or give the noise to remove"
        )

    def complete_batch(rows: slice, seed: int) -> Tensor:
        seeds = range(seed * request.count, (seed + 1) * request.count)
        completions = [complete(prior, poses[rows], known[rows], seed=s, steps=request.steps) for s in seeds]
        return torch.stack(completions, dim=1)

    return "completed", _in_batches(len(poses), complete_batch, request.seed, on_progress)


def _in_batches(
    count: int, make: Callable[[slice, int], Tensor], seed: int, on_progress: Callable[[int, int], None]
) -> Float[ndarray, "n h j 3"]:
    """The results of `make` for batches of rows, each with its own seed."""
    batches = []
    for number, start in enumerate(range(0, count, _BATCH)):
        rows = slice(start, min(start + _BATCH, count))
        batches.append(make(rows, seed + number).cpu().numpy())
        on_progress(rows.stop, count)
    return np.concatenate(batches)
