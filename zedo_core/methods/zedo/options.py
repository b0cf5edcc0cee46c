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

_MAX_RELAXATION = 1.5  # more makes the loop oscillate
MAX_HYPOTHESES = 200
PRIOR_ONLY = "zero-shot-prior-only"
ALL_JOINTS: tuple[str, ...] = ()

# Integer options and their smallest values.
_MINIMUMS = {
    "iterations": 1,
    "headings": 1,
    "initial_poses": 1,
    "candidates": 1,
    "adam_steps": 0,
    "regressed": 0,
    "late_iterations": 1,
}


@dataclass(frozen=True, kw_only=True)
class ZedoOptions:
    """Settings of the lifting. The defaults are fast and use the prior alone; `PRESETS` holds others.

    Sources: arXiv 2307.03833, sections 3.3 (initial pose optimiser, IPO) and 3.4 (optimiser in the
    loop, OIL). Options that the paper does not have are marked.
    """

    # Optimiser in the loop
    iterations: int = 20  # network calls (paper: 1000)
    # Fraction of the way to the denoised pose in the first and the last iteration, above 1 to overshoot, at times
    # spaced evenly in their logarithm (not in the paper). None: steps of the reverse SDE at evenly spaced times.
    relaxation: tuple[float, float] | None = (0.7, 1.5)
    step: float = 0.001  # of the reverse SDE in each iteration, without `relaxation`
    momentum: float = 0.6  # fraction of the last iteration's change that is added to the next (not in the paper)
    t_start: float = 0.1  # diffusion time of the first iteration
    t_end: float = 0.02  # diffusion time of the last iteration (paper: 0.01); large steps overshoot at smaller times
    warm_up: float = 0.2  # fraction of the iterations that hold the initial translation fixed
    weigh_rays: bool = True  # weight the pull onto a ray by the joint's confidence (paper: always the full way)
    outlier_rad: float | None = 0.015  # keypoints farther off pull less (Huber, not in the paper); 15 px at f = 1000
    flip_negative_depth: bool = False  # negate a translation behind the camera, as the official code does

    # Initial pose optimiser
    init: str = "headings"  # `headings` searches a grid (not in the paper), `adam` is the paper's gradient descent
    headings: int = 24  # headings in the grid, over the full circle
    initial_poses: int = 200  # number tried in the grid, up to those available, and at least one per hypothesis
    candidates: int = 10  # least number of poses lifted, to select from when fewer hypotheses are requested
    diversity: float = 0.15  # of the poses selected from the grid: metres of misfit per metre of difference
    tilts_deg: tuple[float, ...] = (-20.0, 0.0, 20.0)  # camera looking up or down at the person, in the grid
    axes: str = "z"  # axes that `adam` may rotate about; z is the optical axis
    joints: tuple[str, ...] = ALL_JOINTS  # joints whose reprojection error `adam` minimises; empty means all
    adam_steps: int = 500
    adam_rate: float = 0.1
    depth_m: float = 3.0  # distance along the pelvis ray at scale 1 (`adam`)
    scale: tuple[float, float] = (0.5, 2.0)  # range of the factor on that distance (`adam`)

    # Poses lifted by ERD as further initial poses (not in the paper). Near the solution, late times suffice.
    regressed: int = 0  # number of them: ERD's mean pose, then its modes
    late_iterations: int = 8  # of their loop, without a warm-up
    late_start: float = 0.05  # its diffusion time of the first iteration
    late_end: float = 0.02  # its diffusion time of the last iteration
    late_outlier_rad: float = 0.003  # its `outlier_rad`, smaller since these poses say which keypoints are wrong
    # Log odds against the detections of left and right arms being exchanged, or of the legs; None never exchanges them
    # back. The pose lifted by ERD, after its loop, decides.
    exchange: float | None = None
    average: bool = False  # the first hypothesis is the mean of all, weighted by their plausibility (not in the paper)
    sequence: bool = False  # of people seen in several frames, it is the mean motion of Diff3DHPE (not in the paper)

    # Body size (not in the paper)
    spread_m: tuple[float, float] | None = (0.2, 0.6)  # bounds the depth: spread of the joints across the line of sight
    fix_size: bool = True  # scale pose and translation to the bone lengths of the initial poses; the projection stays

    def __post_init__(self) -> None:
        for name, least in _MINIMUMS.items():
            value = getattr(self, name)
            _require(_is_integer(value, least), f"{name} to be a whole number, at least {least}", value)
        for name in ("step", "adam_rate", "depth_m"):
            value = getattr(self, name)
            _require(_is_finite(value) and value > 0, f"{name} to be above 0", value)
        relaxation = self.relaxation
        _require(
            relaxation is None or (_is_pair(relaxation) and all(0 < share < 2 for share in relaxation)),
            "relaxation to be two numbers above 0 and below 2, or None",
            relaxation,
        )
        _require(
            _is_finite(self.momentum) and 0 <= self.momentum < 1, "momentum to be from 0 to below 1", self.momentum
        )
        _require(_is_finite(self.warm_up) and 0 <= self.warm_up <= 1, "warm_up to be from 0 to 1", self.warm_up)
        for times in ((self.t_end, self.t_start), (self.late_end, self.late_start)):
            _require(
                all(map(_is_finite, times)) and 0 < times[0] <= times[1] <= 1,
                "diffusion times 0 < t_end <= t_start <= 1",
                times,
            )
        _require(_is_range(self.scale), "scale to be two numbers 0 <= low < high", self.scale)
        spread = self.spread_m
        _require(spread is None or _is_range(spread), "spread_m to be two numbers 0 <= low < high, or None", spread)
        odds = self.exchange
        _require(odds is None or (_is_finite(odds) and odds >= 0), "exchange to be at least 0, or None", odds)
        for outlier in (self.outlier_rad, self.late_outlier_rad):
            _require(
                outlier is None or (_is_finite(outlier) and outlier > 0), "outlier_rad to be above 0, or None", outlier
            )
        _require(_is_finite(self.diversity) and self.diversity >= 0, "diversity to be at least 0", self.diversity)
        self._check_search()

    def _check_search(self) -> None:
        """Check the settings of the initial pose optimiser that are not plain numbers."""
        tilts = self.tilts_deg
        _require(
            _is_list(tilts) and len(tilts) > 0 and all(_is_finite(tilt) and abs(tilt) <= 90 for tilt in tilts),
            "tilts_deg to be one or more numbers from -90 to 90",
            tilts,
        )
        _require(self.init in ("headings", "adam"), "init to be 'headings' or 'adam'", self.init)
        _require(isinstance(self.axes, str) and set(self.axes) <= set("xyz"), "axes among x, y and z", self.axes)
        _require(
            _is_list(self.joints) and all(joint in H36M17.joints for joint in self.joints),
            f"joints of {H36M17.name}",
            self.joints,
        )

    def with_iterations(self, iterations: int) -> ZedoOptions:
        """Another number of network calls, with the same total step; no relaxation is raised above 1.5."""
        _require(_is_integer(iterations, 1), "at least 1 iteration", iterations)
        factor = self.iterations / iterations
        relaxation = self.relaxation
        if relaxation is not None:
            first, last = (min(share * factor, max(share, _MAX_RELAXATION)) for share in relaxation)
            relaxation = first, last
        late = max(1, round(self.late_iterations / factor))
        return replace(
            self, iterations=iterations, step=self.step * factor, relaxation=relaxation, late_iterations=late
        )

    @property
    def uses_regressor(self) -> bool:
        """Whether poses lifted by ERD are needed."""
        return self.regressed > 0 or self.exchange is not None

    @property
    def late(self) -> ZedoOptions:
        """The settings of the loop from poses lifted by ERD."""
        return replace(
            self,
            iterations=self.late_iterations,
            t_start=self.late_start,
            t_end=self.late_end,
            outlier_rad=self.late_outlier_rad,
            warm_up=0.0,
        )


def _require(holds: bool, expected: str, value: object) -> None:
    if not holds:
        raise InputError(f"expected {expected}, got {short(value)}")


def _is_integer(value: Any, least: int) -> bool:
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
    # Also from poses lifted by ERD, which was trained on pairs of poses and their noisy projections; better, above all
    # on detections, and as fast as without. Videos also use Diff3DHPE, trained on such sequences.
    "default": ZedoOptions(regressed=6, candidates=2, outlier_rad=0.006, exchange=3.0, average=True, sequence=True),
    PRIOR_ONLY: ZedoOptions(),  # no pairs of any kind, not even synthetic ones
    # A quarter of the time with one hypothesis, half with ten, at 15 or 5 % more error.
    "fast": replace(ZedoOptions().with_iterations(12), candidates=3),
    # The paper's numerics for initial poses that face the camera, as ours do: the heading turns about the vertical.
    "reference": _paper(axes="y", depth_m=5.0, scale=(0.2, 3.0)),
    "h36m": _paper(joints=_TORSO),
    "3dhp": _paper(joints=_TORSO),
    "wild": _paper(joints=_TORSO),
    "3dpw": _paper(depth_m=8.0, scale=(0.2, 2.0)),
    "ski": _paper(axes="y", depth_m=20.0),
    "infant": _paper(axes="xyz", depth_m=1.0, scale=(0.0, 4.0)),
}


def preset(name: str, iterations: int | None = None) -> ZedoOptions:
    """The preset `name`, with another number of network calls if given; InputError when there is no such preset."""
    try:
        options = PRESETS[name]
    except KeyError:
        raise InputError(f"no preset '{name}'; expected one of {', '.join(PRESETS)}") from None
    return options if iterations is None else options.with_iterations(iterations)
