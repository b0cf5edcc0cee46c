"""The fields of the files in a folder, found without reading the files completely."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from pathlib import Path

from zedo_core.data._hdf5 import ZIP, starts_with, summarize, summarize_folder

_SUFFIXES = (".pkl", ".pickle", ".npz", ".h5", ".hdf5", ".mat")
_HEAD = 65536  # bytes of a pickle that include the keys of its first entry
# Keys that identify the pickles of this and of other data sets.
_PICKLE_KEYS = ("joint_3d_camera", "joint_3d_image", "joint3d_image", "joint_2d", "jointPositions", "poses2d")
_MAX_LISTED = 6


def fields(path: Path) -> frozenset[str]:
    """The names of the arrays of an npz, of the groups of an HDF5, or the known keys of a pickle; empty otherwise."""
    import h5py  # here, since it imports slowly and few data sets need it

    try:
        if starts_with(path, ZIP):
            with zipfile.ZipFile(path) as archive:
                return frozenset(name.removesuffix(".npy") for name in archive.namelist())
        if h5py.is_hdf5(path):
            with h5py.File(path, "r") as file:
                return frozenset(map(str, file))  # names that are not texts are bytes
        with open(path, "rb") as file:
            head = file.read(_HEAD)
    except Exception:  # reading the file later reports the problem
        return frozenset()
    return frozenset(key for key in _PICKLE_KEYS if key.encode() in head)


def files_in_folder(root: Path, suffixes: tuple[str, ...] = _SUFFIXES) -> list[Path]:
    """The files with one of these suffixes in a folder, or in the folder of a file."""
    folder = root if root.is_dir() else root.parent
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in suffixes and path.is_file())


def files_with_fields(root: Path, *names: str) -> list[Path]:
    """The files with all these fields: only `root` if it is one, else those in its folder."""
    if root.is_file() and fields(root).issuperset(names):
        return [root]
    return [path for path in files_in_folder(root) if fields(path).issuperset(names)]


def describe(root: Path) -> str:
    """The content of a file or of the files in a folder, for an error message."""
    if root.is_file():
        return _describe_files([root])
    if not root.is_dir():
        return "no such file or folder"
    return _describe_files(files_in_folder(root)) or summarize_folder(root)


def shorten(names: Iterable[object]) -> str:
    """The first names, for an error message."""
    texts = [str(name)[:40] for name in names]
    return ", ".join(texts[:_MAX_LISTED]) + (" and more" if len(texts) > _MAX_LISTED else "") or "nothing"


def _describe_files(paths: Iterable[Path]) -> str:
    paths = list(paths)
    texts = [f"{path.name} ({_describe_fields(path)})" for path in paths[:_MAX_LISTED]]
    if len(paths) > _MAX_LISTED:
        texts.append(f"{len(paths) - _MAX_LISTED} more")
    return ", ".join(texts)


def _describe_fields(path: Path) -> str:
    names = fields(path)
    return f"with {summarize(names)}" if names else "damaged or in an unknown format"
