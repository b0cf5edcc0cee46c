"""JSON from strangers: a value that is not what was expected is a FormatError of one line.

`where` starts every message: the file and the entry in it.
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

_LARGEST_INTEGER = 2**53  # beyond it JSON readers of other languages lose digits
_KEYS_SHOWN = 8


def load(path: Path) -> Any:
    """The parsed file; FormatError when it cannot be read or is no JSON."""
    try:
        return parse(read_bounded(path), path)
    except OSError as error:
        raise FormatError(f"{path}: cannot be read ({error.strerror or error})") from None


def parse(content: bytes, where: Path | str) -> Any:
    """Parsed JSON; FormatError when it is none."""
    try:
        return json.loads(content)
    except (ValueError, RecursionError, MemoryError) as error:
        raise FormatError(f"{where}: not valid JSON ({error})") from None


def lines(content: bytes, where: Path) -> tuple[Any, ...]:
    """Values of JSON lines, whose first is an object with `frame`; none for a file of another form."""
    first = content.lstrip().split(b"\n", 1)[0]
    try:
        head = json.loads(first) if first.startswith(b"{") else None
    except (ValueError, RecursionError, MemoryError):
        return ()
    if not isinstance(head, dict) or "frame" not in head:
        return ()
    rows = enumerate(content.split(b"\n"), start=1)
    return tuple(parse(row, f"{where}: line {i}") for i, row in rows if row.strip())


def kind(value: Any, *, first: bool = False) -> str:
    """What a value is, in a few words; `first` describes a list's first element too."""
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, int | float):
        return f"the number {str(value)[:24]}"
    if isinstance(value, str):
        return f"the text {value[:40]!a}"
    if isinstance(value, dict):
        keys = ", ".join(ascii(key[:30]) for key in list(value)[:_KEYS_SHOWN]) or "none"
        return f"an object with the keys {keys}{', ...' if len(value) > _KEYS_SHOWN else ''}"
    return f"a list of {len(value)}" + (f", the first of which is {kind(value[0])}" if first and value else "")


def member(value: Any, key: str, where: str) -> Any:
    """`value[key]` of an object that must have it."""
    if not isinstance(value, dict) or key not in value:
        raise FormatError(f"{where}: expected an object with '{key}', found {kind(value)}")
    return value[key]


def listed(value: Any, where: str) -> list[Any]:
    """A value that must be a list."""
    if not isinstance(value, list):
        raise FormatError(f"{where}: expected a list, found {kind(value)}")
    return value


def numbers(value: Any, where: str) -> Float[ndarray, " n"]:
    """A list of numbers as an array."""
    for entry in listed(value, where):
        if type(entry) not in (int, float):
            raise FormatError(f"{where}: expected a list of numbers, found {kind(entry)} in it")
    try:
        return np.array(value, dtype=float)
    except OverflowError:
        raise FormatError(f"{where}: holds a number of more than 300 digits") from None


def number(value: Any, where: str) -> float:
    """A finite number."""
    if type(value) not in (int, float) or abs(value) > _LARGEST_INTEGER or not math.isfinite(value):
        raise FormatError(f"{where}: expected a finite number, found {kind(value)}")
    return float(value)


def integer(value: Any, where: str, *, least: int = -_LARGEST_INTEGER) -> int:
    """A whole number from `least` up."""
    if type(value) is not int or not least <= value <= _LARGEST_INTEGER:
        raise FormatError(f"{where}: expected a whole number from {least} to {_LARGEST_INTEGER}, found {kind(value)}")
    return value
