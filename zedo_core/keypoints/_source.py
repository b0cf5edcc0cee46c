"""A file or folder of keypoints, opened once and then offered to every format."""

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
from zedo_core.storage.files import MAX_TEXT, load_arrays, read_bounded
from zedo_core.storage.pickles import array_names, load_object_npz
from zedo_core.types import Keypoints

_ZIP_MAGIC = b"PK\x03\x04"
_DIGITS = re.compile("([0-9]+)")
_EXTENSION = re.compile(r"\.[A-Za-z][A-Za-z0-9]*$")
_MOST_DIGITS = 15
_HEAD = 256  # bytes
_BLANK = b"\xef\xbb\xbf \t\r\n"
_LABEL = re.compile(rb"[0-9]+([ \t]+[-+.0-9eE]+){5}")  # the beginning of a label txt: class and box
_OBJECT_ARRAY = "positions_2d"  # in the only supported npz of Python objects
STDIN = Path("-")


@dataclass(frozen=True, kw_only=True)
class Source:
    """The content of `path`: JSON, an npz, label txt or a folder of files. Fields that do not apply are empty.

    `document` is parsed JSON, `lines` are parsed JSON lines, `arrays` those of an npz; `files` and `labels` are the
    .json and .txt files in natural order; `description` is for error messages. `part` names one clip of several,
    `image_size` is the (width, height) in pixels if the caller knows it.
    """

    path: Path
    description: str
    document: Any = None
    lines: tuple[Any, ...] = ()
    arrays: dict[str, ndarray] = field(default_factory=dict)
    files: tuple[Path, ...] = ()
    labels: tuple[Path, ...] = ()
    part: str | None = None
    image_size: tuple[int, int] | None = None

    @cached_property
    def documents(self) -> tuple[tuple[Path, Any], ...]:
        """Every JSON file with its content: those of a folder, or the file itself."""
        if self.document is not None:
            return ((self.path, self.document),)
        return tuple((path, _json.load(path)) for path in self.files)

    def require_size(self, what: str) -> tuple[int, int]:
        """The image size; FormatError when it is unknown, as `what` has normalised coordinates."""
        if self.image_size is None:
            raise FormatError(
                f"{self.path}: {what} has normalised coordinates but not the image size; give --image-size WIDTHxHEIGHT"
            )
        return self.image_size


@runtime_checkable
class Format(Protocol):
    """The interface of a module of this package that reads a format."""

    FORM: str  # one line: the format's name and structure

    def reads(self, source: Source) -> bool:
        """Whether the source is in this format, judged by its top-level content."""
        ...

    def read(self, source: Source) -> Keypoints:
        """Read the keypoints; FormatError when an entry is not valid."""
        ...


def open_source(path: Path, image_size: tuple[int, int] | None = None) -> Source:
    """Open a path (`-` is standard input); FormatError when it is missing or cannot contain keypoints.

    `FILE:PART` names one clip of a file with several.
    """
    if path == STDIN:
        return _parse(Path("standard input"), _read_stdin(), image_size)
    path, part = split_part(path)
    if path.is_dir():
        files, labels = _list_files(path, ".json"), _list_files(path, ".txt")
        text = f"a folder with {len(files)} JSON files" + (f" and {len(labels)} txt files" if labels else "")
        labels = () if files else labels
        source = Source(path=path, description=text, files=files, labels=labels, image_size=image_size)
    elif _starts_with(path, _ZIP_MAGIC):
        objects = _OBJECT_ARRAY in array_names(path)
        arrays = load_object_npz(path) if objects else load_arrays(path)
        text = f"an npz with the arrays {', '.join(map(ascii, arrays)) or 'none'}"
        source = Source(path=path, description=text, arrays=arrays, part=part, image_size=image_size)
    else:
        source = _parse(path, _read(path), image_size)
    if part is not None and _OBJECT_ARRAY not in source.arrays:
        raise FormatError(f"{path}: contains only one clip, found ':{part}' after its name; drop that")
    return source


def split_part(path: Path) -> tuple[Path, str | None]:
    """FILE and PART of `FILE:PART`; a path that exists is not split."""
    text = str(path)
    colons = [match.start() for match in re.finditer(":", text)]
    if not colons or path.exists():
        return path, None
    return next(((Path(text[:i]), text[i + 1 :]) for i in colons if Path(text[:i]).is_file()), (path, None))


def is_label(head: bytes) -> bool:
    """Whether a file with this beginning is a label txt, with a row of numbers per person."""
    return _LABEL.match(head.lstrip(_BLANK)) is not None


def read_head(path: Path) -> bytes:
    """The first bytes of a file, as many as `is_label` needs; FormatError when it cannot be read."""
    try:
        with open(path, "rb") as file:
            return file.read(_HEAD)
    except OSError as error:
        raise FormatError(f"{path}: cannot be read ({error.strerror or error})") from None


def _parse(path: Path, content: bytes, image_size: tuple[int, int] | None) -> Source:
    """A label txt, JSON lines or JSON."""
    if is_label(content[:_HEAD]) and path.suffix.lower() == ".txt":
        return Source(path=path, description="a txt of numbers", labels=(path,), image_size=image_size)
    lines = _json.parse_lines(content, path)
    if lines:
        text = f"{len(lines)} lines, the first of which is {_json.describe(lines[0])}"
        return Source(path=path, description=text, lines=lines, image_size=image_size)
    document = _json.parse(content, path)
    text = _json.describe(document, with_first=True)
    return Source(path=path, description=text, document=document, image_size=image_size)


def _read_stdin() -> bytes:
    content = sys.stdin.buffer.read(MAX_TEXT + 1)
    if len(content) > MAX_TEXT:
        raise FormatError(f"standard input: expected at most {MAX_TEXT >> 20} MiB, found more; split it")
    return content


def _read(path: Path) -> bytes:
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


def _list_files(folder: Path, suffix: str) -> tuple[Path, ...]:
    try:
        files = [file for file in folder.iterdir() if file.suffix.lower() == suffix and file.name[0] != "."]
        files = [file for file in files if file.is_file()]  # reading from a pipe would block
    except OSError as error:
        raise FormatError(f"{folder}: cannot be read ({error.strerror or error})") from None
    return tuple(sorted(files, key=lambda file: _natural_key(file.name)))


def number_frames(names: Iterable[str]) -> dict[str, int]:
    """Frame number of every file name: the last number in it, if these increase in natural order, else its rank."""
    ordered = sorted(set(names), key=_natural_key)
    last = [(_DIGITS.findall(_EXTENSION.sub("", name)) or ["9" * (_MOST_DIGITS + 1)])[-1] for name in ordered]
    if all(len(digits) <= _MOST_DIGITS for digits in last):
        numbers = [int(digits) for digits in last]
        if all(a < b for a, b in pairwise(numbers)):
            return dict(zip(ordered, numbers, strict=True))
    return {name: rank for rank, name in enumerate(ordered)}


def _natural_key(name: str) -> tuple[list[str | tuple[int, str]], str]:
    """Sort key that puts `frame2` before `frame10`."""
    parts = _DIGITS.split(name)
    digits = [(len(part.lstrip("0")), part.lstrip("0")) for part in parts[1::2]]
    return [part for pair in zip(parts[::2], [*digits, (0, "")], strict=True) for part in pair], name
