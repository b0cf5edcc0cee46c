"""Results on disk, one module per format.

Every module here with `SUFFIX` and `write(poses, path)` is a format; one with `read(path)` as well can be loaded
again. A new format is one new file; what it needs beyond zedo's own dependencies it imports inside `write`.
"""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast, runtime_checkable

from zedo_core.errors import InputError
from zedo_core.types import Poses

__all__ = ["formats", "load", "save"]


@runtime_checkable
class Format(Protocol):
    """What a module of this package provides to be a format."""

    SUFFIX: str  # with the dot, lower case

    def write(self, poses: Poses, path: Path) -> None:
        """Write the whole file; OutputError when the place cannot be written to."""
        ...


@runtime_checkable
class ReadableFormat(Format, Protocol):
    """A format that gives the poses back."""

    def read(self, path: Path) -> Poses:
        """What `write` wrote; FormatError when the file is damaged or of another form."""
        ...


def save(poses: Poses, path: str | Path) -> None:
    """Write poses in the format that the suffix names; InputError for a suffix that is none."""
    path = Path(path)
    _of_suffix(path, formats()).write(poses, path)


def load(path: str | Path) -> Poses:
    """Poses from a file that `save` wrote in a format that keeps everything."""
    path = Path(path)
    readable = {suffix: form for suffix, form in formats().items() if hasattr(form, "read")}
    return cast(ReadableFormat, _of_suffix(path, readable)).read(path)


def _of_suffix(path: Path, known: dict[str, Format]) -> Format:
    form = known.get(path.suffix.lower())
    if form is None:
        raise InputError(f"{path}: the format '{path.suffix}' is not known; expected one of {', '.join(sorted(known))}")
    return form


@cache
def formats() -> dict[str, Format]:
    """The formats by suffix."""
    modules = (import_module(f"{__name__}.{info.name}") for info in pkgutil.iter_modules(__path__))
    return {module.SUFFIX: cast(Format, module) for module in modules if hasattr(module, "SUFFIX")}
