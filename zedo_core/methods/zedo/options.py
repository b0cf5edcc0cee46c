"""Every setting of ZeDO in one place, and the presets of the paper."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

from zedo_core.errors import InputError

ALL_JOINTS: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ZedoOptions:
    """Settings of the lifting. The defaults are the fast ones; `PRESETS` holds those of the paper.

    Sources: arXiv 2307.03833, sections 3.3 (initial pose optimiser, IPO) and 3.4 (optimiser in the
    loop, OIL). What the paper does not have is said.
    """

    # Optimiser in the loop
    iterations: int = 50  # network calls (paper: 1000)
    step: float = 0.012  # of the reverse SDE in each iteration (paper: 0.001)
    t_start: float = 0.1  # diffusion time of the first iteration
    t_end: float = 0.02  # and of the last (paper: 0.01); large steps overshoot at smaller times
    warm_up: float = 0.2  # share of the iterations that keep the initial translation
    weigh_rays: bool = True  # pull onto a ray by the joint's confidence (paper: always fully)
    flip_negative_depth: bool = False  # negate a translation behind the camera, as the official code does

    # Initial pose optimiser
    init: str = "headings"  # `headings` searches a grid (not in the paper), `adam` descends
    headings: int = 24  # headings in the grid, over the full circle
    shapes: int = 50  # standard poses tried in the grid, or as many as there are hypotheses if that is more
    candidates: int = 5  # lifted at least, so that there is a choice with fewer hypotheses
    tilts_deg: tuple[float, ...] = (-20.0, 0.0, 20.0)  # camera looks up or down at the person, in the grid
    axes: str = "z"  # axes that `adam` may turn about; z is the optical axis
    joints: tuple[str, ...] = ALL_JOINTS  # joints whose reprojection `adam` minimises; none named means all
    adam_steps: int = 500
    adam_rate: float = 0.1
    depth_m: float = 3.0  # distance along the pelvis ray at scale 1 (`adam`)
    scale: tuple[float, float] = (0.5, 2.0)  # of that distance

    # The body's size (not in the paper)
    spread_m: tuple[float, float] | None = (0.2, 0.6)  # bounds the depth: spread of the joints across the line of sight
    fix_size: bool = True  # scale pose and translation to the bone lengths of the standard poses; the rays stay

    def __post_init__(self) -> None:
        if self.iterations < 1 or self.adam_steps < 0 or self.headings < 1 or not self.tilts_deg:
            raise InputError(f"expected at least 1 iteration, 1 heading and 1 tilt, got {self}")
        if not (0 < self.t_end <= self.t_start <= 1):
            raise InputError(f"expected diffusion times 0 < t_end <= t_start <= 1, got {self.t_end} and {self.t_start}")
        if not (self.step > 0 and math.isfinite(self.step)) or not 0 <= self.warm_up <= 1:
            raise InputError(f"expected a step above 0 and a warm-up of 0 to 1, got {self.step} and {self.warm_up}")
        if self.init not in ("headings", "adam"):
            raise InputError(f"expected init 'headings' or 'adam', got '{self.init}'")
        if not set(self.axes) <= set("xyz"):
            raise InputError(f"expected axes out of x, y and z, got '{self.axes}'")

    def with_iterations(self, iterations: int) -> ZedoOptions:
        """Another number of network calls with the same sum of steps."""
        if iterations < 1:
            raise InputError(f"expected at least 1 iteration, got {iterations}")
        return replace(self, iterations=iterations, step=self.step * self.iterations / iterations)


def _paper(**settings: Any) -> ZedoOptions:
    return ZedoOptions(
        **{
            "iterations": 1000,
            "step": 0.001,
            "t_end": 0.01,
            "weigh_rays": False,
            "flip_negative_depth": True,
            "init": "adam",
            "candidates": 1,
            "spread_m": None,
            "fix_size": False,
            **settings,
        }
    )


_TORSO = ("pelvis", "right_hip", "left_hip")
PRESETS: dict[str, ZedoOptions] = {
    "default": ZedoOptions(),
    # The paper's numerics for standard poses that face the camera, as ours do: the heading is about the vertical.
    "reference": _paper(axes="y", depth_m=5.0, scale=(0.2, 3.0)),
    "h36m": _paper(joints=_TORSO),
    "3dhp": _paper(joints=_TORSO),
    "wild": _paper(joints=_TORSO),
    "3dpw": _paper(depth_m=8.0, scale=(0.2, 2.0)),
    "ski": _paper(axes="y", depth_m=20.0),
    "infant": _paper(axes="xyz", depth_m=1.0, scale=(0.0, 4.0)),
}


def preset(name: str) -> ZedoOptions:
    """The settings called `name`; InputError when there are none."""
    try:
        return PRESETS[name]
    except KeyError:
        raise InputError(f"no preset '{name}'; expected one of {', '.join(PRESETS)}") from None
