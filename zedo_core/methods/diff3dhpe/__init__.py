"""Diff3DHPE: a conditional diffusion lifter over sequences, with a MixSTE network and GRAND attention (ICCV-W 2023)."""

from zedo_core.methods.diff3dhpe.method import METHOD
from zedo_core.methods.diff3dhpe.options import PRESETS, DiffOptions, preset

__all__ = ["METHOD", "PRESETS", "DiffOptions", "preset"]
