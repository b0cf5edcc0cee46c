"""Of large arrays in an npz, the rows of people who are there, frame by frame."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Shaped
from numpy import ndarray

from zedo_core.storage.files import most_bytes, npy_header


def rows_of(path: Path, names: Iterable[str], present: Bool[ndarray, "t p"]) -> dict[str, Shaped[ndarray, "n *d"]]:
    """The rows of arrays (t, p, *d) where somebody is present; ValueError when one is damaged or not there."""
    most = most_bytes(path.stat().st_size)
    found = {}
    try:
        with zipfile.ZipFile(path) as archive:
            for name in names:
                entry = archive.getinfo(f"{name}.npy")
                with archive.open(entry) as file:
                    found[name] = _rows(file, name, present, min(most, entry.file_size))
    except Exception as error:  # zip, zlib and numpy answer damage with almost any of them
        raise ValueError(str(error) or type(error).__name__) from None
    return found


def _rows(file: Any, name: str, present: Bool[ndarray, "t p"], most: int) -> Shaped[ndarray, "n *d"]:
    """ValueError before there is room for more than `most` bytes."""
    shape, by_columns, dtype = npy_header(file)
    one = math.prod(shape[2:]) * dtype.itemsize
    if shape[:2] != present.shape or by_columns or dtype.kind != "f":
        raise ValueError(f"{name} is {dtype} of shape {shape}, of people in {present.shape}")
    if one * max(present.shape[1], np.count_nonzero(present)) > most:
        raise ValueError(f"{name} says that it is {dtype} of shape {shape}, which is far more than it has")
    rows, done = np.empty((np.count_nonzero(present), *shape[2:]), dtype), 0
    for there in present:
        frame = np.frombuffer(file.read(one * len(there)), dtype).reshape(-1, *shape[2:])
        rows[done : done + np.count_nonzero(there)] = frame[there]
        done += np.count_nonzero(there)
    return rows
