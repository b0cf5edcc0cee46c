"""Results on disk, one module per format.

Every module here with `SUFFIX` and `write(poses, path)` is a format; one with `read(path)` as well can be loaded
again. A new format is one new file; what it needs beyond zedo's own dependencies it imports inside a function
`require()`. A format with `UPRIGHT` has y up instead of camera axes, as `zedo_core.motions.upright` finds it.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Iterable
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast, runtime_checkable

from zedo_core.errors import InputError
from zedo_core.motions.upright import CAMERA_UP, Direction, Up, upright, with_up
from zedo_core.packed import packed
from zedo_core.types import Poses

__all__ = [
    "CAMERA_UP",
    "Direction",
    "Up",
    "check",
    "formats",
    "is_upright",
    "load",
    "load_packed",
    "named",
    "save",
    "upright",
    "with_up",
]


@runtime_checkable
class Format(Protocol):
    """What a module of this package provides to be a format."""

    SUFFIX: str  # with the dot, lower case

    def write(self, poses: Poses, path: Path) -> tuple[Path, ...] | None:
        """Write it whole and say which files, if not just `path`; OutputError when the place cannot be written to."""
        ...


@runtime_checkable
class ReadableFormat(Format, Protocol):
    """A format that gives the poses back."""

    def read(self, path: Path) -> Poses:
        """What `write` wrote; FormatError when the file is damaged or of another form."""
        ...


@runtime_checkable
class UprightFormat(Format, Protocol):
    """A format that has y up and the floor at 0."""

    UPRIGHT: bool


def save(poses: Poses, path: str | Path, *, up: Up | None = None) -> tuple[Path, ...]:
    """Write poses in the format that the suffix names, and say which files were written.

    `up` is a direction in camera axes or one of `zedo_core.motions.upright.UPS`, as the result was made if None;
    formats that stay in camera axes keep it for later. InputError for a suffix that is none.
    """
    path = Path(path)
    form = _of_suffix(path, formats())
    return form.write(poses if up is None else with_up(poses, up), path) or (path,)


def named(text: str) -> tuple[str, ...]:
    """The formats of a list such as `npz,bvh`, each once and checked as in `check`."""
    names = tuple(dict.fromkeys(name.strip().lower().removeprefix(".") for name in text.split(",")))
    check(names)
    return names


def check(names: Iterable[str]) -> None:
    """InputError unless all names are formats (`npz`, without the dot); MissingExtraError when one needs a package."""
    for name in names:
        form = formats().get(f".{name}")
        if form is None:
            raise InputError(f"format '{name}' is not known; expected some of {', '.join(s[1:] for s in formats())}")
        getattr(form, "require", lambda: None)()


def is_upright(name: str) -> bool:
    """Whether a format (`bvh`, without the dot) has y up rather than camera axes."""
    return isinstance(formats()[f".{name}"], UprightFormat)


def load(path: str | Path) -> Poses:
    """Poses from a file that `save` wrote in a format that keeps everything."""
    return _readable(Path(path)).read(Path(path))


def load_packed(path: str | Path) -> Poses:
    """As `load`, packed (see zedo_core.packed): of long clips with many tracks the arrays might not fit."""
    form = _readable(Path(path))
    read_packed = getattr(form, "read_packed", None)  # of a format that can
    return packed(form.read(Path(path))) if read_packed is None else read_packed(Path(path))


def _readable(path: Path) -> ReadableFormat:
    readable = {suffix: form for suffix, form in formats().items() if hasattr(form, "read")}
    return cast(ReadableFormat, _of_suffix(path, readable))


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
