"""At the door of a data set: HDF5 with clear errors, the options, and what lies where something else was looked for."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy import ndarray

from zedo_core.errors import FormatError, InputError

# Files and fields by which data sets are known, the beginning of the name where it ends in an underscore;
# the word in brackets is what the set is called here.
_MARKS = {
    "Human3.6M ('h36m')": ("h36m_", "data_3d_h36m_", "data_3d_h36m.npz", "positions_3d", "joint_3d_image", "S9", "S11"),
    "3DPW ('3dpw')": ("pw3d_", "sequenceFiles", "keypoints3d17_relative", "jointPositions"),
    "MPI-INF-3DHP ('3dhp')": ("mpii3d_", "TS1", "TS5", "annot_data.mat", "annot3", "joint_2d"),
    "SkiPose ('ski')": ("ski_", "cam_intrinsic"),
    "motion capture ('mocap')": ("mocap_", "retargeted"),
}

_FREE_BYTES = 2**30  # that any array may have
_MOST_RATIO = 100  # beyond those, to what is stored of it: chunks that nobody wrote take no room

ZIP, HDF5, MATLAB = b"PK\x03\x04", b"\x89HDF", b"MATLAB 7.3"  # how npz, HDF5 and HDF5 written by MATLAB begin


def starts_with(path: Path, magic: bytes) -> bool:
    """Whether a file begins with these bytes."""
    try:
        with open(path, "rb") as file:
            return file.read(len(magic)) == magic
    except OSError as error:
        raise FormatError(f"{path}: cannot be read ({error.strerror}); expected a file of a data set") from None


def read_hdf5(path: Path, names: Collection[str]) -> dict[str, ndarray]:
    """The arrays of these names (`group/name` for those in groups) of an HDF5 file, axes as stored.

    FormatError when the file is missing, damaged or no HDF5, or has no array of numbers of such a name.
    """
    import h5py  # here, since it loads slowly and few data sets need it

    if not path.is_file():
        raise FormatError(f"{path}: no such file; expected HDF5 with {', '.join(names)}")
    arrays = {}
    try:
        with h5py.File(path, "r") as file:
            found = [str(name) for name in file]  # one that is no text comes as bytes
            for name in names:
                entry = file[name] if _is_own(file, name) else None
                if isinstance(entry, h5py.Dataset) and entry.dtype.kind in "fiub":
                    _check_stored(name, entry)
                    arrays[name] = np.asarray(entry[()])
    except Exception as error:  # damage makes h5py raise almost any of them
        raise FormatError(f"{path}: expected HDF5, cannot read it ({error}); fetch the file again") from None
    missing = [name for name in names if name not in arrays]
    if missing:
        raise FormatError(f"{path}: expected arrays of numbers {', '.join(missing)}, found {listed(found)}")
    return arrays


def _is_own(file: Any, name: str) -> bool:
    """Whether a name is there and no link on the way to it leads to another file of the machine."""
    import h5py

    parts = name.split("/")
    ways = ["/".join(parts[: i + 1]) for i in range(len(parts))]
    return all(way in file and not isinstance(file.get(way, getlink=True), h5py.ExternalLink) for way in ways)


def _check_stored(name: str, entry: Any) -> None:
    """ValueError for an array whose values lie in other files, or that is far larger than what is stored of it."""
    if entry.is_virtual or entry.external:
        raise ValueError(f"'{name}' is kept in another file")
    if entry.nbytes > max(_FREE_BYTES, _MOST_RATIO * entry.id.get_storage_size()):
        raise ValueError(
            f"'{name}' says that it is {entry.dtype} of shape {entry.shape}, which is far more than it has"
        )


def listed(names: Iterable[str]) -> str:
    """The first of some names, and the data set that they are known from; for an error."""
    names = sorted(map(str, names))  # keys of a pickle may be anything
    text = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "") or "nothing"
    whose = [known for known, marks in _MARKS.items() if any(_is_marked(name, marks) for name in names)]
    return text + (f": this looks like {' and '.join(whose)}" if whose else "")


def _is_marked(name: str, marks: tuple[str, ...]) -> bool:
    return name in marks or name.startswith(tuple(mark for mark in marks if mark.endswith("_")))


def listed_folder(folder: Path) -> str:
    """What lies in a folder, for an error."""
    try:
        return listed(path.name for path in folder.iterdir())
    except OSError as error:
        return f"no folder that can be read ({error.strerror})"


def check_options(name: str, split: str, splits: tuple[str, ...], input: str) -> None:
    """InputError for a split or an input that a data set with true 2D alone does not have."""
    if split not in splits:
        raise InputError(f"{name}: split '{split}' is not known; expected {' or '.join(splits)}")
    if input == "detected":
        raise InputError(f"{name}: input 'detected' is not to be had, the set has no detections; expected 'gt'")
    if input != "gt":
        raise InputError(f"{name}: input '{input}' is not known; expected 'gt', the true 2D")


def floats(path: Path, name: str, values: Any, shape: tuple[int | None, ...]) -> ndarray:
    """An array of a file in float64, values that are not finite as nan.

    FormatError unless it is of `shape`, in which None stands for any size.
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
