"""ZeDO's variants in an evaluation: the main table, and the ablations of the paper (Tables 4 to 6 and Figure 5)."""

from __future__ import annotations

from dataclasses import asdict, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from zedo_core.data import mocap_clips
from zedo_core.methods.method import Trial, Variant
from zedo_core.methods.zedo import published
from zedo_core.methods.zedo.lifter import ZedoLifter
from zedo_core.methods.zedo.loading import PACKAGED, load
from zedo_core.methods.zedo.options import ZedoOptions, preset
from zedo_core.methods.zedo.sampling import generate

ITERATIONS = (5, 10, 20, 50, 100, 200, 500, 1000)
_SEARCH_COST = 20.0  # approximate cost of the search for initial poses, in network calls


def variants(trial: Trial, joints: int) -> list[Variant]:
    """All rows of all tables that the trial requests, the main table first."""
    options = _options(trial, trial.preset or "default")
    rows = [_main_row(trial, options, count, joints) for count in trial.hypotheses]
    if {"ro", "wu", "ra"} & set(trial.ablate):
        rows += _ablate_parts(trial, options)
    if "init" in trial.ablate:
        rows += _ablate_initial_poses(trial, options)
    if "regressed" in trial.ablate:
        rows += _ablate_regressed(trial)
    if "iterations" in trial.ablate:
        counts = sorted({*ITERATIONS, options.iterations})
        rows += [_row(trial, options.with_iterations(n), table="iterations", name=f"{n}") for n in counts]
    return rows


def _options(trial: Trial, name: str) -> ZedoOptions:
    """A preset that lifts each frame alone, as the paper does: its tables would not be comparable otherwise."""
    return replace(preset(name, trial.iterations), sequence=False)


def _main_row(trial: Trial, options: ZedoOptions, hypotheses: int, joints: int) -> Variant:
    paper = published.RESULTS.get((trial.dataset, trial.input, joints, hypotheses), {})
    return _row(trial, options, name=f"S = {hypotheses}", hypotheses=hypotheses, published=paper)


def _row(
    trial: Trial, options: ZedoOptions, *, weights: str | None = None, initial_poses: str = "clusters", **more: Any
) -> Variant:
    """A row; by default with the smallest number of hypotheses that the trial requests."""
    weights, hypotheses = weights or trial.weights or PACKAGED, more.pop("hypotheses", min(trial.hypotheses))
    candidates = max(hypotheses, options.candidates)
    return Variant(
        weights=weights,
        hypotheses=hypotheses,
        settings={"initial_poses": initial_poses, "options": asdict(options)},
        load=partial(_load, trial, weights, options, initial_poses, candidates),
        calls=options.iterations,
        cost=candidates * (options.iterations + _SEARCH_COST),
        **more,
    )


def _ablate_parts(trial: Trial, options: ZedoOptions) -> list[Variant]:
    """Table 4: without rotation optimisation and warm-up, with one of them, with both, and with rotation augmentation.

    A row is included if one of its parts is to be ablated; the row with both is always included.
    """
    rows = []
    for (ro, wu, ra), paper in published.PARTS.items():
        if (ra and "ra" not in trial.ablate) or (not ra and not {"ro", "wu"} & set(trial.ablate) and not (ro and wu)):
            continue
        changed = options if ro else without_rotation(options)
        changed = changed if wu else replace(changed, warm_up=0.0)
        name = ", ".join(label for label, on in (("RO", ro), ("WU", wu), ("RA", ra)) if on) or "none"
        row = _row(trial, changed, table="parts", name=name, published=paper, weights=trial.ra_weights if ra else None)
        needs_weights = ra and trial.ra_weights is None
        missing = "needs weights trained with rotation augmentation (--ra-weights)" if needs_weights else ""
        rows.append(replace(row, missing=missing))
    return rows


def without_rotation(options: ZedoOptions) -> ZedoOptions:
    """The options without the search over rotations: initial poses keep their rotation."""
    if options.init == "adam":
        return replace(options, axes="")
    return replace(options, headings=1, tilts_deg=(0.0,))


def _ablate_regressed(trial: Trial) -> list[Variant]:
    """The parts of the preset that starts from poses lifted by ERD, each left out in turn."""
    options, plain = _options(trial, "default"), ZedoOptions()
    parts: dict[str, dict[str, Any]] = {
        "all": {},
        "without the poses of ERD": {"regressed": 0, "candidates": plain.candidates},
        "without late times": {"late_start": options.t_start, "late_end": options.t_end},
        "without softer rays": {"outlier_rad": plain.outlier_rad, "late_outlier_rad": plain.outlier_rad},
        "without exchanges": {"exchange": None},
        "without the mean": {"average": False},
    }
    return [_row(trial, replace(options, **without), table="regressed", name=name) for name, without in parts.items()]


def _ablate_initial_poses(trial: Trial, options: ZedoOptions) -> list[Variant]:
    """Table 6: different kinds of initial poses."""
    missing = "needs training poses: --dataset mocap with a file that has a 'train' split"
    has_poses = trial.dataset == "mocap" and trial.data is not None
    return [
        _row(
            trial,
            options,
            table="init",
            name=kind,
            initial_poses=kind,
            published=paper,
            missing=missing if kind == "random" and not has_poses else "",
        )
        for kind, paper in published.INITIAL_POSES.items()
    ]


def _load(
    trial: Trial, weights: str, options: ZedoOptions, initial_poses: str, candidates: int, device: str
) -> ZedoLifter:
    """The lifter of a row; `initial_poses` is `clusters` (those of the weights), `random` or `generated`."""
    lifter = load(weights, device, options=options)
    if initial_poses == "clusters":
        return lifter
    count = max(options.initial_poses, candidates)
    if initial_poses == "generated":
        poses = generate(lifter.prior, count, seed=trial.seed)
        poses = poses - poses[:, [lifter.skeleton.root]]
    else:
        poses = _training_poses(trial, count).to(lifter.device)
    return replace(lifter, initial_poses={count: poses})


def _training_poses(trial: Trial, count: int) -> Float[Tensor, "s 17 3"]:
    """Poses drawn from the training split of the motion capture, in camera axes."""
    motions = mocap_clips.motions(trial.data, "train")
    rows = np.random.default_rng(trial.seed).choice(len(motions), count, replace=False)
    poses = motions.positions[rows] - motions.positions[rows][:, :1]
    return torch.from_numpy((poses * np.array([1.0, -1.0, -1.0])).astype(np.float32))
