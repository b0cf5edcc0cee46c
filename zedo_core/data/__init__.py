"""Data sets: one file each, with `load(root, split, input) -> Samples` for those used in evaluation."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from zedo_core.data._samples import Samples
from zedo_core.errors import InputError

__all__ = ["DATASETS", "Samples", "load_samples"]

# The name of each data set and of its module.
DATASETS = {
    "h36m": "h36m",
    "3dpw": "pw3d",
    "3dhp": "mpi_inf_3dhp",
    "ski": "skipose",
    "mocap": "mocap_clips",
}


def load_samples(dataset: str, root: Path | None, split: str = "test", input: str = "gt", seed: int = 0) -> Samples:
    """Read a data set by name; `seed` is used for the cameras of motion capture.

    InputError for an unknown data set or a missing folder, FormatError when files are not valid.
    """
    if dataset not in DATASETS:
        raise InputError(f"no data set '{dataset}'; expected one of {', '.join(DATASETS)}")
    load = import_module(f"zedo_core.data.{DATASETS[dataset]}").load
    if dataset == "mocap":
        return load(root, split, input, seed=seed)
    if root is None:
        raise InputError(f"{dataset} is not part of the package; give the path of your copy by --data DIR")
    return load(Path(root), split, input)
