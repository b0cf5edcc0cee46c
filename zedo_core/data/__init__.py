"""Data sets: one file each with `load(root, split, input) -> Samples` for those that can be evaluated on."""

from zedo_core.data._samples import Samples

__all__ = ["Samples"]
