"""What a prior draws, completes or cleans, written to a folder with a picture and how much of it is human."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor

from zedo_core import weights as hub
from zedo_core.data.bodies import load_bodies
from zedo_core.errors import InputError
from zedo_core.lifting import find_device
from zedo_core.methods.zedo.checkpoint import Prior, load_prior
from zedo_core.methods.zedo.sampling import STEPS, complete, denoise, generate
from zedo_core.render.bodies import MOST_BODIES, save_bodies
from zedo_core.skeleton.anatomy import MOST_ASYMMETRY, asymmetry, within_limits
from zedo_core.storage.files import written_whole

_AT_ONCE = 1024


@dataclass(frozen=True, kw_only=True)
class ViewRequest:
    """What to ask of a prior, and where the answer goes."""

    out: Path
    poses: Path | None = None  # to complete or to clean; None draws new ones
    count: int = 64  # poses drawn, or completions of each pose
    sigma_m: float | None = None  # noise in the poses, in metres; None completes what is missing
    stochastic: bool = True  # draw by the reverse SDE; else by the probability flow
    weights: str = "prior"
    device: str = "auto"
    seed: int = 0
    steps: int = STEPS


@dataclass(frozen=True, kw_only=True)
class ViewReport:
    """Shares of poses that a person could take, and whose left and right bones are alike; means in metres."""

    task: str
    poses: int
    within_limits: float
    symmetric: float
    moved_m: float | None  # of the joints that were there
    weights: str
    files: tuple[Path, ...] = field(default_factory=tuple)


def view_prior(request: ViewRequest, on_progress: Callable[[int, int], None] = lambda done, total: None) -> ViewReport:
    """Draw poses, complete those with missing joints, or take noise off them; `samples.npz` and `samples.png`.

    InputError or WeightsError when that cannot be done; each file appears only when complete.
    """
    most = 10**6 if request.poses is None else MOST_BODIES
    if not 1 <= request.count <= most:
        raise InputError(f"expected 1 to {most} poses, got {request.count}")
    prior = load_prior(hub.find_weights(request.weights, "prior"))
    prior.net.to(find_device(request.device))
    given = None if request.poses is None else load_bodies(request.poses, prior.skeleton)
    task, made = _made(request, prior, given, on_progress)
    request.out.mkdir(parents=True, exist_ok=True)
    files = request.out / "samples.npz", request.out / "samples.png"
    with written_whole(files[0]) as partial, open(partial, "wb") as file:
        np.savez_compressed(file, poses=made, joint_names=prior.skeleton.joints, units="metres", axes="camera")
    known = None if given is None else np.isfinite(given[..., 0])
    some = slice(0, MOST_BODIES if len(made) > MOST_BODIES else None)
    save_bodies(made[some].astype(float), prior.skeleton, files[1], known=None if known is None else known[some])
    flat = made.reshape(-1, *made.shape[2:]).astype(float)
    return ViewReport(
        task=task,
        poses=len(flat),
        within_limits=float(within_limits(flat, prior.skeleton).mean()),
        symmetric=float((asymmetry(flat, prior.skeleton) <= MOST_ASYMMETRY).mean()),
        moved_m=None if given is None else float(np.nanmean(np.linalg.norm(made - given[:, None], axis=-1))),
        weights=prior.name,
        files=files,
    )


def _made(
    request: ViewRequest, prior: Prior, given: Float[ndarray, "n j 3"] | None, on_progress: Callable[[int, int], None]
) -> tuple[str, Float[ndarray, "n h j 3"]]:
    """The task's name, and the poses of each body."""
    if given is None:
        if request.sigma_m is not None:
            raise InputError("noise can only be taken off poses that are there; give their file")
        drawn = _in_parts(
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
            raise InputError("noise can only be taken off whole poses; complete them first")
        sigma_m = request.sigma_m
        clean = _in_parts(
            len(poses),
            lambda rows, seed: denoise(prior, poses[rows], sigma_m, steps=request.steps)[:, None],
            request.seed,
            on_progress,
        )
        return "denoised", clean
    if bool(known.all()):
        raise InputError("every joint of the poses is there; mark those to complete by NaN, or say how noisy they are")

    def completed(rows: slice, seed: int) -> Tensor:
        seeds = range(seed * request.count, (seed + 1) * request.count)
        some = [complete(prior, poses[rows], known[rows], seed=one, steps=request.steps) for one in seeds]
        return torch.stack(some, dim=1)

    return "completed", _in_parts(len(poses), completed, request.seed, on_progress)


def _in_parts(
    count: int, make: Callable[[slice, int], Tensor], seed: int, on_progress: Callable[[int, int], None]
) -> Float[ndarray, "n h j 3"]:
    """What `make` gives for parts of the rows, each with a seed of its own."""
    parts = []
    for number, start in enumerate(range(0, count, _AT_ONCE)):
        rows = slice(start, min(start + _AT_ONCE, count))
        parts.append(make(rows, seed + number).cpu().numpy())
        on_progress(rows.stop, count)
    return np.concatenate(parts)
