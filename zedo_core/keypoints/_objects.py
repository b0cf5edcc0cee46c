"""An npz of Python objects, read without executing what is in it: arrays and plain containers alone."""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy import ndarray

from zedo_core.errors import FormatError

# (module, name) of all that a pickled array refers to, in old and new numpy.
_ADMITTED = {
    *((f"numpy.{core}.multiarray", name) for core in ("core", "_core") for name in ("_reconstruct", "scalar")),
    *((f"numpy.{core}.numeric", "_frombuffer") for core in ("core", "_core")),
    *(("numpy", name) for name in ("ndarray", "dtype")),
    ("_codecs", "encode"),
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ADMITTED and not (module == "numpy.dtypes" and name.endswith("DType")):
            raise pickle.UnpicklingError(f"it refers to {module}.{name}")
        return super().find_class(module, name)


def array_names(path: Path) -> list[str]:
    """Names of the arrays of an npz; none when it is damaged."""
    try:
        with zipfile.ZipFile(path) as archive:
            return [name.removesuffix(".npy") for name in archive.namelist()]
    except Exception:  # the reader that comes next says what is wrong
        return []


def load_objects(path: Path) -> dict[str, ndarray]:
    """The arrays of an npz, those of objects among them; FormatError for anything but arrays and plain containers."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if name.endswith(".npy")]
            return {name.removesuffix(".npy"): _array(archive, name) for name in names}
    except Exception as error:  # damage makes zipfile, numpy and pickle raise almost any of them
        reason = str(error) or type(error).__name__
        raise FormatError(f"{path}: expected an npz of arrays and plain containers alone, refused ({reason})") from None


def _array(archive: zipfile.ZipFile, name: str) -> ndarray:
    with archive.open(name) as file:
        version = np.lib.format.read_magic(file)
        read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        if read_header(file)[2].hasobject:
            return np.asarray(_Unpickler(file, encoding="latin1").load())
    with archive.open(name) as file:
        return np.lib.format.read_array(file, allow_pickle=False)
