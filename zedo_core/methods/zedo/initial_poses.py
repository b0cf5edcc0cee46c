"""Sets of initial poses of different sizes, stored as `clusters.npz` or the official `.npy`.

The file holds one array (S, j, 3) in metres for each size S, in the joints of the `prior.json` in the same folder.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor

from zedo_core.errors import InputError, WeightsError
from zedo_core.methods.zedo.official import reason_of
from zedo_core.methods.zedo.prior import skeleton_of_folder
from zedo_core.skeleton import Skeleton
from zedo_core.storage.files import atomic_write, check_sizes

INITIAL_POSES_FILE = "clusters.npz"


def load_initial_poses(path: str | Path) -> dict[int, Float[ndarray, "s j 3"]]:
    """Read sets of initial poses, by size, from a weights folder, its `clusters.npz`, or an official `.npy` file.

    They are in the joint set of the `prior.json` in the same folder, in h36m-17 without one. The result is relative
    to the root. WeightsError when a shape is wrong or a value is not finite.
    """
    path = Path(path)
    file = path / INITIAL_POSES_FILE if path.is_dir() else path
    skeleton = skeleton_of_folder(file.parent)
    arrays = _read_arrays(file)
    if not arrays:
        raise WeightsError(f"{file}: expected initial poses, found no array; make them with 'zedo train clusters'")
    for name in arrays:
        if not (name.isascii() and name.isdecimal()):
            raise WeightsError(
                f"{file}: expected arrays named after their number of poses, such as '10', found '{name}'"
            )
    return {len(poses): poses for poses in (_relative_to_root(file, array, skeleton) for array in arrays.values())}


def save_initial_poses(folder: Path, sets: Mapping[int, Float[ndarray, "s j 3"]]) -> None:
    """Write `clusters.npz` into `folder`."""
    arrays: dict[str, Any] = {str(size): poses.astype(np.float32) for size, poses in sets.items()}
    with atomic_write(folder / INITIAL_POSES_FILE) as partial:
        np.savez_compressed(partial, **arrays)


def poses_for(sets: Mapping[int, Float[Tensor, "s j 3"]], count: int) -> Float[Tensor, "count j 3"]:
    """`count` initial poses: the set of that size, or a diverse subset of the next larger one."""
    larger = sorted(size for size in sets if size >= count)
    if not larger:
        raise InputError(f"expected at most {max(sets)} initial poses with these weights, got {count}")
    poses = sets[larger[0]]
    return poses if len(poses) == count else poses[_farthest_first(poses, count)]


def bone_length(poses: Float[Tensor, "*b j 3"], skeleton: Skeleton) -> Float[Tensor, "*b"]:
    """Sum of the lengths of all bones in metres, the measure of body size."""
    bones = [poses[..., child, :] - poses[..., parent, :] for child, parent in skeleton.edges]
    return torch.stack(bones, dim=-2).norm(dim=-1).sum(-1)


def _farthest_first(poses: Float[Tensor, "s j 3"], count: int) -> Int[Tensor, " count"]:
    """Farthest-point selection: each next pose is the one farthest from those already selected."""
    flat = poses.flatten(1)
    selected = [int((flat - flat.mean(0)).norm(dim=1).argmin())]
    nearest = (flat - flat[selected[0]]).norm(dim=1)
    while len(selected) < count:
        selected.append(int(nearest.argmax()))
        nearest = torch.minimum(nearest, (flat - flat[selected[-1]]).norm(dim=1))
    return torch.tensor(selected, device=poses.device)


def _read_arrays(file: Path) -> dict[str, ndarray]:
    """The arrays of an npz file by name; that of an npy file is named 0."""
    try:
        with open(file, "rb") as opened:
            check_sizes(opened)
            content = np.load(opened, allow_pickle=False)
            if isinstance(content, ndarray):
                return {"0": content}
            return {name: np.asarray(content[name]) for name in content.files}
    except FileNotFoundError:
        raise WeightsError(f"{file}: no such file; make the initial poses with 'zedo train clusters'") from None
    except Exception as error:  # numpy raises many kinds of exceptions for damaged files
        raise WeightsError(f"{file}: expected initial poses, cannot read them ({reason_of(error)})") from None


def _relative_to_root(file: Path, poses: ndarray, skeleton: Skeleton) -> Float[ndarray, "s j 3"]:
    j = len(skeleton)
    if poses.ndim != 3 or poses.shape[1:] != (j, 3) or len(poses) == 0 or poses.dtype.kind != "f":
        raise WeightsError(
            f"{file}: expected initial poses of shape (S, {j}, 3) in metres in the joints of {skeleton.name}, got "
            f"{poses.dtype} {poses.shape}"
        )
    if not np.isfinite(poses).all() or np.abs(poses).max() > 10:
        raise WeightsError(f"{file}: expected poses in metres, found values that are not finite or exceed 10 m")
    return (poses - poses[:, [skeleton.root]]).astype(np.float32)
