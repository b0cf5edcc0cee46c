"""Reading pickles, and npz files that contain them, restricted to numpy arrays and plain containers."""

from __future__ import annotations

import os
import pickle
import re
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
from numpy import ndarray

from zedo_core.errors import FormatError
from zedo_core.storage.files import check_sizes, check_texts, npy_header

_MAX_BYTES = 2**32  # of a pickle; its values take about ten times as much memory
_PLAIN_DTYPE = re.compile(r"[<>=|]?[?biufcSUO][0-9]{0,6}")


class _DType:
    """Replaces `numpy.dtype` and takes only kind, size and byte order from a pickle.

    numpy's own would also take flags, with which a file can make it use numbers as memory addresses.
    """

    def __init__(self, code: Any, *_: Any) -> None:
        if not _PLAIN_DTYPE.fullmatch(str(code)):
            raise pickle.UnpicklingError(f"it contains an array of {str(code)[:40]!a}")
        self.dtype = np.dtype(str(code))

    def __setstate__(self, state: Any) -> None:
        if state[1] in ("<", ">"):
            self.dtype = self.dtype.newbyteorder(state[1])


class _Array(np.ndarray):
    """An array under construction, whose state contains a `_DType`."""

    def __setstate__(self, state: Any) -> None:
        version, shape, dtype, fortran, data = state
        super().__setstate__((version, shape, dtype.dtype, fortran, data))


def _reconstruct(kind: Any, shape: Any, code: Any) -> ndarray:
    """An empty array, as numpy creates it; its shape and values follow with the state."""
    return _Array((0,), np.int8)


def _frombuffer(buffer: Any, dtype: Any, shape: Any, order: str) -> ndarray:
    """An array over existing bytes."""
    return np.frombuffer(buffer, dtype.dtype).reshape(shape, order=order)  # type: ignore[call-overload]


def _scalar(dtype: Any, value: Any) -> Any:
    """A numpy scalar; Python 2 wrote its bytes as text."""
    return np.frombuffer(value.encode("latin1") if isinstance(value, str) else value, dtype.dtype, count=1)[0]


def _encode(text: str, encoding: str = "latin1") -> bytes:
    """Bytes as Python 2 pickles them, always in latin1."""
    return text.encode("latin1")


# Replacements by the (module, name) that a pickle of arrays and plain containers refers to, in old and new numpy.
_ALLOWED: dict[tuple[str, str], Any] = {
    **{(f"numpy.{core}.multiarray", "_reconstruct"): _reconstruct for core in ("core", "_core")},
    **{(f"numpy.{core}.multiarray", "scalar"): _scalar for core in ("core", "_core")},
    **{(f"numpy.{core}.numeric", "_frombuffer"): _frombuffer for core in ("core", "_core")},
    ("numpy", "ndarray"): None,  # only passed to `_reconstruct`
    ("numpy", "dtype"): _DType,
    ("_codecs", "encode"): _encode,
    ("collections", "OrderedDict"): OrderedDict,
    **{(module, "bytes"): lambda: b"" for module in ("builtins", "__builtin__")},  # empty bytes in old protocols
    **{(module, "set"): set for module in ("builtins", "__builtin__")},
    **{(module, "frozenset"): frozenset for module in ("builtins", "__builtin__")},
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"it refers to {module}.{name}")
        return _ALLOWED[module, name]


def load_pickle(path: Path) -> Any:
    """The content of a pickle of arrays and plain containers, also if written by Python 2.

    FormatError when it is damaged, larger than 4 GiB or refers to anything else; nothing in it is executed.
    """
    try:
        with open(path, "rb") as file:
            if os.fstat(file.fileno()).st_size > _MAX_BYTES:
                raise ValueError(f"more than {_MAX_BYTES >> 30} GiB")
            return _unpickle(file)
    except FileNotFoundError:
        raise FormatError(f"{path}: no such file; expected a pickle of the data set") from None
    except Exception as error:  # damage makes the unpickler raise almost any exception
        reason = str(error) or type(error).__name__
        raise FormatError(
            f"{path}: expected a pickle of only arrays and plain containers, refused ({reason})"
        ) from None


def load_plain(file: Any) -> Any:
    """The arrays and plain containers of a pickle in memory; any exception when it is damaged or has anything else."""
    return _unpickle(file)


def load_object_npz(path: Path) -> dict[str, ndarray]:
    """The arrays of an npz; those of Python objects, as VideoPose3D writes them, are restricted in the same way."""
    try:
        with open(path, "rb") as file, zipfile.ZipFile(file) as archive:
            check_sizes(file)
            names = [name for name in archive.namelist() if name.endswith(".npy")]
            return {name.removesuffix(".npy"): _read_array(archive, name) for name in names}
    except FileNotFoundError:
        raise FormatError(f"{path}: no such file; expected an npz") from None
    except Exception as error:
        reason = str(error) or type(error).__name__
        raise FormatError(f"{path}: expected an npz of only arrays and plain containers, refused ({reason})") from None


def array_names(path: Path) -> list[str]:
    """The names of the arrays of an npz; an empty list when it is damaged."""
    try:
        with zipfile.ZipFile(path) as archive:
            return [name.removesuffix(".npy") for name in archive.namelist()]
    except Exception:  # reading the file then reports the problem
        return []


def _read_array(archive: zipfile.ZipFile, name: str) -> ndarray:
    with archive.open(name) as file:
        _, _, dtype = npy_header(file)
        if dtype.hasobject:
            return np.asarray(_unpickle(file))
    with archive.open(name) as file:
        return check_texts(np.lib.format.read_array(file, allow_pickle=False))


def _unpickle(file: Any) -> Any:
    return _plain(_Unpickler(file, encoding="latin1").load())


def _plain(value: Any) -> Any:
    """The value with plain arrays in place of `_Array`."""
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(map(_plain, value))
    if not isinstance(value, ndarray):
        return value
    array = check_texts(np.asarray(value))
    if array.dtype.hasobject:
        for i, part in enumerate(array.ravel().tolist()):
            array.flat[i] = _plain(part)
    return array
