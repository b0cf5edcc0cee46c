"""The files next to weights: the record of their training, and their model card, which can be made from it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from zedo_core.errors import FormatError, WeightsError
from zedo_core.storage.files import read_bounded

RECORD_FILE = "training.json"
CARD_FILE = "README.md"
_MAX_BYTES = 2**20  # of either
_UNKNOWN_TERMS = "The terms of the data used for training apply; they are not recorded here."


def read_training(folder: Path) -> dict[str, Any]:
    """The training record in a weights folder; empty when there is none, WeightsError when it is damaged."""
    path = folder / RECORD_FILE
    try:
        record = json.loads(read_bounded(path, _MAX_BYTES))
        if not isinstance(record, dict):
            raise ValueError("expected an object")
        return record
    except FileNotFoundError:
        return {}
    except (FormatError, OSError, ValueError, RecursionError) as error:
        raise WeightsError(f"{path}: the training record is damaged ({error}); restore or remove it") from None


def read_card(folder: Path) -> str | None:
    """The model card in a weights folder; None when there is none, WeightsError unless it is a text of at most 1 MB."""
    path = folder / CARD_FILE
    try:
        return read_bounded(path, _MAX_BYTES).decode()
    except FileNotFoundError:
        return None
    except (FormatError, OSError, ValueError) as error:
        raise WeightsError(f"{path}: expected a model card as text, cannot read it ({error}); remove it") from None


def write_card(
    *,
    name: str,
    tags: Sequence[str],
    about: str,
    usage: str,
    facts: Mapping[str, Any],
    training: dict[str, Any],
    licence: str,
    terms: str | None,
) -> str:
    """README.md for the hub: what the weights are (`about`), commands (`usage`), data of the record, terms, figures.

    Facts that are neither texts nor numbers are left out.
    """
    data = table_of(training.get("data"))
    source = {
        "frames": data.get("frames"),
        "frames held out": data.get("held_out_frames"),
        "sequences": data.get("sequences"),
        "SHA-256 of the motion capture": data.get("sha256"),
    }
    lines = "\n".join(f"- {tag}" for tag in ("pose-estimation", "3d-human-pose", *tags))
    return f"""---
license: {plain(licence)}
library_name: zedo
tags:
{lines}
---

# {plain(name)}

{about}

{usage}

## Data

{_rows(source) or "Not recorded."}

## Terms

{plain(terms or _UNKNOWN_TERMS)}

## Figures

{_rows(facts)}
"""


def table_of(value: Any) -> dict[str, Any]:
    """A table of the record; empty if it is none."""
    return value if isinstance(value, dict) else {}


def plain(text: str) -> str:
    """The text on one line, without the separator of table cells."""
    return " ".join(text.split()).replace("|", "/")


def _rows(facts: Mapping[str, Any]) -> str:
    known = {name: value for name, value in facts.items() if isinstance(value, str | int | float)}
    lines = [f"| {name} | {plain(f'{v:.4g}' if isinstance(v, float) else str(v))} |" for name, v in known.items()]
    return "\n".join(["| | |", "|---|---|", *lines]) if lines else ""
