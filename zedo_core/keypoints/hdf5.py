"""HDF5 of SLEAP (analysis files) and DeepLabCut (tables that pandas wrote), read without pandas."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy import ndarray

from zedo_core.errors import FormatError
from zedo_core.keypoints._named import keypoints_by_name, numbers_of
from zedo_core.keypoints._source import Source
from zedo_core.keypoints.deeplabcut import keypoints_of_columns
from zedo_core.storage.pickles import load_plain
from zedo_core.types import Keypoints

FORM = "HDF5 of SLEAP and DeepLabCut, tracks and node_names or df_with_missing"

_FREE_BYTES = 2**30  # that any array may take
_MAX_RATIO = 100  # beyond that, to its stored size
_SLEAP = ("tracks", "node_names", "track_names", "point_scores")


def reads(source: Source) -> bool:
    """Whether the source is HDF5; which kind, and whether it can be used, is found when it is read."""
    return source.hdf5


def read(source: Source) -> Keypoints:
    """The people of a file; FormatError when it is neither of the two kinds, or damaged."""
    import h5py  # here, since it imports slowly

    try:
        with h5py.File(source.path, "r") as file:
            if "tracks" in file and "node_names" in file:
                arrays = {name: _array(file, name) for name in _SLEAP if name in file}
            else:
                arrays = {}
            table = None if arrays else _pandas_table(file)
            found = ", ".join(map(str, list(file)[:8])) or "nothing"
    except FormatError:
        raise
    except Exception as error:  # damage makes h5py raise almost any exception
        raise FormatError(f"{source.path}: expected HDF5, cannot read it ({error or type(error).__name__})") from None
    if arrays:
        return _sleap(source, arrays)
    if table is None:
        raise FormatError(
            f"{source.path}: expected HDF5 of SLEAP (tracks, node_names) or DeepLabCut (df_with_missing), found {found}"
            "; write keypoints as npz, or give a data set to 'zedo eval --data'"
        )
    values, columns, frames = table
    return keypoints_of_columns(source, values, columns, numbers_of(frames, source))


def _array(file: Any, name: str) -> ndarray:
    """An array of the file itself, not far larger than what is stored of it."""
    import h5py

    parts = name.split("/")
    for i in range(len(parts)):
        link = file.get("/".join(parts[: i + 1]), getlink=True)
        if isinstance(link, h5py.ExternalLink):
            raise ValueError(f"'{name}' is in another file")
    entry = file[name]
    if not isinstance(entry, h5py.Dataset) or entry.is_virtual or entry.external:
        raise ValueError(f"'{name}' is no array of this file")
    if entry.nbytes > max(_FREE_BYTES, _MAX_RATIO * entry.id.get_storage_size()):
        raise ValueError(f"'{name}' claims to be {entry.dtype} of shape {entry.shape}, far more than it stores")
    return np.asarray(entry[()])


def _sleap(source: Source, arrays: dict[str, ndarray]) -> Keypoints:
    """Tracks (track, 2, node, frame), or with reversed axes as sleap-io writes them as well."""
    names = _texts(arrays["node_names"])
    tracks, scores = arrays["tracks"], arrays.get("point_scores")
    k = len(names)
    labels = _texts(arrays["track_names"]) if "track_names" in arrays else []
    reversed_axes = tracks.ndim == 4 and tracks.shape[1:3] == (2, k)
    if tracks.ndim == 4 and tracks.shape[2:] == (k, 2) and (not reversed_axes or tracks.shape[1] == len(labels)):
        values = tracks
    elif reversed_axes:
        values = tracks.transpose(3, 0, 2, 1)
    else:
        raise FormatError(f"{source.path}: tracks: expected (track, 2, {k}, frame), found {tracks.shape}")
    if values.dtype.kind not in "fiu":
        raise FormatError(f"{source.path}: tracks: expected numbers, found {values.dtype}")
    t, p = values.shape[:2]
    rows = np.full((t, p, k, 3), np.nan)
    rows[..., :2] = values
    if scores is not None and scores.dtype.kind == "f" and scores.shape in ((p, k, t), (t, p, k)):
        rows[..., 2] = scores.transpose(2, 0, 1) if scores.shape == (p, k, t) else scores
    ids: list[Any] = labels if len(labels) == p else list(range(1, p + 1))
    rows[~np.isfinite(rows[..., :2]).all(-1), 2] = 0.0
    frames = np.repeat(np.arange(t), p)
    return keypoints_by_name(source, rows.reshape(t * p, k, 3), names, frames, range(t), ids * t)


def _texts(array: ndarray) -> list[str]:
    return [str(_text(entry)) for entry in array.ravel().tolist()]


_Table = tuple[ndarray, list[tuple[str, str, str]], list[str]]


def _pandas_table(file: Any) -> _Table | None:
    """Values, columns (individual, body part, coordinate) and frames of the first table that pandas wrote."""
    import h5py

    groups: dict[str, Any] = {name: group for name, group in file.items() if isinstance(group, h5py.Group)}
    for name, group in groups.items():
        if "table" in group:
            table = _array(file, f"{name}/table")
            names = group["table"].dtype.names or ()
            block = next((field for field in names if field.startswith("values_block")), None)
            stored = group["table"].attrs.get(f"{block}_kind")
            if block is None or "index" not in names or stored is None:
                continue
            columns, frames = _columns(_unpickled(stored)), [str(_text(entry)) for entry in table["index"].tolist()]
            return np.asarray(table[block], float), columns, frames
        if "block0_values" in group and "axis0_level0" in group:
            levels = sorted(key for key in group if key.startswith("axis0_level"))
            labels = [_texts(_array(file, f"{name}/{level}")) for level in levels]
            places = [_array(file, f"{name}/{level.replace('level', 'label')}") for level in levels]
            columns = _columns(
                [tuple(labels[i][int(p)] for i, p in enumerate(row)) for row in zip(*places, strict=True)]
            )
            values = np.asarray(_array(file, f"{name}/block0_values"), float)
            return values, columns, _index(file, name, group, len(values))
    return None


def _index(file: Any, name: str, group: Any, count: int) -> list[str]:
    """Frames or names of pictures; of an index of several levels, folder and picture, the last."""
    if "axis1" in group:
        return _texts(_array(file, f"{name}/axis1"))
    levels = sorted(key for key in group if key.startswith("axis1_level"))
    if not levels:
        return [str(i) for i in range(count)]
    texts = _texts(_array(file, f"{name}/{levels[-1]}"))
    return [texts[int(place)] for place in _array(file, f"{name}/{levels[-1].replace('level', 'label')}")]


def _columns(tuples: Any) -> list[tuple[str, str, str]]:
    """(individual, body part, coordinate) from DeepLabCut's (scorer, [individual,] body part, coordinate)."""
    columns = [tuple(map(str, entry)) for entry in tuples]
    if not columns or any(len(entry) not in (3, 4) for entry in columns):
        raise ValueError("its columns are not scorer, bodypart and coordinate")
    return [(entry[1] if len(entry) == 4 else "", entry[-2], entry[-1]) for entry in columns]


def _unpickled(stored: Any) -> Any:
    content = (
        stored
        if isinstance(stored, bytes)
        else bytes(stored)
        if not isinstance(stored, str)
        else stored.encode("latin1")
    )
    return load_plain(io.BytesIO(content))


def _text(entry: Any) -> Any:
    return entry.decode("utf-8", "replace") if isinstance(entry, bytes) else entry
