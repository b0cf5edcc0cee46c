"""What the files of a folder hold, told from their content without reading them whole."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from pathlib import Path

from zedo_core.data._hdf5 import ZIP, listed, listed_folder, starts_with

_SUFFIXES = (".pkl", ".pickle", ".npz", ".h5", ".hdf5", ".mat")
_HEAD = 65536  # bytes of a pickle; the keys of its first entry stand in them
# Keys by which the pickles of this and of other data sets are known.
_PICKLE_KEYS = ("joint_3d_camera", "joint_3d_image", "joint3d_image", "joint_2d", "jointPositions", "poses2d")
_MOST_LISTED = 6


def fields(path: Path) -> frozenset[str]:
    """Names of the arrays of an npz, of the groups of an HDF5, and known keys of a pickle; empty for anything else."""
    import h5py  # here, since it loads slowly and few data sets need it

    try:
        if starts_with(path, ZIP):
            with zipfile.ZipFile(path) as archive:
                return frozenset(name.removesuffix(".npy") for name in archive.namelist())
        if h5py.is_hdf5(path):
            with h5py.File(path, "r") as file:
                return frozenset(map(str, file))  # one that is no text comes as bytes
        with open(path, "rb") as file:
            head = file.read(_HEAD)
    except Exception:  # a file that cannot be read holds nothing; whoever needs it says so
        return frozenset()
    return frozenset(key for key in _PICKLE_KEYS if key.encode() in head)


def files_beside(root: Path, suffixes: tuple[str, ...] = _SUFFIXES) -> list[Path]:
    """The files of a folder, or of that which a file lies in, with one of these endings."""
    folder = root if root.is_dir() else root.parent
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in suffixes and path.is_file())


def holding(root: Path, *names: str) -> list[Path]:
    """The files with all these fields: `root` alone when it is one, else those of its folder."""
    if root.is_file() and fields(root).issuperset(names):
        return [root]
    return [path for path in files_beside(root) if fields(path).issuperset(names)]


def described(root: Path) -> str:
    """What a file or the files of a folder hold, for an error."""
    if root.is_file():
        return _described([root])
    if not root.is_dir():
        return "no such file or folder"
    return _described(files_beside(root)) or listed_folder(root)


def first_of(names: Iterable[object]) -> str:
    """Some names, for an error."""
    texts = [str(name)[:40] for name in names]
    return ", ".join(texts[:_MOST_LISTED]) + (" and more" if len(texts) > _MOST_LISTED else "") or "nothing"


def _described(paths: Iterable[Path]) -> str:
    paths = list(paths)
    texts = [f"{path.name} ({_content(path)})" for path in paths[:_MOST_LISTED]]
    if len(paths) > _MOST_LISTED:
        texts.append(f"{len(paths) - _MOST_LISTED} more")
    return ", ".join(texts)


def _content(path: Path) -> str:
    names = fields(path)
    return f"with {listed(names)}" if names else "damaged or of no known form"
