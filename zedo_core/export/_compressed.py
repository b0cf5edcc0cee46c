"""Arrays as compressed text for a web page: differences along time, bytes grouped by significance, zlib, base64.

The last axis is time, so that each value over all frames is a run of small differences.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterable

import numpy as np
from jaxtyping import Float, Int16, UInt16
from numpy import ndarray

ABSENT = -32768  # for values that are not finite


def round_to_int16(values: Float[ndarray, "*n"], unit: float) -> Int16[ndarray, "*n"]:
    """Values in whole units, clipped to the range; `ABSENT` for those that are not finite."""
    units = np.clip(np.round(values / unit), 1 + ABSENT, -1 - ABSENT)
    return np.where(np.isfinite(units), units, ABSENT).astype(np.int16)


def compress_int16(parts: Iterable[Int16[ndarray, "*n t"]]) -> str:
    """Differences along the last axis (modulo 2^16): all low bytes, then all high bytes; iterates `parts` twice."""
    return compress((_differences(part) >> shift).astype(np.uint8) for shift in (0, 8) for part in parts)


def compress(parts: Iterable[ndarray]) -> str:
    """The concatenated bytes of arrays, compressed."""
    deflate = zlib.compressobj(6)
    chunks = [deflate.compress(np.ascontiguousarray(part).tobytes()) for part in parts]
    return base64.b64encode(b"".join(chunks) + deflate.flush()).decode("ascii")


def _differences(values: Int16[ndarray, "*n t"]) -> UInt16[ndarray, "*n t"]:
    return np.diff(values.astype(np.int32), axis=-1, prepend=0).astype(np.uint16)
