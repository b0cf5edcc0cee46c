"""ZeDO: zero-shot diffusion-based optimisation for 3D pose estimation (arXiv 2307.03833)."""

from zedo_core.methods.zedo.method import METHOD
from zedo_core.methods.zedo.options import PRESETS, ZedoOptions, preset

__all__ = ["METHOD", "PRESETS", "ZedoOptions", "preset"]
