"""The container of glTF 2.0 binary: arrays in one buffer, a JSON that describes them, both in one file.

Written by hand from the Khronos specification: it is two chunks with a length and a type each.
"""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np
from numpy import ndarray

_COMPONENTS = {"f4": 5126, "u1": 5121, "u2": 5123}
_KINDS = {(): "SCALAR", (3,): "VEC3", (4,): "VEC4", (4, 4): "MAT4"}
VERTICES, INDICES = 34962, 34963  # what a buffer view is for


class Buffer:
    """Arrays gathered into one buffer; `accessors` and `views` describe them as glTF wants it."""

    def __init__(self) -> None:
        self.accessors: list[dict[str, Any]] = []
        self.views: list[dict[str, Any]] = []
        self._parts: list[bytes] = []
        self._length = 0

    def add(self, array: ndarray, *, target: int | None = None) -> int:
        """The number of the accessor of an array (n,), (n, 3), (n, 4) or (n, 4, 4) of float32, uint8 or uint16.

        Matrices are stored by columns, as glTF has them.
        """
        values = array.swapaxes(1, 2) if array.ndim == 3 else array
        content = np.ascontiguousarray(values).tobytes()
        view = {"buffer": 0, "byteOffset": self._length, "byteLength": len(content)}
        self.views.append(view if target is None else view | {"target": target})
        accessor = {
            "bufferView": len(self.views) - 1,
            "componentType": _COMPONENTS[array.dtype.str[1:]],
            "count": len(array),
            "type": _KINDS[array.shape[1:]],
        }
        if array.ndim < 3:  # asked for of times and positions, allowed for all
            accessor |= {"min": np.atleast_1d(array.min(0)).tolist(), "max": np.atleast_1d(array.max(0)).tolist()}
        self.accessors.append(accessor)
        padded = content + bytes(-len(content) % 4)
        self._parts.append(padded)
        self._length += len(padded)
        return len(self.accessors) - 1

    def packed(self, document: dict[str, Any]) -> bytes:
        """The whole file: `document` with what describes the buffer, and the buffer."""
        whole = document | {
            "accessors": self.accessors,
            "bufferViews": self.views,
            "buffers": [{"byteLength": self._length}],
        }
        head = json.dumps(whole, separators=(",", ":"), allow_nan=False).encode()
        chunks = _chunk(b"JSON", head + b" " * (-len(head) % 4)) + _chunk(b"BIN\0", b"".join(self._parts))
        return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack("<I4s", len(content), kind) + content
