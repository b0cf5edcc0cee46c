"""A fake of the package rerun with the parts that the export uses, since the real one has 170 MB.

`SAVED` holds the recordings by the suffix of their file, once they are disconnected.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

SAVED: dict[str, RecordingStream] = {}


@dataclass
class _Value:
    """A value to be logged, with the arguments of its constructor."""

    kind: str
    arguments: tuple[Any, ...]
    named: dict[str, Any]


def _kind(name: str) -> Any:
    return lambda *arguments, **named: _Value(name, arguments, named)


AnnotationInfo, ClassDescription = _kind("AnnotationInfo"), _kind("ClassDescription")
AnnotationContext, TextDocument = _kind("AnnotationContext"), _kind("TextDocument")
Pinhole, Transform3D, TimeColumn = _kind("Pinhole"), _kind("Transform3D"), _kind("TimeColumn")


class ViewCoordinates:
    """Names of axes."""

    RIGHT_HAND_Y_UP = "right hand, y up"
    RDF = "right, down, forward"


@dataclass
class _Columns:
    named: dict[str, Any]

    def partition(self, lengths: Iterable[int]) -> list[dict[str, Any]]:
        """The values of each row; the lengths have to add up, as in the real package."""
        ends = np.cumsum(list(lengths))
        assert all(len(values) == ends[-1] for values in self.named.values())
        starts = np.concatenate([[0], ends[:-1]])
        return [{name: values[a:b] for name, values in self.named.items()} for a, b in zip(starts, ends, strict=True)]


class Points3D:
    """Points at several times."""

    @staticmethod
    def columns(**named: Any) -> _Columns:
        return _Columns(named)


@dataclass
class RecordingStream:
    """A recording that is written to a file."""

    application: str
    path: Path | None = None
    logged: list[tuple[str, Any, bool, dict[str, Any]]] = field(default_factory=list)
    columns: dict[str, tuple[list[_Value], list[dict[str, Any]]]] = field(default_factory=dict)
    now: dict[str, Any] = field(default_factory=dict)

    def save(self, path: str) -> None:
        self.path = Path(path)

    def set_time(self, timeline: str, **value: Any) -> None:
        self.now[timeline] = value

    def log(self, entity: str, value: Any, *, static: bool = False) -> None:
        self.logged.append((entity, value, static, {} if static else dict(self.now)))

    def disconnect(self) -> None:
        assert self.path is not None
        SAVED[self.path.suffix] = self
        self.path.write_bytes(b"RRF2")


def send_columns(
    entity: str, *, indexes: list[_Value], columns: list[dict[str, Any]], recording: RecordingStream
) -> None:
    recording.columns[entity] = (indexes, columns)
