"""Motion capture as Parquet: a row a frame with `positions`, the j x 3 coordinates in metres with y up.

Columns besides, all optional: `sequence`, whose value changes where another sequence begins; `fps` and `split` of it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy import ndarray

from zedo_core.errors import FormatError
from zedo_core.storage.files import memory_limit

_MAGIC = b"PAR1"
_COLUMNS = ("positions", "sequence", "fps", "split")


def is_parquet(path: Path) -> bool:
    """Whether the file begins as Parquet."""
    with open(path, "rb") as file:
        return file.read(len(_MAGIC)) == _MAGIC


def group_sizes(path: Path) -> tuple[int, ...]:
    """The number of frames in each row group; FormatError for a damaged file."""
    metadata = _open(path).metadata
    return tuple(metadata.row_group(group).num_rows for group in range(metadata.num_row_groups))


def read_arrays(path: Path, group: int | None = None) -> dict[str, ndarray]:
    """The arrays of the same motion capture as an npz, of all frames or those of a row group; FormatError otherwise."""
    file = _open(path)
    names = [name for name in _COLUMNS if name in file.schema_arrow.names]
    if "positions" not in names:
        raise FormatError(
            f"{path}: expected a column 'positions' of lists of joints in metres, found "
            f"{', '.join(file.schema_arrow.names) or 'no column'}"
        )
    try:
        table = file.read(names) if group is None else file.read_row_group(group, names)
        columns = {name: table.column(name) for name in names}
        values = _rows_of(columns["positions"].combine_chunks())
        others = {name: columns[name].to_numpy() for name in names[1:]}
    except Exception:  # damaged pages, lists of several lengths, and columns of other types
        raise FormatError(
            f"{path}: expected 'positions' as a list of as many numbers in each row, three for each joint, cannot read "
            "them"
        ) from None
    label = others.get("sequence", np.zeros(len(values), int))
    starts = np.flatnonzero(np.append(True, label[1:] != label[:-1])) if len(values) else np.zeros(0, int)
    arrays = {"positions": values, "offsets": np.append(starts, len(values)), "names": label[starts].astype(str)}
    for name in {"fps", "split"} & set(others):
        values = others[name][starts]
        arrays[name] = values.astype(str) if values.dtype.kind == "O" else values
    return arrays


def _rows_of(lists) -> ndarray:
    """Values (n, j, 3) from lists of numbers, or of lists of three; ValueError when they differ in length."""
    from pyarrow import compute

    n = len(lists)
    while "list" in str(lists.type):
        if len(compute.call_function("list_value_length", [lists]).unique()) > 1:
            raise ValueError("lists of several lengths")
        lists = lists.flatten()
    return lists.to_numpy(zero_copy_only=False).reshape(n, -1, 3)


def _open(path: Path):
    from pyarrow.parquet import ParquetFile

    try:
        file = ParquetFile(path, memory_map=True)
    except Exception:  # pyarrow has many kinds of exceptions
        raise FormatError(f"{path}: expected a Parquet file of motion capture, cannot read it") from None
    unpacked = sum(file.metadata.row_group(group).total_byte_size for group in range(file.metadata.num_row_groups))
    if unpacked > memory_limit(path.stat().st_size):
        raise FormatError(f"{path}: unpacked it would be {unpacked >> 20} MiB, which a file of its size does not hold")
    return file
