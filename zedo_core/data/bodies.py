"""Single poses from a file: results of `zedo infer`, or plain arrays with NaN where a joint is missing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from zedo_core.errors import FormatError
from zedo_core.skeleton import Skeleton
from zedo_core.storage.files import load_array_or_arrays

_NAMES = ("poses", "joints")
_MAX_M = 100.0


def load_bodies(path: Path, skeleton: Skeleton) -> Float[ndarray, "n j 3"]:
    """Poses in camera axes in metres, relative to the root, NaN where a joint is missing.

    From an npy (n, j, 3), an npz with `poses` (n, j, 3), or the `poses.npz` of a result, from which the chosen
    hypotheses of all people are used. FormatError for anything else.
    """
    arrays = load_array_or_arrays(path, "poses", "poses")
    name = next((name for name in _NAMES if name in arrays), None)
    if name is None:
        raise FormatError(
            f"{path}: expected an array 'poses' (n, {len(skeleton)}, 3), found {', '.join(arrays) or 'nothing'}"
        )
    poses = arrays[name]
    if poses.ndim == 5 and "chosen" in arrays and arrays["chosen"].shape == poses.shape[:2]:
        chosen = arrays["chosen"]
        people = np.nonzero((chosen >= 0) & (chosen < poses.shape[2]))
        poses = poses[(*people, chosen[people])]
    if poses.dtype.kind not in "fiu" or poses.ndim != 3 or poses.shape[1:] != (len(skeleton), 3) or not len(poses):
        raise FormatError(
            f"{path}: expected '{name}' (n, {len(skeleton)}, 3) in the joints of {skeleton.name}, found {poses.shape}"
        )
    poses = np.where(np.isfinite(poses).all(-1, keepdims=True), poses.astype(np.float32), np.nan)
    relative = poses - poses[:, [skeleton.root]]
    if np.isnan(poses[:, skeleton.root]).any():
        raise FormatError(
            f"{path}: expected every pose to have its {skeleton.joints[skeleton.root]}, to which the others are "
            f"relative, found {int(np.isnan(poses[:, skeleton.root, 0]).sum())} without; leave those out"
        )
    if (largest := float(np.nanmax(np.abs(relative)))) > _MAX_M:
        raise FormatError(f"{path}: expected metres, found joints {largest:.0f} from the root; divide by 1000")
    return relative
