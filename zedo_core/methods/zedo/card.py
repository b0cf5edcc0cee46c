"""The model card of ZeDO weights: description, training data, terms, and accuracy."""

from __future__ import annotations

from typing import Any

_UNKNOWN_TERMS = "The terms of the motion capture used for training apply; they are not recorded here."


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
    options, data, result = (_table(training.get(part)) for part in ("options", "data", "result"))
    task = _table(result.get("task"))
    facts = {
        "weights": f"{weights:,}",
        "initial poses": ", ".join(map(str, initial_poses)) or "none",
        "started from": _table(training.get("start")).get("name"),
        "steps": options.get("steps"),
        "poses per step": options.get("batch"),
        "loss on held-out sequences": result.get("validation"),
        "MPJPE of lifted held-out poses, mm": task.get("mpjpe_1_mm"),
        "MPJPE of the best of 10 hypotheses, mm": task.get("mpjpe_10_mm"),
        "training time in seconds": _table(training.get("seconds")).get("total"),
    }
    source = {
        "frames": data.get("frames"),
        "frames held out": data.get("held_out_frames"),
        "sequences": data.get("sequences"),
        "SHA-256 of the motion capture": data.get("sha256"),
    }
    return f"""---
license: {_plain(licence)}
library_name: zedo
tags:
- pose-estimation
- 3d-human-pose
- diffusion
---

# {_plain(name)}

A diffusion prior of human poses (joints {_plain(joints)}, metres, relative to the root joint) and initial poses for
zedo, which lifts 2D keypoints to 3D.

    zedo download prior --repo REPO    # for zedo's own prior, whose hashes zedo knows
    zedo infer video.mp4 --weights DIR  # for any other: a folder with these files

## Data

{_rows(source) or "Not recorded."}

## Terms

{_plain(terms or _UNKNOWN_TERMS)}

## Figures

{_rows(facts)}
"""


def _table(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _rows(facts: dict[str, Any]) -> str:
    known = {name: value for name, value in facts.items() if isinstance(value, str | int | float)}
    lines = [f"| {name} | {_plain(f'{v:.4g}' if isinstance(v, float) else str(v))} |" for name, v in known.items()]
    return "\n".join(["| | |", "|---|---|", *lines]) if lines else ""


def _plain(text: str) -> str:
    """The text on one line, without the separator of table cells."""
    return " ".join(text.split()).replace("|", "/")
