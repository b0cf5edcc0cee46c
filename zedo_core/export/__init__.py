"""Writing and reading results, one module per format.

Every module here with `SUFFIX` and `write(poses, path)` is a format; one with `read(path)` as well can be loaded. A new
format is one new file, which imports packages beyond zedo's own dependencies inside a function `require()`. A format
with `UPRIGHT` has y up, as found by `zedo_core.motions.upright`, instead of camera axes.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Iterable
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast, runtime_checkable

from zedo_core.errors import InputError
from zedo_core.motions.upright import Up, with_up
from zedo_core.types import Poses

__all__ = ["check", "formats", "is_upright", "load", "parse_formats", "save"]


@runtime_checkable
class Format(Protocol):
    """Interface of a format's module."""

    SUFFIX: str  # with the dot, in lower case

    def write(self, poses: Poses, path: Path) -> tuple[Path, ...] | None:
        """Write the poses and return the files, None for just `path`; OutputError when they cannot be written."""
        ...


@runtime_checkable
class ReadableFormat(Format, Protocol):
    """A format from which the poses can be loaded."""

    def read(self, path: Path) -> Poses:
        """Read what `write` wrote; FormatError when the file is damaged or of another kind."""
        ...


@runtime_checkable
class UprightFormat(Format, Protocol):
    """A format that has y up and the floor at 0."""

    UPRIGHT: bool


def save(poses: Poses, path: str | Path, *, up: Up | None = None) -> tuple[Path, ...]:
    """Write poses in the format given by the suffix, and return the files written.

    `up` is a direction in camera axes or one of `zedo_core.motions.upright.UPS`, None for the result's own choice;
    formats in camera axes record it. InputError for an unknown suffix.
    """
    path = Path(path)
    chosen = _find_format(path, formats())
    return chosen.write(poses if up is None else with_up(poses, up), path) or (path,)


def parse_formats(text: str) -> tuple[str, ...]:
    """Parse a list of formats such as `npz,bvh`, without duplicates, and `check` them."""
    names = tuple(dict.fromkeys(name.strip().lower().removeprefix(".") for name in text.split(",")))
    check(names)
    return names


def check(names: Iterable[str]) -> None:
    """InputError unless all names are formats (`npz`, without the dot); MissingExtraError when one needs a package."""
    for name in names:
        module = formats().get(f".{name}")
        if module is None:
            raise InputError(f"format '{name}' is not known; expected some of {', '.join(s[1:] for s in formats())}")
        getattr(module, "require", lambda: None)()


def is_upright(name: str) -> bool:
    """Whether a format (`bvh`, without the dot) has y up instead of camera axes."""
    return isinstance(formats()[f".{name}"], UprightFormat)


def load(path: str | Path) -> Poses:
    """Poses from a file that `save` wrote in a lossless format."""
    path = Path(path)
    readable = {suffix: module for suffix, module in formats().items() if hasattr(module, "read")}
    return cast(ReadableFormat, _find_format(path, readable)).read(path)


def _find_format(path: Path, known: dict[str, Format]) -> Format:
    chosen = known.get(path.suffix.lower())
    if chosen is None:
        raise InputError(f"{path}: format '{path.suffix}' is not known; expected one of {', '.join(sorted(known))}")
    return chosen


@cache
def formats() -> dict[str, Format]:
    """All formats by suffix."""
    modules = (import_module(f"{__name__}.{info.name}") for info in pkgutil.iter_modules(__path__))
    return {module.SUFFIX: cast(Format, module) for module in modules if hasattr(module, "SUFFIX")}
