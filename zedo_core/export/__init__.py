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
from zedo_core.export._axes import AXES, parse_axes, with_axes
from zedo_core.export._batch import find_result
from zedo_core.export._names import DEFAULT_NAMES, check_names
from zedo_core.motions.upright import Up, with_up
from zedo_core.storage.places import fetched, is_remote
from zedo_core.types import Poses

__all__ = [
    "AXES",
    "DEFAULT_NAMES",
    "check",
    "check_names",
    "find_result",
    "formats",
    "is_upright",
    "load",
    "parse_axes",
    "parse_formats",
    "save",
    "with_axes",
]


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


@runtime_checkable
class BonesFormat(Protocol):
    """A format of bones, which have names."""

    BONES: bool

    def write(self, poses: Poses, path: Path, *, names: str = ...) -> tuple[Path, ...] | None:
        """Write the poses as `Format` does, with bones named as in a program."""
        ...


def save(
    poses: Poses, path: str | Path, *, up: Up | None = None, axes: str | None = None, names: str = DEFAULT_NAMES
) -> tuple[Path, ...]:
    """Write poses in the format given by the suffix, and return the files written.

    `up` is a direction in camera axes or one of `zedo_core.motions.upright.UPS`, None for the result's own choice;
    formats in camera axes record it. `axes` are those of tables and markers, one of `AXES`, None for the result's own
    choice or the format's. `names` are those of the bones of BVH and GLB: mixamo, unreal, rigify, vrm, lafan or zedo.
    InputError for an unknown suffix or name.
    """
    path = Path(path)
    chosen = _find_format(path, formats())
    check_names(names)
    poses = poses if up is None else with_up(poses, up)
    poses = poses if axes is None else with_axes(poses, axes)
    if isinstance(chosen, BonesFormat):
        return cast(BonesFormat, chosen).write(poses, path, names=names) or (path,)
    return chosen.write(poses, path) or (path,)


def parse_formats(text: str) -> tuple[str, ...]:
    """Parse a list of formats such as `npz,bvh`, without duplicates, and `check` them."""
    names = tuple(dict.fromkeys(name.strip().lower().removeprefix(".") for name in text.split(",")))
    check(names)
    return names


def check(names: Iterable[str]) -> None:
    """InputError unless all names are formats (`npz`, without the dot); MissingExtraError when one needs a package."""
    for name in names:
        module = _format(name)
        if module is None:
            raise InputError(f"format '{name}' is not known; expected some of {', '.join(s[1:] for s in formats())}")
        getattr(module, "require", lambda: None)()


def is_upright(name: str) -> bool:
    """Whether a format (`bvh`, without the dot) has y up instead of camera axes."""
    return isinstance(formats()[f".{name}"], UprightFormat)


def load(path: str | Path, *, source: str | None = None) -> Poses:
    """Poses from a file that `save` wrote in a lossless format, or of one clip of a folder that `zedo batch` wrote.

    `path` may be an address such as `s3://bucket/out`; `source` is the name of the clip, which is needed where a folder
    holds several.
    """
    place = str(path) if is_remote(str(path)) else str(Path(path))
    readable = {suffix: module for suffix, module in formats().items() if hasattr(module, "read")}
    if source is not None or Path(place).is_dir() or (is_remote(place) and Path(place).suffix.lower() not in readable):
        place = find_result(place, source)
    chosen = cast(ReadableFormat, _find_format(Path(place), readable))
    if not is_remote(place):
        return chosen.read(Path(place))
    with fetched(place) as copy:
        return chosen.read(copy)


def _find_format(path: Path, known: dict[str, Format]) -> Format:
    chosen = known.get(path.suffix.lower())
    if chosen is None:
        raise InputError(f"{path}: format '{path.suffix}' is not known; expected one of {', '.join(sorted(known))}")
    return chosen


def _format(name: str) -> Format | None:
    """The format of this name (`npz`), whose module alone is imported if it has that name as well."""
    module = import_module(f"{__name__}.{name}") if name in _modules() else None
    if getattr(module, "SUFFIX", "") == f".{name}":
        return cast(Format, module)
    return formats().get(f".{name}")


def _modules() -> set[str]:
    return {info.name for info in pkgutil.iter_modules(__path__)}


@cache
def formats() -> dict[str, Format]:
    """All formats by suffix."""
    modules = (import_module(f"{__name__}.{name}") for name in sorted(_modules()))
    return {module.SUFFIX: cast(Format, module) for module in modules if hasattr(module, "SUFFIX")}
