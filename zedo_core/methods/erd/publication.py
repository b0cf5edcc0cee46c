"""What `zedo publish` sends of a folder with lifting networks, and their model card."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from zedo_core.methods.erd.weights import CONFIG_FILE, WEIGHTS_FILE, ErdWeights, load_weights
from zedo_core.methods.method import Publication
from zedo_core.weights import read_training
from zedo_core.weights.card import plain, table_of, write_card

_USAGE = "    zedo infer video.mp4 --method erd --weights DIR  # a folder with these files"


def publication(folder: Path, licence: str, terms: str | None) -> Publication:
    """The files, which are checked, and a card made from the record; WeightsError when they are not valid."""
    card = model_card(load_weights(folder), read_training(folder), licence, terms)
    return Publication(files=(folder / WEIGHTS_FILE, folder / CONFIG_FILE), card=card)


def model_card(weights: ErdWeights, training: dict[str, Any], licence: str, terms: str | None) -> str:
    """README.md for the hub, from the weights and the record of their training."""
    options, sizes, regressors = table_of(training.get("options")), weights.net.lifter.config, weights.net.regressors
    pairs = table_of(training.get("pairs"))
    facts = {
        "weights": f"{sum(value.numel() for value in weights.net.parameters()):,}",
        "network": f"{sizes.net}, {sizes.width} wide, {sizes.blocks} blocks, a mixture of {sizes.modes}",
        "residual regressors": f"{len(regressors)}, features {weights.net.features}" if len(regressors) else "none",
        "started from": table_of(training.get("start")).get("name"),
        "steps of the lifter": options.get("steps"),
        "pairs per step": options.get("batch"),
        "frames of recorded pairs": pairs.get("frames"),
        **_errors(training),
        "training time of the lifter in seconds": table_of(training.get("seconds")).get("total"),
    }
    errors = "synthetic errors" + (", and on recorded pairs" if pairs else "")
    about = (
        f"Lifts 2D keypoints (joints {plain(weights.skeleton.name)}) to 3D poses in metres relative to the root joint, "
        f"in camera axes,\nfor zedo. Trained on poses of motion capture and their projections with {errors}."
    )
    return write_card(
        name=weights.name,
        tags=(),
        about=about,
        usage=_USAGE,
        facts=facts,
        training=training,
        licence=licence,
        terms=terms,
    )


def _errors(training: dict[str, Any]) -> dict[str, Any]:
    """The errors on held-out poses of the lifter alone and with its regressors."""
    descent, found = table_of(training.get("descent")), {}
    errors, count = descent.get("errors"), descent.get("regressors")
    if not isinstance(errors, list) or not isinstance(count, int) or not 0 <= count < len(errors):
        return {}
    for k, of in dict.fromkeys(((0, "the lifter alone"), (count, "all networks"))):
        row = table_of(errors[k])
        found |= {
            f"held-out MPJPE of {of}, mm": row.get("mpjpe_mm"),
            f"held-out MPJPE of {of}, with noise, mm": row.get("mpjpe_noisy_mm"),
        }
    return found
