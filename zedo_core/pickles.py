"""Reading pickles, and npz that hold them: numpy arrays and plain containers, never code."""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy import ndarray

from zedo_core.errors import FormatError

# (module, name) of everything that a pickle of arrays and plain containers refers to, in old and new numpy.
_ADMITTED = {
    *((f"numpy.{core}.multiarray", name) for core in ("core", "_core") for name in ("_reconstruct", "scalar")),
    *((f"numpy.{core}.numeric", "_frombuffer") for core in ("core", "_core")),
    *(("numpy", name) for name in ("ndarray", "dtype")),
    ("_codecs", "encode"),
    ("collections", "OrderedDict"),
    *((module, name) for module in ("builtins", "__builtin__") for name in ("set", "frozenset")),
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ADMITTED and not (module == "numpy.dtypes" and name.endswith("DType")):
            raise pickle.UnpicklingError(f"it refers to {module}.{name}")
        return super().find_class(module, name)


def load_pickle(path: Path) -> Any:
    """The content of a pickle of arrays and plain containers, also one of Python 2.

    FormatError when it is damaged or refers to anything else; nothing in it is executed.
    """
    try:
        with open(path, "rb") as file:
            return _unpickled(file)
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
        with zipfile.ZipFile(path) as archive:
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
        version = np.lib.format.read_magic(file)
        read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        _, _, dtype = read_header(file)
        if dtype.hasobject:
            return np.asarray(_unpickled(file))
    with archive.open(name) as file:
        return np.lib.format.read_array(file, allow_pickle=False)


def _unpickled(file: Any) -> Any:
    """One pickle from an open file, restricted in the same way."""
    return _Unpickler(file, encoding="latin1").load()
