"""Arrays as short texts for a web page: steps along time, bytes of one kind together, zlib, base64.

The last axis is time, so that each number over all frames is one run of small steps.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterable

import numpy as np
from jaxtyping import Float, Int16, UInt16
from numpy import ndarray

ABSENT = -32768  # what is not finite


def rounded16(values: Float[ndarray, "*n"], unit: float) -> Int16[ndarray, "*n"]:
    """Whole units; what is too far is put at the rim, what is not finite becomes `ABSENT`."""
    units = np.clip(np.round(values / unit), 1 + ABSENT, -1 - ABSENT)
    return np.where(np.isfinite(units), units, ABSENT).astype(np.int16)


def compressed16(parts: Iterable[Int16[ndarray, "*n t"]]) -> str:
    """16-bit steps along the last axis (modulo 2^16), all low bytes first, then all high ones; `parts` twice over."""
    return compressed((_steps(part) >> shift).astype(np.uint8) for shift in (0, 8) for part in parts)


def compressed(parts: Iterable[ndarray]) -> str:
    """The bytes of arrays as they lie, one after the other, compressed."""
    deflate = zlib.compressobj(6)
    parts_of_it = [deflate.compress(np.ascontiguousarray(part).tobytes()) for part in parts]
    return base64.b64encode(b"".join(parts_of_it) + deflate.flush()).decode("ascii")


def _steps(values: Int16[ndarray, "*n t"]) -> UInt16[ndarray, "*n t"]:
    return np.diff(values.astype(np.int32), axis=-1, prepend=0).astype(np.uint16)
