"""True poses to compare a result with, from a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from zedo_core.errors import InputError
from zedo_core.export import load
from zedo_core.storage.files import load_array_or_arrays
from zedo_core.types import Poses, same_rows


def read_truth(path: Path, poses: Poses, rows: Int[ndarray, " n"]) -> Float[ndarray, "n j 3"]:
    """The truth of some rows in metres in camera axes, NaN where it is not known.

    `path` is a result of the same joints, whose people and frames have the same numbers; or an npy, or an npz with
    `joints`, of shape (t, j, 3) for the person of the rows, in which frame i has the number i. InputError for another
    joint set or shape, FormatError for other files.
    """
    if path.suffix.lower() == ".json":
        return _of_result(load(path), path, poses, rows)
    what = f"joints (frame, {len(poses.skeleton)}, 3) in metres in camera axes"
    arrays = load_array_or_arrays(path, "joints", what)
    if "schema" in arrays:
        return _of_result(load(path), path, poses, rows)
    joints = arrays.get("joints", np.zeros(0))
    if joints.ndim != 3 or joints.shape[1:] != (len(poses.skeleton), 3) or joints.dtype.kind != "f":
        raise InputError(f"{path}: expected {what} of {poses.skeleton.name}, found {joints.shape} {joints.dtype}")
    number = poses.frame_numbers[poses.frame[rows]]
    known = number < len(joints)
    return np.where(known[:, None, None], joints[np.where(known, number, 0)], np.nan)


def _of_result(truth: Poses, path: Path, poses: Poses, rows: Int[ndarray, " n"]) -> Float[ndarray, "n j 3"]:
    if truth.skeleton != poses.skeleton:
        raise InputError(f"{path}: expected poses of {poses.skeleton.name}, found {truth.skeleton.name}")
    found = np.full((len(rows), len(poses.skeleton), 3), np.nan)
    mine, theirs = same_rows(poses.take(rows), truth)
    found[mine] = truth.best[theirs]
    return found
