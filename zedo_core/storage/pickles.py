"""Reading pickles, and npz that hold them: numpy arrays and plain containers, never code."""

from __future__ import annotations

import io
import os
import pickle
import re
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy import ndarray

from zedo_core.errors import FormatError
from zedo_core.storage.files import check_sizes, check_texts, npy_header

# Above this size Python's fast reader takes over, which trusts the numbers of a pickle's memo.
_CAREFUL_BYTES = 2**24
# How many values a pickle may stand for: those it repeats count each time, as they do once they are in an array.
_FREE_VALUES, _MOST_RATIO = 2**20, 64
_DEEPEST = 40
_PLAIN_DTYPE = re.compile(r"[<>=|]?([?biufcSUO])[0-9]{0,6}")


class _DType:
    """Stands for `numpy.dtype`: of what a pickle says, only kind, size and byte order are taken.

    numpy would take the rest as well, flags that decide what it does with memory among it, and crash.
    """

    def __init__(self, code: Any, align: Any = False, copy: Any = False) -> None:
        match = _PLAIN_DTYPE.fullmatch(str(code))
        if match is None:
            raise pickle.UnpicklingError(f"it holds an array of {str(code)[:40]!a}")
        self.real = np.dtype(object if match[1] == "O" else str(code))

    def __setstate__(self, state: Any) -> None:
        _, order, *records = state[:5]
        if any(entry is not None for entry in records):
            raise pickle.UnpicklingError("it holds an array of records")
        if order in ("<", ">"):
            self.real = self.real.newbyteorder(order)


class _Array(np.ndarray):
    """An array in the making, whose state comes with a `_DType`."""

    def __setstate__(self, state: Any) -> None:
        version, shape, dtype, fortran, data = state
        super().__setstate__((version, shape, dtype.real, fortran, data))


def _frombuffer(buffer: Any, dtype: Any, shape: Any, order: str) -> ndarray:
    """An array over bytes that are there."""
    return np.frombuffer(buffer, dtype.real).reshape(shape, order=order)  # type: ignore[call-overload]


def _reconstruct(kind: type, shape: Any, code: Any) -> ndarray:
    """An array as numpy begins it: empty; its shape and values come with the state."""
    if kind is not _Array or tuple(shape) != (0,):
        raise pickle.UnpicklingError(f"it begins an array of shape {shape}")
    return _Array((0,), np.int8)


def _scalar(dtype: Any, value: Any) -> Any:
    """A numpy scalar, whose bytes are there; numpy itself would make room for them."""
    return np.frombuffer(value.encode("latin1") if isinstance(value, str) else value, dtype.real, count=1)[0]


def _encode(text: str, encoding: str = "latin1") -> bytes:
    """Bytes as Python 2 spells them; other encodings could make a little text grow without end."""
    if encoding not in ("latin1", "latin-1") or not isinstance(text, str):
        raise pickle.UnpicklingError(f"it uses the encoding {encoding!a:.40}")
    return text.encode("latin1")


# What a pickle of arrays and plain containers refers to by (module, name), in old and new numpy, and what it gets.
_ADMITTED: dict[tuple[str, str], Any] = {
    **{(f"numpy.{core}.multiarray", "_reconstruct"): _reconstruct for core in ("core", "_core")},
    **{(f"numpy.{core}.multiarray", "scalar"): _scalar for core in ("core", "_core")},
    **{(f"numpy.{core}.numeric", "_frombuffer"): _frombuffer for core in ("core", "_core")},
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _DType,
    ("_codecs", "encode"): _encode,
    ("collections", "OrderedDict"): OrderedDict,
    **{(module, "set"): set for module in ("builtins", "__builtin__")},
    **{(module, "frozenset"): frozenset for module in ("builtins", "__builtin__")},
}


def _find_class(module: str, name: str) -> Any:
    if (module, name) not in _ADMITTED:
        raise pickle.UnpicklingError(f"it refers to {module}.{name}")
    return _ADMITTED[module, name]


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        return _find_class(module, name)


class _CarefulUnpickler(pickle._Unpickler):  # type: ignore[name-defined]
    """Python's own slow reader: its memo is a dict, so that a number in it makes no room for all below."""

    def find_class(self, module: str, name: str) -> Any:
        return _find_class(module, name)

    def load_bytearray8(self) -> None:
        """Bytes that are there; the original makes room before it reads."""
        size = int.from_bytes(self.read(8), "little")  # type: ignore[attr-defined]
        content = self.read(size)  # type: ignore[attr-defined]
        if len(content) < size:
            raise pickle.UnpicklingError("pickle data was truncated")
        self.append(bytearray(content))  # type: ignore[attr-defined]

    dispatch: ClassVar = {**pickle._Unpickler.dispatch, pickle.BYTEARRAY8[0]: load_bytearray8}  # type: ignore[attr-defined]


def load_pickle(path: Path) -> Any:
    """The content of a pickle of arrays and plain containers, also one of Python 2.

    FormatError when it is damaged or refers to anything else; nothing in it is executed.
    """
    try:
        with open(path, "rb") as file:
            return _unpickled(file, os.fstat(file.fileno()).st_size)
    except FileNotFoundError:
        raise FormatError(f"{path}: no such file; expected a pickle of the data set") from None
    except Exception as error:  # damage makes the unpickler raise almost any of them
        reason = str(error) or type(error).__name__
        raise FormatError(
            f"{path}: expected a pickle of arrays and plain containers alone, refused ({reason})"
        ) from None


def load_object_npz(path: Path) -> dict[str, ndarray]:
    """The arrays of an npz, those of Python objects (as VideoPose3D writes them) read in the same restricted way."""
    try:
        with open(path, "rb") as file, zipfile.ZipFile(file) as archive:
            check_sizes(file)
            names = [name for name in archive.namelist() if name.endswith(".npy")]
            return {name.removesuffix(".npy"): _read_array(archive, name) for name in names}
    except FileNotFoundError:
        raise FormatError(f"{path}: no such file; expected an npz") from None
    except Exception as error:
        reason = str(error) or type(error).__name__
        raise FormatError(f"{path}: expected an npz of arrays and plain containers alone, refused ({reason})") from None


def array_names(path: Path) -> list[str]:
    """Names of the arrays of an npz; none when it is damaged."""
    try:
        with zipfile.ZipFile(path) as archive:
            return [name.removesuffix(".npy") for name in archive.namelist()]
    except Exception:  # the reader that comes next says what is wrong
        return []


def _read_array(archive: zipfile.ZipFile, name: str) -> ndarray:
    with archive.open(name) as file:
        _, _, dtype = npy_header(file)
        if dtype.hasobject:
            return np.asarray(_unpickled(io.BufferedReader(file), archive.getinfo(name).file_size))  # type: ignore[type-var]
    with archive.open(name) as file:
        return check_texts(np.lib.format.read_array(file, allow_pickle=False))


def _unpickled(file: Any, size: int) -> Any:
    """One pickle of `size` bytes from an open file, restricted in the same way."""
    reader = _CarefulUnpickler if size <= _CAREFUL_BYTES else _Unpickler
    value, count = _settled(reader(file, encoding="latin1").load(), {}, 0)
    if count > max(_FREE_VALUES, _MOST_RATIO * size):
        raise pickle.UnpicklingError("what it repeats is far larger than the file")
    return value


def _settled(value: Any, known: dict[int, tuple[Any, int]], depth: int) -> tuple[Any, int]:
    """The value with plain arrays in it, and how many values there would be if nothing were shared.

    RecursionError for what holds itself or is nested too deep.
    """
    if not isinstance(value, dict | list | tuple | ndarray):
        return value, 1
    if depth > _DEEPEST:
        raise RecursionError(f"it is nested more than {_DEEPEST} deep")
    if id(value) not in known:
        known[id(value)] = _settled_parts(value, known, depth + 1)
        known[~id(value)] = value, 0  # it has to live as long as its id is looked up
    return known[id(value)]


def _settled_parts(value: Any, known: dict[int, tuple[Any, int]], depth: int) -> tuple[Any, int]:
    if isinstance(value, ndarray):
        array = check_texts(np.asarray(value))
        if not array.dtype.hasobject:
            return array, 1 + array.size
        parts = [_settled(part, known, depth) for part in array.ravel().tolist()]
        for i, (part, _) in enumerate(parts):
            array.flat[i] = part
        return array, 1 + sum(count for _, count in parts)
    parts = [_settled(part, known, depth) for part in (value.values() if isinstance(value, dict) else value)]
    count = 1 + sum(count for _, count in parts)
    if isinstance(value, dict):
        value.update(zip(list(value), (part for part, _ in parts), strict=True))
    elif isinstance(value, list):
        value[:] = [part for part, _ in parts]
    else:
        value = tuple(part for part, _ in parts)
    return value, count
