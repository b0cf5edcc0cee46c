"""Diff3DHPE's variants in an evaluation: the main table, and the ablations of its parts."""

from __future__ import annotations

from dataclasses import asdict, replace
from functools import partial
from typing import Any

from zedo_core.methods.diff3dhpe.loading import PACKAGED, load
from zedo_core.methods.diff3dhpe.options import DiffOptions, preset
from zedo_core.methods.diff3dhpe.weights import frames_of
from zedo_core.methods.method import Trial, Variant

# MPJPE of the paper in mm by data set, keypoints (CPN where detected) and frames of a window; mean of the actions.
_PUBLISHED = {
    ("h36m", "detected", 81): {"mpjpe": 42.0},
    ("h36m", "detected", 243): {"mpjpe": 40.0},
    ("h36m", "gt", 81): {"mpjpe": 24.2},
    ("h36m", "gt", 243): {"mpjpe": 20.2},
    ("3dhp", "gt", 27): {"mpjpe": 19.6, "pck": 99.1, "auc": 84.8},
}
_STEPS = (1, 2, 5, 9)
_SAMPLES = (1, 2, 5, 10, 20)


def variants(trial: Trial) -> list[Variant]:
    """All rows of all tables that the trial requests, the main table first."""
    options = preset(trial.preset or "default", trial.iterations)
    rows = [_row(trial, options, name=f"S = {count}", hypotheses=count) for count in trial.hypotheses]
    tables: dict[str, dict[str, DiffOptions]] = {
        "steps": {f"{n}": replace(options, iterations=n) for n in _STEPS},
        "samples": {f"{n}": replace(options, samples=n) for n in _SAMPLES},
        "mirror": {name: replace(options, mirror=on) for name, on in (("without", False), ("with", True))},
    }
    for table in trial.ablate:
        rows += [_row(trial, one, table=table, name=name) for name, one in tables.get(table, {}).items()]
    return rows


def _row(trial: Trial, options: DiffOptions, *, hypotheses: int | None = None, **more: Any) -> Variant:
    """A row; by default with the smallest number of hypotheses that the trial requests."""
    weights = trial.weights or PACKAGED
    published = _PUBLISHED.get((trial.dataset, trial.input, frames_of(weights) or 0), {})
    count = hypotheses or min(trial.hypotheses)
    return Variant(
        weights=weights,
        hypotheses=count,
        settings={"options": asdict(options)},
        load=partial(load, weights, options=options),
        calls=options.iterations,
        published=published if "table" not in more and count == 1 else {},
        cost=float(options.iterations * (options.samples + count - 1) * (2 if options.mirror else 1)),
        **more,
    )
