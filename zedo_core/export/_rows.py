"""Rows in files of dense arrays (t, p, ...), written and read frame by frame to use memory only for the rows."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Shaped
from numpy import ndarray
from numpy.lib import format as npy

from zedo_core.storage.files import memory_limit, npy_header
from zedo_core.types import Rows


def write_rows(file: Any, people: Rows, values: Shaped[ndarray, "n *d"], absent: Any) -> None:
    """Write values of the rows as an npy array (t, p, *d), with `absent` where a person has no row."""
    frames, ids = len(people.frame_numbers), people.track_ids
    shape = (len(ids), *values.shape[1:])
    head = {"descr": npy.dtype_to_descr(values.dtype), "fortran_order": False, "shape": (frames, *shape)}
    npy.write_array_header_1_0(file, head)
    person = np.searchsorted(ids, people.track)
    for t in range(frames):
        rows = people.at(t)
        frame = np.full(shape, absent, values.dtype)
        frame[person[rows]] = values[rows]
        file.write(frame.tobytes())


def read_rows(path: Path, names: Iterable[str], present: Bool[ndarray, "t p"]) -> dict[str, Shaped[ndarray, "n ..."]]:
    """The entries of arrays (t, p, *d) in an npz where `present`; ValueError when one is damaged or missing."""
    max_bytes = memory_limit(path.stat().st_size)
    arrays = {}
    try:
        with zipfile.ZipFile(path) as archive:
            for name in names:
                entry = archive.getinfo(f"{name}.npy")
                with archive.open(entry) as file:
                    arrays[name] = _read_present(file, name, present, min(max_bytes, entry.file_size))
    except Exception as error:  # zip, zlib and numpy raise many kinds of exceptions for damaged files
        raise ValueError(str(error) or type(error).__name__) from None
    return arrays


def _read_present(file: Any, name: str, present: Bool[ndarray, "t p"], max_bytes: int) -> Shaped[ndarray, "n *d"]:
    """The entries of one array; ValueError before more than `max_bytes` are allocated."""
    shape, is_fortran, dtype = npy_header(file)
    if shape[:2] != present.shape or dtype.kind != "f":
        raise ValueError(f"{name} is {dtype} of shape {shape}, people and frames are {present.shape}")
    row_bytes, count = math.prod(shape[2:]) * dtype.itemsize, np.count_nonzero(present)
    if row_bytes * (present.size if is_fortran else max(present.shape[1], count)) > max_bytes:
        raise ValueError(f"{name} declares {dtype} of shape {shape}, which exceeds its content")
    if is_fortran:  # numpy stores some arrays in this order
        return np.frombuffer(file.read(row_bytes * present.size), dtype).reshape(shape, order="F")[present]
    rows, done = np.empty((count, *shape[2:]), dtype), 0
    for in_frame in present:
        frame = np.frombuffer(file.read(row_bytes * len(in_frame)), dtype).reshape(len(in_frame), *shape[2:])
        rows[done : done + np.count_nonzero(in_frame)] = frame[in_frame]
        done += np.count_nonzero(in_frame)
    return rows
