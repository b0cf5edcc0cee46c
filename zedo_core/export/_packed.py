"""Arrays as short texts for a web page: steps along time, bytes of one kind together, zlib, base64.

The last axis of what is packed is time, so that each number over all frames is one run of small steps.
"""

from __future__ import annotations

import base64
import zlib

import numpy as np
from jaxtyping import Float, Int16
from numpy import ndarray

ABSENT = -32768  # what is not finite


def rounded16(values: Float[ndarray, "*n"], unit: float) -> Int16[ndarray, "*n"]:
    """Whole units; what is too far is put at the rim, what is not finite becomes `ABSENT`."""
    units = np.clip(np.round(values / unit), 1 + ABSENT, -1 - ABSENT)
    return np.where(np.isfinite(units), units, ABSENT).astype(np.int16)


def packed16(values: Int16[ndarray, "*n t"]) -> str:
    """16-bit steps along the last axis (modulo 2^16), all low bytes first, then all high ones."""
    steps = np.diff(values.astype(np.int32), axis=-1, prepend=0).astype(np.uint16).ravel()
    halves = np.stack([steps & 0xFF, steps >> 8]).astype(np.uint8)
    return packed(halves)


def packed(values: ndarray) -> str:
    """The bytes of an array as they lie, compressed."""
    return base64.b64encode(zlib.compress(np.ascontiguousarray(values).tobytes(), 6)).decode("ascii")
