"""The model card of weights: what they are, what they were trained on, on what terms, and their figures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from zedo_core.errors import FormatError, WeightsError
from zedo_core.storage.files import read_bounded

_UNKNOWN_TERMS = "Those of the motion capture that the weights were trained on, which are not recorded here, apply."
RECORD_FILE = "training.json"  # written by training
CARD_FILE = "README.md"
_LARGEST = 2**20  # bytes of a card


def read_training(folder: Path) -> dict[str, Any]:
    """The record of the training beside weights; empty when there is none, WeightsError when it is damaged."""
    path = folder / RECORD_FILE
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise WeightsError(f"{path}: the record of the training is damaged ({error}); restore or remove it") from None
    if not isinstance(record, dict):
        raise WeightsError(f"{path}: expected a record of the training as an object; restore or remove it")
    return record


def read_card(folder: Path) -> str | None:
    """The model card beside weights; None when there is none, WeightsError when it is no text of 1 MB at most."""
    path = folder / CARD_FILE
    if not path.exists():
        return None
    try:
        return read_bounded(path, _LARGEST).decode()
    except FormatError as error:
        raise WeightsError(str(error)) from None
    except (OSError, ValueError) as error:
        raise WeightsError(f"{path}: expected the model card as text, cannot read it ({error}); remove it") from None


def model_card(
    *,
    name: str,
    joints: str,
    weights: int,
    shapes: tuple[int, ...],
    training: dict[str, Any],
    licence: str,
    terms: str | None,
) -> str:
    """README.md for the hub: `weights` is their number, `shapes` counts the initial poses of each set."""
    options, data, result = (_table(training.get(part)) for part in ("options", "data", "result"))
    task = _table(result.get("task"))
    facts = {
        "weights": f"{weights:,}",
        "initial poses": ", ".join(map(str, shapes)) or "none",
        "started from": _table(training.get("start")).get("name"),
        "steps": options.get("steps"),
        "poses a step": options.get("batch"),
        "loss on held-out sequences": result.get("validation"),
        "MPJPE of held-out poses lifted, mm": task.get("mpjpe_1_mm"),
        "best of 10 hypotheses, mm": task.get("mpjpe_10_mm"),
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
    """A value within one line that ends no table and opens no front matter."""
    return " ".join(text.split()).replace("|", "/")
