"""The glTF 2.0 binary container: arrays in one buffer and the JSON that describes them, in one file.

Follows the Khronos specification: two chunks, each with a length and a type.
"""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np
from numpy import ndarray

_COMPONENTS = {"f4": 5126, "u1": 5121, "u2": 5123}
_KINDS = {(): "SCALAR", (3,): "VEC3", (4,): "VEC4", (4, 4): "MAT4"}
VERTICES, INDICES = 34962, 34963  # targets of buffer views


class Buffer:
    """Arrays in one buffer, with the glTF `accessors` and `views` that describe them."""

    def __init__(self) -> None:
        self.accessors: list[dict[str, Any]] = []
        self.views: list[dict[str, Any]] = []
        self._parts: list[bytes] = []
        self._length = 0

    def add(self, array: ndarray, *, target: int | None = None) -> int:
        """Add an array (n,), (n, 3), (n, 4) or (n, 4, 4) of float32, uint8 or uint16; return its accessor's index.

        Matrices are stored in column-major order, as glTF requires.
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
        if array.ndim < 3:  # required for times and positions, allowed for all
            accessor |= {"min": np.atleast_1d(array.min(0)).tolist(), "max": np.atleast_1d(array.max(0)).tolist()}
        self.accessors.append(accessor)
        padded = content + bytes(-len(content) % 4)
        self._parts.append(padded)
        self._length += len(padded)
        return len(self.accessors) - 1

    def to_file(self, document: dict[str, Any]) -> bytes:
        """The content of the file: `document` with the description of the buffer, and the buffer."""
        complete = document | {
            "accessors": self.accessors,
            "bufferViews": self.views,
            "buffers": [{"byteLength": self._length}],
        }
        head = json.dumps(complete, separators=(",", ":"), allow_nan=False).encode()
        chunks = _chunk(b"JSON", head + b" " * (-len(head) % 4)) + _chunk(b"BIN\0", b"".join(self._parts))
        return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack("<I4s", len(content), kind) + content
