"""ERD: lifting networks and explicit residual descent (BMVC 2020)."""

from zedo_core.methods.erd.method import METHOD
from zedo_core.methods.erd.options import PRESETS, ErdOptions, preset

__all__ = ["METHOD", "PRESETS", "ErdOptions", "preset"]
