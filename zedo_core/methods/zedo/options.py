"""Every setting of ZeDO in one place, and the presets of the paper."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from numbers import Integral, Real
from reprlib import repr as short
from typing import Any, cast

from zedo_core.errors import InputError
from zedo_core.skeleton import H36M17

_MOST_RELAXATION = 1.5  # more makes the loop swing
ALL_JOINTS: tuple[str, ...] = ()

# Whole numbers and the least that each may be.
_LEAST = {"iterations": 1, "headings": 1, "shapes": 1, "candidates": 1, "adam_steps": 0}


@dataclass(frozen=True, kw_only=True)
class ZedoOptions:
    """Settings of the lifting. The defaults are the fast ones; `PRESETS` holds those of the paper.

    Sources: arXiv 2307.03833, sections 3.3 (initial pose optimiser, IPO) and 3.4 (optimiser in the
    loop, OIL). What the paper does not have is said.
    """

    # Optimiser in the loop
    iterations: int = 20  # network calls (paper: 1000)
    # Share of the way to the denoised pose in the first and the last iteration, more than 1 to overshoot, at times
    # spaced evenly in their logarithm (not in the paper). None: steps of the reverse SDE at evenly spaced times.
    relaxation: tuple[float, float] | None = (0.7, 1.5)
    step: float = 0.001  # of the reverse SDE in each iteration, without `relaxation`
    momentum: float = 0.6  # share of the last iteration's change that is added to the next (not in the paper)
    t_start: float = 0.1  # diffusion time of the first iteration
    t_end: float = 0.02  # and of the last (paper: 0.01); large steps overshoot at smaller times
    warm_up: float = 0.2  # share of the iterations that keep the initial translation
    weigh_rays: bool = True  # pull onto a ray by the joint's confidence (paper: always fully)
    outlier_rad: float | None = 0.015  # keypoints farther off pull less (Huber, not in the paper); 15 px at f = 1000
    flip_negative_depth: bool = False  # negate a translation behind the camera, as the official code does

    # Initial pose optimiser
    init: str = "headings"  # `headings` searches a grid (not in the paper), `adam` descends
    headings: int = 24  # headings in the grid, over the full circle
    shapes: int = 200  # standard poses tried in the grid: as many as there are, and at least one for each hypothesis
    candidates: int = 10  # lifted at least, so that there is a choice with fewer hypotheses
    diversity: float = 0.15  # of the starts taken from the grid: metres of misfit for a metre of difference
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
        for name, least in _LEAST.items():
            value = getattr(self, name)
            _require(_is_whole(value, least), f"{name} a whole number from {least}", value)
        for name in ("step", "adam_rate", "depth_m"):
            value = getattr(self, name)
            _require(_is_finite(value) and value > 0, f"{name} above 0", value)
        relaxation = self.relaxation
        _require(
            relaxation is None or (_is_pair(relaxation) and all(0 < share < 2 for share in relaxation)),
            "relaxation two shares above 0 and below 2, or None",
            relaxation,
        )
        _require(_is_finite(self.momentum) and 0 <= self.momentum < 1, "momentum from 0 to below 1", self.momentum)
        _require(_is_finite(self.warm_up) and 0 <= self.warm_up <= 1, "warm_up from 0 to 1", self.warm_up)
        times = (self.t_end, self.t_start)
        _require(
            all(map(_is_finite, times)) and 0 < times[0] <= times[1] <= 1,
            "diffusion times 0 < t_end <= t_start <= 1",
            times,
        )
        _require(_is_range(self.scale), "scale two numbers 0 <= low < high", self.scale)
        spread = self.spread_m
        _require(spread is None or _is_range(spread), "spread_m two numbers 0 <= low < high, or None", spread)
        outlier = self.outlier_rad
        _require(outlier is None or (_is_finite(outlier) and outlier > 0), "outlier_rad above 0, or None", outlier)
        _require(_is_finite(self.diversity) and self.diversity >= 0, "diversity from 0", self.diversity)
        self._check_search()

    def _check_search(self) -> None:
        """The settings of the initial pose optimiser that are no plain numbers."""
        tilts = self.tilts_deg
        _require(
            _is_list(tilts) and len(tilts) > 0 and all(_is_finite(tilt) and abs(tilt) <= 90 for tilt in tilts),
            "tilts_deg one or more numbers from -90 to 90",
            tilts,
        )
        _require(self.init in ("headings", "adam"), "init 'headings' or 'adam'", self.init)
        _require(isinstance(self.axes, str) and set(self.axes) <= set("xyz"), "axes out of x, y and z", self.axes)
        _require(
            _is_list(self.joints) and all(joint in H36M17.joints for joint in self.joints),
            f"joints of {H36M17.name}",
            self.joints,
        )

    def with_iterations(self, iterations: int) -> ZedoOptions:
        """Another number of network calls with the same sum of steps or of shares, of which none is above 1.5."""
        _require(_is_whole(iterations, 1), "at least 1 iteration", iterations)
        longer = self.iterations / iterations
        relaxation = self.relaxation
        if relaxation is not None:
            first, last = (min(share * longer, max(share, _MOST_RELAXATION)) for share in relaxation)
            relaxation = first, last
        return replace(self, iterations=iterations, step=self.step * longer, relaxation=relaxation)


def _require(holds: bool, wanted: str, found: object) -> None:
    if not holds:
        raise InputError(f"expected {wanted}, got {short(found)}")


def _is_whole(value: Any, least: int) -> bool:
    return isinstance(value, Integral) and int(value) >= least


def _is_finite(value: Any) -> bool:
    return isinstance(value, Real) and -math.inf < cast(Any, value) < math.inf


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _is_range(value: Any) -> bool:
    """Two numbers, 0 or more, the second above the first."""
    return _is_pair(value) and 0 <= value[0] < value[1]


def _is_pair(value: Any) -> bool:
    return _is_list(value) and len(value) == 2 and all(map(_is_finite, value))


def _paper(**settings: Any) -> ZedoOptions:
    return ZedoOptions(
        **{
            "iterations": 1000,
            "relaxation": None,
            "momentum": 0.0,
            "t_end": 0.01,
            "weigh_rays": False,
            "outlier_rad": None,
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
    # A quarter of the time with one hypothesis, a half with ten, and 15 or 5 % more error.
    "fast": replace(ZedoOptions().with_iterations(12), candidates=3),
    # The paper's numerics for standard poses that face the camera, as ours do: the heading is about the vertical.
    "reference": _paper(axes="y", depth_m=5.0, scale=(0.2, 3.0)),
    "h36m": _paper(joints=_TORSO),
    "3dhp": _paper(joints=_TORSO),
    "wild": _paper(joints=_TORSO),
    "3dpw": _paper(depth_m=8.0, scale=(0.2, 2.0)),
    "ski": _paper(axes="y", depth_m=20.0),
    "infant": _paper(axes="xyz", depth_m=1.0, scale=(0.0, 4.0)),
}


def preset(name: str, iterations: int | None = None) -> ZedoOptions:
    """The settings called `name`, with so many network calls where that is given; InputError when there are none."""
    try:
        options = PRESETS[name]
    except KeyError:
        raise InputError(f"no preset '{name}'; expected one of {', '.join(PRESETS)}") from None
    return options if iterations is None else options.with_iterations(iterations)
