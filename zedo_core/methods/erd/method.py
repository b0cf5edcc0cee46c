"""ERD's entry in the registry of methods. Heavy modules are imported only when its functions are called."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zedo_core.methods.erd.options import MAX_HYPOTHESES, PRESETS, ErdOptions
from zedo_core.methods.method import Method, Publication, Trial, Variant, call_load
from zedo_core.methods.protocol import Lifter


def _load(weights: str | Path, device: str, **settings: Any) -> Lifter:
    from zedo_core.methods.erd.loading import load

    return call_load(load, "erd", weights, device, settings)


def _variants(trial: Trial, joints: int) -> Sequence[Variant]:
    from zedo_core.methods.erd.evaluation import variants

    return variants(trial)


def _publication(folder: Path, licence: str, terms: str | None) -> Publication:
    from zedo_core.methods.erd.publication import publication

    return publication(folder, licence, terms)


METHOD = Method(
    name="erd",
    summary="lifts in one pass with networks trained on noisy keypoints; fast, and withstands wrong detections",
    weights="erd",
    presets=tuple(PRESETS),
    most_hypotheses=MAX_HYPOTHESES,
    load=_load,
    variants=_variants,
    options=ErdOptions,
    ablations=("descent", "mirror"),
    titles={
        "descent": "Ablation: network calls; the first is the lifter alone",
        "mirror": "Ablation: mean with the mirror image",
    },
    weights_file="erd.safetensors",
    publication=_publication,
)
