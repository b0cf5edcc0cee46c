"""A file or folder of keypoints, opened once for every format to look at."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from numpy import ndarray

from zedo_core.errors import FormatError
from zedo_core.keypoints import _json
from zedo_core.storage.files import LARGEST_TEXT, load_arrays, read_bounded
from zedo_core.storage.pickles import array_names, load_object_npz
from zedo_core.types import Keypoints

_ZIP_MAGIC = b"PK\x03\x04"
_DIGITS = re.compile("([0-9]+)")
_EXTENSION = re.compile(r"\.[A-Za-z][A-Za-z0-9]*$")
_MOST_DIGITS = 15
_HEAD = 256  # bytes
_BLANK = b"\xef\xbb\xbf \t\r\n"
_LABEL = re.compile(rb"[0-9]+([ \t]+[-+.0-9eE]+){5}")  # how a label txt begins: class and box
_OF_OBJECTS = "positions_2d"  # the one known npz of Python objects
STDIN = Path("-")


@dataclass(frozen=True, kw_only=True)
class Source:
    """What lies at `path`: JSON, an npz, label txt or a folder of files. What does not apply is empty.

    `document` is parsed JSON, `lines` that of JSON lines, `arrays` those of an npz; `files` and `labels` end in
    .json and .txt, in natural order; `found` says it in words. `part` names one clip of several, `image_size`
    (width, height) in pixels is what the caller knows of the pictures.
    """

    path: Path
    found: str
    document: Any = None
    lines: tuple[Any, ...] = ()
    arrays: dict[str, ndarray] = field(default_factory=dict)
    files: tuple[Path, ...] = ()
    labels: tuple[Path, ...] = ()
    part: str | None = None
    image_size: tuple[int, int] | None = None

    @cached_property
    def documents(self) -> tuple[tuple[Path, Any], ...]:
        """Every JSON file with its content: those of the folder, or the file itself."""
        if self.document is not None:
            return ((self.path, self.document),)
        return tuple((path, _json.load(path)) for path in self.files)

    def need_size(self, what: str) -> tuple[int, int]:
        """The image size; FormatError when `what`, which counts in parts of the picture, comes without it."""
        if self.image_size is None:
            raise FormatError(
                f"{self.path}: {what} counts in parts of the picture, whose size is not in the file; "
                "give --image-size WIDTHxHEIGHT"
            )
        return self.image_size


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


def open_source(path: Path, image_size: tuple[int, int] | None = None) -> Source:
    """Look at a path (`-` is standard input); FormatError when there is nothing, or nothing that could be keypoints.

    `FILE:PART` names one clip of a file that holds several.
    """
    if path == STDIN:
        return _parsed(Path("standard input"), _of_stdin(), image_size)
    path, part = apart(path)
    if path.is_dir():
        files, labels = _files(path, ".json"), _files(path, ".txt")
        found = f"a folder with {len(files)} JSON files" + (f" and {len(labels)} txt files" if labels else "")
        source = Source(path=path, found=found, files=files, labels=() if files else labels, image_size=image_size)
    elif _starts_with(path, _ZIP_MAGIC):
        objects = _OF_OBJECTS in array_names(path)
        arrays = load_object_npz(path) if objects else load_arrays(path)
        found = f"an npz with the arrays {', '.join(map(ascii, arrays)) or 'none'}"
        source = Source(path=path, found=found, arrays=arrays, part=part, image_size=image_size)
    else:
        source = _parsed(path, _content(path), image_size)
    if part is not None and _OF_OBJECTS not in source.arrays:
        raise FormatError(f"{path}: holds one clip only, found ':{part}' after its name; drop that")
    return source


def apart(path: Path) -> tuple[Path, str | None]:
    """FILE and PART of `FILE:PART`; a path that exists is taken as it is."""
    text = str(path)
    places = [place.start() for place in re.finditer(":", text)]
    if not places or path.exists():
        return path, None
    return next(((Path(text[:i]), text[i + 1 :]) for i in places if Path(text[:i]).is_file()), (path, None))


def is_label(head: bytes) -> bool:
    """Whether a file that begins so is a label txt, a row of numbers a person."""
    return _LABEL.match(head.lstrip(_BLANK)) is not None


def head_of(path: Path) -> bytes:
    """The first bytes of a file, as many as `is_label` looks at; FormatError when it cannot be read."""
    try:
        with open(path, "rb") as file:
            return file.read(_HEAD)
    except OSError as error:
        raise FormatError(f"{path}: cannot be read ({error.strerror or error})") from None


def _parsed(path: Path, content: bytes, image_size: tuple[int, int] | None) -> Source:
    """Text of one of the kinds: a label, JSON lines or JSON."""
    if is_label(content[:256]) and path.suffix.lower() == ".txt":
        return Source(path=path, found="a txt of numbers", labels=(path,), image_size=image_size)
    lines = _json.lines(content, path)
    if lines:
        found = f"{len(lines)} lines, the first of which is {_json.kind(lines[0])}"
        return Source(path=path, found=found, lines=lines, image_size=image_size)
    document = _json.parse(content, path)
    return Source(path=path, found=_json.kind(document, first=True), document=document, image_size=image_size)


def _of_stdin() -> bytes:
    content = sys.stdin.buffer.read(LARGEST_TEXT + 1)
    if len(content) > LARGEST_TEXT:
        raise FormatError(f"standard input: expected at most {LARGEST_TEXT >> 20} MiB, found more; split it")
    return content


def _content(path: Path) -> bytes:
    try:
        return read_bounded(path)
    except OSError as error:
        raise FormatError(f"{path}: cannot be read ({error.strerror or error})") from None


def _starts_with(path: Path, magic: bytes) -> bool:
    try:
        with open(path, "rb") as file:
            return file.read(len(magic)) == magic
    except FileNotFoundError:
        raise FormatError(f"{path}: no such file or folder; expected keypoints") from None
    except (OSError, ValueError) as error:
        raise FormatError(f"{path}: cannot be read ({error})") from None


def _files(folder: Path, suffix: str) -> tuple[Path, ...]:
    try:
        files = [file for file in folder.iterdir() if file.suffix.lower() == suffix and file.name[0] != "."]
        files = [file for file in files if file.is_file()]  # a pipe would be waited for
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
