"""A file or folder of keypoints, opened once and then offered to every format."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatch
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from numpy import ndarray

from zedo_core.errors import FormatError
from zedo_core.keypoints import _json
from zedo_core.skeleton import Skeleton
from zedo_core.storage.files import MAX_TEXT, load_array_or_arrays, load_arrays, read_bounded
from zedo_core.storage.pickles import array_names, load_object_npz
from zedo_core.types import Keypoints

_ZIP_MAGIC = b"PK\x03\x04"
_DIGITS = re.compile("([0-9]+)")
_EXTENSION = re.compile(r"\.[A-Za-z][A-Za-z0-9]*$")
_MOST_DIGITS = 15
_HEAD = 256  # bytes
_HDF5_MAGIC, _NPY_MAGIC = b"\x89HDF", b"\x93NUMPY"
_TABLE_SUFFIXES = (".csv", ".tsv", ".trc")
_BLANK = b"\xef\xbb\xbf \t\r\n"
_LABEL = re.compile(rb"[0-9]+([ \t]+[-+.0-9eE]+){5}")  # the beginning of a label txt: class and box
_OBJECT_ARRAY = "positions_2d"  # in the only supported npz of Python objects
STDIN = Path("-")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Source:
    """The content of `path`: JSON, arrays, a table, HDF5, label txt or a folder. Fields that do not apply are empty.

    `document` is parsed JSON, `lines` are parsed JSON lines, `arrays` those of an npz or npy, `text` is a table of CSV
    or TRC, `hdf5` tells an HDF5 file; `files` and `labels` are the .json and .txt files in natural order; `description`
    is for error messages. `part` names one clip of several, `image_size` is the (width, height) in pixels and
    `skeleton` the joint set if the caller knows them.
    """

    path: Path
    description: str
    document: Any = None
    lines: tuple[Any, ...] = ()
    arrays: dict[str, ndarray] = field(default_factory=dict)
    text: str = ""
    hdf5: bool = False
    files: tuple[Path, ...] = ()
    labels: tuple[Path, ...] = ()
    part: str | None = None
    image_size: tuple[int, int] | None = None
    skeleton: Skeleton | None = None

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


def open_source(path: Path, image_size: tuple[int, int] | None = None, skeleton: Skeleton | None = None) -> Source:
    """Open a path (`-` is standard input); FormatError when it is missing or cannot contain keypoints.

    `FILE:PART` names one clip of a file with several, `FOLDER:PATTERN` the files of a folder with such names.
    """
    known: dict[str, Any] = {"image_size": image_size, "skeleton": skeleton}
    if path == STDIN:
        return _parse(Path("standard input"), _read_stdin(), known)
    path, part = split_part(path)
    known["part"] = part
    if path.is_dir():
        return _open_folder(path, part, known)
    if _starts_with(path, _ZIP_MAGIC):
        objects = _OBJECT_ARRAY in array_names(path)
        arrays = load_object_npz(path) if objects else load_arrays(path)
        text = f"an npz with the arrays {', '.join(f'{name!a} {a.shape}' for name, a in arrays.items()) or 'none'}"
        return Source(path=path, description=text, arrays=arrays, **known)
    if _starts_with(path, _NPY_MAGIC):
        arrays = load_array_or_arrays(path, path.stem, "keypoints")
        text = "".join(f"an npy with an array of shape {array.shape}" for array in arrays.values())
        return Source(path=path, description=text, arrays=arrays, **known)
    if _starts_with(path, _HDF5_MAGIC):
        return Source(path=path, description="an HDF5 file", hdf5=True, **known)
    return _parse(path, _read(path), known)


def _open_folder(path: Path, part: str | None, known: dict[str, Any]) -> Source:
    """A folder of JSON or label txt; of several sequences the one whose names `part` fits."""
    files, labels = _list_files(path, ".json"), _list_files(path, ".txt")
    text = f"a folder with {len(files)} JSON files" + (f" and {len(labels)} txt files" if labels else "")
    labels = () if files else labels
    if part is not None:
        chosen = [tuple(file for file in group if fits(file.name, part)) for group in (files, labels)]
        if not any(chosen):
            raise FormatError(f"{path}: has no files that fit '{part}', found {text}")
        files, labels = chosen
    return Source(path=path, description=text, files=files, labels=labels, **known)


def split_part(path: Path) -> tuple[Path, str | None]:
    """FILE and PART of `FILE:PART`; a path that exists is not split."""
    text = str(path)
    colons = [match.start() for match in re.finditer(":", text)]
    if not colons or path.exists():
        return path, None
    return next(((Path(text[:i]), text[i + 1 :]) for i in colons if Path(text[:i]).exists()), (path, None))


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


def is_table(path: Path, head: bytes) -> bool:
    """Whether a file is a table of text, by its beginning or its name."""
    head = head.lstrip(_BLANK)
    if head.startswith((b"{", b"[")) or b"\0" in head:
        return False
    return head.startswith((b"PathFileType", b"scorer,")) or path.suffix.lower() in _TABLE_SUFFIXES


def _parse(path: Path, content: bytes, known: dict[str, Any]) -> Source:
    """A label txt, a table, JSON lines or JSON."""
    if is_label(content[:_HEAD]) and path.suffix.lower() == ".txt":
        return Source(path=path, description="a txt of numbers", labels=(path,), **known)
    if is_table(path, content[:_HEAD]):
        text = content.decode("utf-8-sig", errors="replace")
        first = text.split("\n", 1)[0][:80].strip()
        return Source(path=path, description=f"a table that begins with {first!a}", text=text, **known)
    lines = _json.parse_lines(content, path)
    if not lines or "people" not in lines[0]:
        lines, document = (), list(lines) or _json.parse(content, path)
    if lines:
        text = f"{len(lines)} lines, the first of which is {_json.describe(lines[0])}"
        return Source(path=path, description=text, lines=lines, **known)
    text = _json.describe(document, with_first=True)
    return Source(path=path, description=text, document=document, **known)


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


def fits(name: str, part: str) -> bool:
    """Whether a name begins with `part` or fits it as a pattern; a part of digits is not the beginning of a number."""
    if fnmatch(name, part):
        return True
    return name.startswith(part) and not (part[-1:].isdigit() and name[len(part) : len(part) + 1].isdigit())


def number_frames(names: Iterable[str], where: Path | None = None, part: str | None = None) -> dict[str, int]:
    """Frame number of every file name: the last number in it, if these increase in natural order, else its rank.

    FormatError, if `where` is given, when the names are those of several cameras; `part` chose among them.
    """
    ordered = sorted(set(names), key=_natural_key)
    if where is not None and part is None:
        _check_one_sequence(ordered, where)
    last = [(_DIGITS.findall(_EXTENSION.sub("", name)) or ["9" * (_MOST_DIGITS + 1)])[-1] for name in ordered]
    if all(len(digits) <= _MOST_DIGITS for digits in last):
        numbers = [int(digits) for digits in last]
        if all(a < b for a, b in pairwise(numbers)):
            return dict(zip(ordered, numbers, strict=True))
    column = _frame_column(ordered)
    if column is not None:
        return column
    return {name: rank for rank, name in enumerate(ordered)}


def _check_one_sequence(names: list[str], where: Path) -> None:
    """FormatError when names differ in more than their frame: cam01.0001 beside cam02.0001, or 1_left beside 1_right.

    The frame is the number in the names with the most values; what is left of a name is its sequence.
    """
    frame_at = _frame_place(names)
    if frame_at is None:
        return
    groups: dict[str, set[int]] = {}
    stems: dict[str, str] = {}
    for name in names:
        parts = _split_name(name)
        if len(parts) <= -frame_at:
            continue
        rest = "\0".join([*parts[:frame_at], "", *parts[frame_at + 1 :]])
        groups.setdefault(rest, set()).add(int(parts[frame_at][:_MOST_DIGITS]))
        stems.setdefault(rest, "".join(parts[:frame_at]) + "*" + "".join(parts[frame_at + 1 :]))
    several = [
        rest for rest in groups if any(_shared(groups[rest], groups[other]) for other in groups if other != rest)
    ]
    if len(several) < 2:
        if sum(len(numbers) > 1 for numbers in groups.values()) > 1:
            _log.warning(
                "%s: files of different names are read as one sequence: %s", where, ", ".join(list(stems.values())[:4])
            )
        return
    listed = ", ".join(f"{stems[rest]} ({len(groups[rest])})" for rest in several[:4])
    more = f" and {len(several) - 4} more" if len(several) > 4 else ""
    raise FormatError(
        f"{where}: expected the frames of one sequence, found several with the same numbers: {listed}{more}; name one, "
        f"as '{where}:{stems[several[0]].partition('*')[0] or stems[several[0]]}', or move each to a folder of its own"
    )


def _shared(a: set[int], b: set[int]) -> bool:
    """Whether two sequences have half of their numbers in common; times in milliseconds have a few by chance."""
    return len(a & b) * 2 >= min(len(a), len(b))


def _split_name(name: str) -> list[str]:
    """A name without its suffix, texts and numbers in turn: numbers are at the odd places."""
    return _DIGITS.split(_EXTENSION.sub("", name))


def _frame_place(names: list[str]) -> int | None:
    """The place of the number with the most different values, the last of equals; None without numbers."""
    parts = [_split_name(name) for name in names]
    places = range(-2, -max(map(len, parts), default=0), -2)  # from the end, since prefixes may have numbers
    values = {place: len({p[place] for p in parts if len(p) > -place}) for place in places}
    return max(values, key=lambda place: (values[place], place)) if values else None


def _frame_column(names: list[str]) -> dict[str, int] | None:
    """Numbers that are not the last in their names, as in 0001_cam1; None unless each name has its own."""
    place = _frame_place(names)
    if place is None:
        return None
    parts = [_split_name(name) for name in names]
    if len({tuple(p[::2]) for p in parts}) > 1:
        return None
    if any(len(p[place]) > _MOST_DIGITS for p in parts):
        return None
    numbers = [int(p[place]) for p in parts]
    return dict(zip(names, numbers, strict=True)) if len(set(numbers)) == len(names) else None


def _natural_key(name: str) -> tuple[list[str | tuple[int, str]], str]:
    """Sort key that puts `frame2` before `frame10`."""
    parts = _DIGITS.split(name)
    digits = [(len(part.lstrip("0")), part.lstrip("0")) for part in parts[1::2]]
    return [part for pair in zip(parts[::2], [*digits, (0, "")], strict=True) for part in pair], name
