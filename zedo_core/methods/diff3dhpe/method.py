"""Diff3DHPE's entry in the registry of methods. Heavy modules are imported only when its functions are called."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zedo_core.methods.diff3dhpe.options import MAX_HYPOTHESES, PRESETS, DiffOptions
from zedo_core.methods.method import Method, Trial, Variant, call_load
from zedo_core.methods.protocol import Lifter


def _load(weights: str | Path, device: str, **settings: Any) -> Lifter:
    from zedo_core.methods.diff3dhpe.loading import load

    return call_load(load, "diff3dhpe", weights, device, settings)


def _variants(trial: Trial, joints: int) -> Sequence[Variant]:
    from zedo_core.methods.diff3dhpe.evaluation import variants

    return variants(trial)


METHOD = Method(
    name="diff3dhpe",
    summary="lifts motions by diffusion over windows of frames; for videos, smooth and with samples of whole motions",
    weights="diff3dhpe",
    presets=tuple(PRESETS),
    most_hypotheses=MAX_HYPOTHESES,
    load=_load,
    variants=_variants,
    options=DiffOptions,
    ablations=("steps", "samples", "mirror"),
    titles={
        "steps": "Ablation: denoising steps; the first is the network alone",
        "samples": "Ablation: samples that are averaged",
        "mirror": "Ablation: mean with the mirror image",
    },
)
