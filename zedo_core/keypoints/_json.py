"""Values in JSON files of other programs: an unexpected value raises a FormatError of one line.

Every message begins with `where`: the file and the entry in it.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from zedo_core.errors import FormatError
from zedo_core.storage.files import read_bounded

_MAX_INTEGER = 2**53  # JSON readers in other languages lose digits of larger numbers
_KEYS_SHOWN = 8


def load(path: Path) -> Any:
    """Parse a file; FormatError when it cannot be read or is not JSON."""
    try:
        return parse(read_bounded(path), path)
    except OSError as error:
        raise FormatError(f"{path}: cannot be read ({error.strerror or error})") from None


def parse(content: bytes, where: Path | str) -> Any:
    """Parse JSON, or lines of JSON objects as a list; FormatError when it is not valid."""
    try:
        return json.loads(content)
    except (ValueError, RecursionError, MemoryError) as error:
        lines = [line for line in content.split(b"\n") if line.strip()]
        if len(lines) > 1 and all(line.lstrip().startswith(b"{") for line in lines):
            return [parse(line, f"{where}: line {i}") for i, line in enumerate(lines, start=1)]
        raise FormatError(f"{where}: not valid JSON ({error})") from None


def parse_lines(content: bytes, where: Path) -> tuple[Any, ...]:
    """Parse JSON lines, of which the first is an object with `frame`; empty for any other content."""
    first = content.lstrip().split(b"\n", 1)[0]
    try:
        head = json.loads(first) if first.startswith(b"{") else None
    except (ValueError, RecursionError, MemoryError):
        return ()
    if not isinstance(head, dict) or "frame" not in head:
        return ()
    rows = enumerate(content.split(b"\n"), start=1)
    return tuple(parse(row, f"{where}: line {i}") for i, row in rows if row.strip())


def describe(value: Any, *, with_first: bool = False) -> str:
    """A short description of a value for error messages; `with_first` includes the first element of a list."""
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, int | float):
        return f"the number {str(value)[:24]}"
    if isinstance(value, str):
        return f"the text {value[:40]!a}"
    if isinstance(value, dict):
        keys = ", ".join(ascii(key[:30]) for key in list(value)[:_KEYS_SHOWN]) or "none"
        return f"an object with the keys {keys}{', ...' if len(value) > _KEYS_SHOWN else ''}"
    first = f", the first of which is {describe(value[0])}" if with_first and value else ""
    return f"a list of {len(value)}{first}"


def member(value: Any, key: str, where: str) -> Any:
    """`value[key]`; FormatError unless the value is an object with this key."""
    if not isinstance(value, dict) or key not in value:
        raise FormatError(f"{where}: expected an object with '{key}', found {describe(value)}")
    return value[key]


def as_list(value: Any, where: str) -> list[Any]:
    """The value; FormatError unless it is a list."""
    if not isinstance(value, list):
        raise FormatError(f"{where}: expected a list, found {describe(value)}")
    return value


def numbers(value: Any, where: str) -> Float[ndarray, " n"]:
    """A list of numbers as an array; FormatError for anything else."""
    for entry in as_list(value, where):
        if type(entry) not in (int, float):
            raise FormatError(f"{where}: expected a list of numbers, found {describe(entry)} in it")
    try:
        return np.array(value, dtype=float)
    except OverflowError:
        raise FormatError(f"{where}: contains a number of more than 300 digits") from None


def number(value: Any, where: str) -> float:
    """The value as a float; FormatError unless it is a finite number."""
    if type(value) not in (int, float) or abs(value) > _MAX_INTEGER or not math.isfinite(value):
        raise FormatError(f"{where}: expected a finite number, found {describe(value)}")
    return float(value)


def integer(value: Any, where: str, *, minimum: int = -_MAX_INTEGER) -> int:
    """The value; FormatError unless it is a whole number of at least `minimum`."""
    if type(value) is not int or not minimum <= value <= _MAX_INTEGER:
        raise FormatError(f"{where}: expected a whole number from {minimum} to {_MAX_INTEGER}, found {describe(value)}")
    return value
