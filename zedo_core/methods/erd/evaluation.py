"""ERD's variants in an evaluation: the main table, and the ablations of its parts."""

from __future__ import annotations

from dataclasses import asdict, replace
from functools import partial
from typing import Any

from zedo_core.methods.erd.loading import PACKAGED, load
from zedo_core.methods.erd.options import ErdOptions, preset
from zedo_core.methods.method import Trial, Variant


def variants(trial: Trial) -> list[Variant]:
    """All rows of all tables that the trial requests, the main table first."""
    options = preset(trial.preset or "default", trial.iterations)
    rows = [_row(trial, options, name=f"S = {count}", hypotheses=count) for count in trial.hypotheses]
    if "descent" in trial.ablate:
        most = load(trial.weights or PACKAGED, "cpu").calls
        rows += [
            _row(trial, replace(options, iterations=calls), table="descent", name=f"{calls}", calls=calls)
            for calls in range(1, most + 1)
        ]
    if "mirror" in trial.ablate:
        both = {"without": False, "with": True}
        rows += [_row(trial, replace(options, mirror=on), table="mirror", name=name) for name, on in both.items()]
    return rows


def _row(trial: Trial, options: ErdOptions, *, hypotheses: int | None = None, **more: Any) -> Variant:
    """A row; by default with the smallest number of hypotheses that the trial requests."""
    weights = trial.weights or PACKAGED
    return Variant(
        weights=weights,
        hypotheses=hypotheses or min(trial.hypotheses),
        settings={"options": asdict(options)},
        load=partial(load, weights, options=options),
        **more,
    )
