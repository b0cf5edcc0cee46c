"""Calibration files as tables of cameras: one module per tool, and one for all that name the usual entries.

Every module here with `reads(document)` and `cameras(document, path)` is a reader of a tool's own form; the tables that
it gives have the entries of `_table`. A new tool is one new file.
"""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, cast, runtime_checkable

from zedo_core.camera.calibrations import _generic
from zedo_core.camera.calibrations._table import Entry


@runtime_checkable
class Tool(Protocol):
    """The interface of a module that reads a tool's own form."""

    def reads(self, document: Any) -> bool:
        """Whether a parsed document is in this form, judged by its structure."""
        ...

    def cameras(self, document: Any, path: Path) -> list[Entry]:
        """The cameras of the document; `path` is for files beside it. CameraError for entries that are not valid."""
        ...


def find_cameras(document: Any, path: Path) -> list[Entry]:
    """All cameras of a parsed document; empty if there is none."""
    tool = next((tool for tool in _tools() if tool.reads(document)), None)
    return _generic.cameras(document, path) if tool is None else tool.cameras(document, path)


@cache
def _tools() -> tuple[Tool, ...]:
    names = [info.name for info in pkgutil.iter_modules(__path__) if not info.name.startswith("_")]
    return tuple(cast(Tool, import_module(f"{__name__}.{name}")) for name in names)
