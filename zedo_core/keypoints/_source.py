"""A file or folder of keypoints, opened once for every format to look at."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from numpy import ndarray

from zedo_core.errors import FormatError
from zedo_core.files import load_arrays
from zedo_core.keypoints import _json
from zedo_core.types import Keypoints

_ZIP_MAGIC = b"PK\x03\x04"
_DIGITS = re.compile("([0-9]+)")
_EXTENSION = re.compile(r"\.[A-Za-z][A-Za-z0-9]*$")
_MOST_DIGITS = 15


@dataclass(frozen=True, kw_only=True)
class Source:
    """What lies at `path`: a parsed JSON `document`, the `arrays` of an npz, or the `files` of a folder.

    What does not apply is empty; `files` are those ending in .json, in natural order; `found` says it in words.
    """

    path: Path
    found: str
    document: Any = None
    arrays: dict[str, ndarray] = field(default_factory=dict)
    files: tuple[Path, ...] = ()


@runtime_checkable
class Format(Protocol):
    """What a module of this package provides to be a format."""

    FORM: str  # one line: the format's name and its form

    def reads(self, source: Source) -> bool:
        """Whether the source has this form, told by its outermost content."""
        ...

    def read(self, source: Source) -> Keypoints:
        """The keypoints; FormatError when an entry is not as it should be."""
        ...


def open_source(path: Path) -> Source:
    """Look at a path; FormatError when there is nothing or it is neither JSON, npz nor folder."""
    if path.is_dir():
        files = _json_files(path)
        return Source(path=path, found=f"a folder with {len(files)} JSON files", files=files)
    if _starts_with(path, _ZIP_MAGIC):
        arrays = load_arrays(path)
        return Source(
            path=path, found=f"an npz with the arrays {', '.join(map(ascii, arrays)) or 'none'}", arrays=arrays
        )
    document = _json.load(path)
    return Source(path=path, found=_json.kind(document, first=True), document=document)


def _starts_with(path: Path, magic: bytes) -> bool:
    try:
        with open(path, "rb") as file:
            return file.read(len(magic)) == magic
    except FileNotFoundError:
        raise FormatError(f"{path}: no such file or folder; expected keypoints") from None
    except (OSError, ValueError) as error:
        raise FormatError(f"{path}: cannot be read ({error})") from None


def _json_files(folder: Path) -> tuple[Path, ...]:
    try:
        files = [file for file in folder.iterdir() if file.suffix.lower() == ".json" and file.name[0] != "."]
    except OSError as error:
        raise FormatError(f"{folder}: cannot be read ({error.strerror or error})") from None
    return tuple(sorted(files, key=lambda file: _natural(file.name)))


def numbered(names: Iterable[str]) -> dict[str, int]:
    """Frame number of every file name: the last number in it, if that grows in natural order, else its rank."""
    ordered = sorted(set(names), key=_natural)
    last = [(_DIGITS.findall(_EXTENSION.sub("", name)) or ["9" * (_MOST_DIGITS + 1)])[-1] for name in ordered]
    if all(len(digits) <= _MOST_DIGITS for digits in last):
        found = [int(digits) for digits in last]
        if all(a < b for a, b in pairwise(found)):
            return dict(zip(ordered, found, strict=True))
    return {name: rank for rank, name in enumerate(ordered)}


def _natural(name: str) -> tuple[list[str | tuple[int, str]], str]:
    """Sorting key under which `frame2` stands before `frame10`."""
    parts = _DIGITS.split(name)
    digits = [(len(part.lstrip("0")), part.lstrip("0")) for part in parts[1::2]]
    return [part for pair in zip(parts[::2], [*digits, (0, "")], strict=True) for part in pair], name
