"""Numbers of calibration files, in whatever way they are written."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from zedo_core.errors import CameraError


def numbers(value: Any, where: str, count: int | None = None) -> Float[ndarray, "..."]:
    """The numbers of a list, a text, a vector {x, y, z} or a stored matrix {rows, cols, data}; an empty array for None.

    CameraError for anything else, or unless there are `count` finite ones.
    """
    if isinstance(value, dict) and "data" in value:
        value = value["data"]
    elif isinstance(value, dict) and set(map(str.lower, map(str, value))) == {"x", "y", "z"}:
        value = [entry for _, entry in sorted((str(key).lower(), entry) for key, entry in value.items())]
    if isinstance(value, str):
        value = value.replace(",", " ").split()
    try:
        array = np.array([] if value is None else value, dtype=float)
    except (TypeError, ValueError, OverflowError, RecursionError):
        raise CameraError(f"{where}: expected numbers, got {str(value)[:80]!a}") from None
    if count is not None and (array.size != count or not np.isfinite(array).all()):
        raise CameraError(f"{where}: expected {count} finite numbers, got {array.tolist()}")
    return array
