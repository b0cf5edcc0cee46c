"""ZeDO's entry in the registry of methods. Heavy modules are imported only when its functions are called."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zedo_core.methods.benchmark import BenchRequest, Workloads
from zedo_core.methods.method import FocalEstimate, Method, Publication, Trial, Variant, call_load
from zedo_core.methods.protocol import Lifter
from zedo_core.methods.zedo.options import MAX_HYPOTHESES, PRESETS, ZedoOptions


def _load(weights: str | Path, device: str, **settings: Any) -> Lifter:
    from zedo_core.methods.zedo.loading import load

    return call_load(load, "zedo", weights, device, settings)


def _variants(trial: Trial, joints: int) -> Sequence[Variant]:
    from zedo_core.methods.zedo.evaluation import variants

    return variants(trial, joints)


def _estimate_focal(*args: Any, **options: Any) -> FocalEstimate:
    from zedo_core.methods.zedo.focal import estimate_focal

    return estimate_focal(*args, **options)


def _workloads(lifter: Lifter, request: BenchRequest) -> Workloads:
    from zedo_core.methods.zedo.workloads import ZedoWorkloads

    return ZedoWorkloads(lifter, request)


def _publication(folder: Path, licence: str, terms: str | None) -> Publication:
    from zedo_core.methods.zedo.publication import publication

    return publication(folder, licence, terms)


METHOD = Method(
    name="zedo",
    summary="optimises poses under a diffusion prior; needs no paired images and 3D poses (default)",
    weights="prior",
    weights_kind="prior",
    presets=tuple(PRESETS),
    most_hypotheses=MAX_HYPOTHESES,
    load=_load,
    variants=_variants,
    options=ZedoOptions,
    ablations=("ro", "wu", "ra", "init", "regressed", "iterations"),
    titles={
        "parts": "Ablation: rotation optimisation (RO), warm-up (WU), rotation augmentation (RA); paper Table 4",
        "init": "Ablation: initial poses; paper Table 6",
        "regressed": "Ablation: start from poses lifted by ERD",
        "iterations": "Ablation: network calls; paper Figure 5",
        "hypo": "Ablation: number of hypotheses; paper Table 5",
    },
    estimate_focal=_estimate_focal,
    workloads=_workloads,
    weights_file="prior.safetensors",
    publication=_publication,
)
