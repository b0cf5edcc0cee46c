"""Common parts of the data set readers: HDF5 with clear errors, checks of options, and descriptions for errors."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy import ndarray

from zedo_core.errors import FormatError, InputError

# Names of files and fields that identify data sets; those that end in an underscore are prefixes. The name in zedo is
# in parentheses.
_KNOWN_NAMES = {
    "Human3.6M ('h36m')": ("h36m_", "data_3d_h36m_", "data_3d_h36m.npz", "positions_3d", "joint_3d_image", "S9", "S11"),
    "3DPW ('3dpw')": ("pw3d_", "sequenceFiles", "keypoints3d17_relative", "jointPositions"),
    "MPI-INF-3DHP ('3dhp')": ("mpii3d_", "TS1", "TS5", "annot_data.mat", "annot3", "joint_2d"),
    "SkiPose ('ski')": ("ski_", "cam_intrinsic"),
    "motion capture ('mocap')": ("mocap_", "retargeted"),
}

_FREE_BYTES = 2**30  # that any array may take
_MAX_RATIO = 100  # beyond that, to its stored size: unwritten chunks are not stored

ZIP, HDF5, MATLAB = b"PK\x03\x04", b"\x89HDF", b"MATLAB 7.3"  # first bytes of npz, HDF5, and HDF5 written by MATLAB


def starts_with(path: Path, magic: bytes) -> bool:
    """Whether a file begins with these bytes; FormatError when it cannot be read."""
    try:
        with open(path, "rb") as file:
            return file.read(len(magic)) == magic
    except OSError as error:
        raise FormatError(f"{path}: cannot be read ({error.strerror}); expected a file of a data set") from None


def read_hdf5(path: Path, names: Collection[str]) -> dict[str, ndarray]:
    """The arrays with these names (`group/name` for those in groups) of an HDF5 file, axes as stored.

    FormatError when the file is missing, damaged or not HDF5, or lacks one of the numeric arrays.
    """
    import h5py  # here, since it imports slowly and few data sets need it

    if not path.is_file():
        raise FormatError(f"{path}: no such file; expected HDF5 with {', '.join(names)}")
    arrays = {}
    try:
        with h5py.File(path, "r") as file:
            found = [str(name) for name in file]  # names that are not texts are bytes
            for name in names:
                entry = file[name] if _is_in_file(file, name) else None
                if isinstance(entry, h5py.Dataset) and entry.dtype.kind in "fiub":
                    _check_storage(name, entry)
                    arrays[name] = np.asarray(entry[()])
    except Exception as error:  # damage makes h5py raise almost any exception
        raise FormatError(f"{path}: expected HDF5, cannot read it ({error}); download the file again") from None
    missing = [name for name in names if name not in arrays]
    if missing:
        raise FormatError(f"{path}: expected numeric arrays {', '.join(missing)}, found {summarize(found)}")
    return arrays


def _is_in_file(file: Any, name: str) -> bool:
    """Whether a name exists and no part of its path is a link to another file."""
    import h5py

    parts = name.split("/")
    prefixes = ["/".join(parts[: i + 1]) for i in range(len(parts))]
    return all(
        prefix in file and not isinstance(file.get(prefix, getlink=True), h5py.ExternalLink) for prefix in prefixes
    )


def _check_storage(name: str, entry: Any) -> None:
    """ValueError for an array whose values are in other files, or that is far larger than its stored size."""
    if entry.is_virtual or entry.external:
        raise ValueError(f"'{name}' is stored in another file")
    if entry.nbytes > max(_FREE_BYTES, _MAX_RATIO * entry.id.get_storage_size()):
        raise ValueError(
            f"'{name}' claims to be {entry.dtype} of shape {entry.shape}, which is far more than it stores"
        )


def summarize(names: Iterable[str]) -> str:
    """The first names, and the data set that they belong to if it is known; for an error message."""
    names = sorted(map(str, names))  # keys of a pickle may have any type
    text = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "") or "nothing"
    datasets = [dataset for dataset, known in _KNOWN_NAMES.items() if any(_is_known(name, known) for name in names)]
    return text + (f": this looks like {' and '.join(datasets)}" if datasets else "")


def _is_known(name: str, known: tuple[str, ...]) -> bool:
    return name in known or name.startswith(tuple(prefix for prefix in known if prefix.endswith("_")))


def summarize_folder(folder: Path) -> str:
    """The content of a folder, for an error message."""
    try:
        return summarize(path.name for path in folder.iterdir())
    except OSError as error:
        return f"no readable folder ({error.strerror})"


def check_options(name: str, split: str, splits: tuple[str, ...], input: str) -> None:
    """InputError for a split or input that is not available in a data set with only true 2D."""
    if split not in splits:
        raise InputError(f"{name}: split '{split}' is not known; expected {' or '.join(splits)}")
    if input == "detected":
        raise InputError(f"{name}: the data set has no detections; expected the input 'gt', got 'detected'")
    if input != "gt":
        raise InputError(f"{name}: input '{input}' is not known; expected 'gt', the true 2D")


def floats(path: Path, name: str, values: Any, shape: tuple[int | None, ...]) -> ndarray:
    """An array of a file in float64, with NaN for values that are not finite.

    FormatError unless it has this shape, in which None stands for any size.
    """
    wanted = str(shape).replace("None", "n")
    try:
        array = np.asarray(values, float)
    except (TypeError, ValueError, OverflowError):
        raise FormatError(f"{path}: expected '{name}' to be numbers of shape {wanted}, found other objects") from None
    if array.ndim != len(shape) or any(
        size not in (None, found) for size, found in zip(shape, array.shape, strict=True)
    ):
        raise FormatError(f"{path}: expected '{name}' of shape {wanted}, found {array.shape}")
    return np.where(np.isfinite(array), array, np.nan)
