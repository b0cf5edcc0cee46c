"""ZeDO: zero-shot diffusion-based optimisation for 3D pose estimation (arXiv 2307.03833)."""

from zedo_core.methods.zedo.lifter import MAX_HYPOTHESES, ZedoLifter
from zedo_core.methods.zedo.options import PRESETS, ZedoOptions, preset

__all__ = ["MAX_HYPOTHESES", "PRESETS", "ZedoLifter", "ZedoOptions", "preset"]
