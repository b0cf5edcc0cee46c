"""The model card of ZeDO weights: description, training data, terms, and accuracy."""

from __future__ import annotations

from typing import Any

from zedo_core.weights.card import plain, table_of, write_card

_USAGE = """    zedo download prior --repo REPO    # for zedo's own prior, whose hashes zedo knows
    zedo infer video.mp4 --weights DIR  # for any other: a folder with these files"""


def model_card(
    *,
    name: str,
    joints: str,
    weights: int,
    initial_poses: tuple[int, ...],
    training: dict[str, Any],
    licence: str,
    terms: str | None,
) -> str:
    """README.md for the hub, from the number of weights, the sizes of the sets of initial poses and the record."""
    options, result = table_of(training.get("options")), table_of(training.get("result"))
    task = table_of(result.get("task"))
    facts = {
        "weights": f"{weights:,}",
        "initial poses": ", ".join(map(str, initial_poses)) or "none",
        "started from": table_of(training.get("start")).get("name"),
        "steps": options.get("steps"),
        "poses per step": options.get("batch"),
        "loss on held-out sequences": result.get("validation"),
        "MPJPE of lifted held-out poses, mm": task.get("mpjpe_1_mm"),
        "MPJPE of the best of 10 hypotheses, mm": task.get("mpjpe_10_mm"),
        "training time in seconds": table_of(training.get("seconds")).get("total"),
    }
    about = (
        f"A diffusion prior of human poses (joints {plain(joints)}, metres, relative to the root joint) and initial "
        "poses for\nzedo, which lifts 2D keypoints to 3D."
    )
    return write_card(
        name=name,
        tags=("diffusion",),
        about=about,
        usage=_USAGE,
        facts=facts,
        training=training,
        licence=licence,
        terms=terms,
    )
