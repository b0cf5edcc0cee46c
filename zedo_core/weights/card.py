"""The files next to weights: the record of their training and their model card."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from zedo_core.errors import FormatError, WeightsError
from zedo_core.storage.files import read_bounded

RECORD_FILE = "training.json"
CARD_FILE = "README.md"
_MAX_BYTES = 2**20  # of either


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
