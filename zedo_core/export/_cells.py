"""Tables as CSV."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy import ndarray

from zedo_core.storage.files import atomic_write


def write_table(table: Mapping[str, ndarray], path: Path, decimals: int = 6) -> None:
    """Write columns by name; what is not finite is an empty cell. OutputError when the file cannot be written."""
    columns = (
        [_cell(v, decimals) for v in column] if column.dtype.kind == "f" else column for column in table.values()
    )
    with atomic_write(path) as partial, open(partial, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(table)
        writer.writerows(zip(*columns, strict=True))


def _cell(value: np.floating, decimals: int) -> str:
    return f"{value:.{decimals}f}" if math.isfinite(value) else ""
