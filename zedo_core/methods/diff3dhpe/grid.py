"""Even frames for a sequence network: the rows of a motion on a grid of times at a rate that the network knows."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from zedo_core.types import Rows
from zedo_core.types.times import times_of

_LONGEST_GAP_S = 1.0  # after a longer absence a new motion begins
# Shares of a step within which a row is at a time of the grid, and within which it is taken if none is nearer.
_SAME, _NEAR = 0.1, 0.5 + 1e-6


@dataclass(frozen=True)
class Grid:
    """Evenly spaced frames, `step_s` seconds apart, of a motion with n rows, from `first` on.

    A frame's keypoints lie at `share` of the way from those of row `before` to those of `after`, if it is `known`;
    `place` is where each row lies among the frames.
    """

    first: int
    step_s: float
    place: Float[ndarray, " n"]
    before: Int[ndarray, " g"]
    after: Int[ndarray, " g"]
    share: Float[ndarray, " g"]
    known: Bool[ndarray, " g"]

    def __len__(self) -> int:
        return len(self.known)

    def at_rows(self, values: Float[ndarray, "g *d"]) -> Float[ndarray, "n *d"]:
        """Values of the frames at the rows: on cubics, or those of the nearest frame if one of the two is unknown."""
        low = np.floor(self.place + 1e-9).astype(int)
        u = (self.place - low).astype(values.dtype)
        u[np.abs(u) < 1e-6] = 0.0
        number = low[:, None] + np.arange(-1, 3)
        index = np.clip(number, 0, len(self) - 1)
        known = self.known[index] & (number == index)
        x, is_known = (array.reshape(-1, *array.shape[1:], *(1 for _ in values.shape[1:])) for array in (u, known))
        a, b, c, d = (values[index[:, k]] for k in range(4))
        a, d = np.where(is_known[:, 0], a, 2 * b - c), np.where(is_known[:, 3], d, 2 * c - b)
        cubic = b + x / 2 * (c - a + x * (2 * a - 5 * b + 4 * c - d + x * (3 * (b - c) + d - a)))
        nearest = np.where(is_known[:, 1] & (~is_known[:, 2] | (x <= 0.5)), b, c)
        return np.where(is_known[:, 1] & is_known[:, 2], cubic, nearest)


def grids(rows: Rows, rates_hz: tuple[float, float], wanted_hz: float | None = None) -> Iterator[Grid]:
    """The motions of all tracks, one after another.

    The rate is that of the motion's frames where it is in the range, otherwise a whole fraction or multiple of it; it
    is at most `wanted_hz` if the range allows.
    """
    times_s = times_of(rows)[rows.frame]
    ends = np.flatnonzero((np.diff(rows.track) != 0) | (np.diff(times_s) > _LONGEST_GAP_S)) + 1
    for start, end in zip([0, *ends.tolist()], [*ends.tolist(), len(rows)], strict=True):
        if end > start:
            yield _grid(start, times_s[start:end], rates_hz, wanted_hz)


def step_of(interval_s: float, rates_hz: tuple[float, float], wanted_hz: float | None = None) -> float:
    """The step of the grid for frames this far apart."""
    low, high = rates_hz
    if interval_s > 1 / low:
        return interval_s / math.ceil(interval_s * low - 1e-6)
    wanted = min(max(low, wanted_hz or high), high)
    least, most = (max(1, math.ceil(1 / (high * interval_s) - 1e-6)), math.floor(1 / (low * interval_s) + 1e-6))
    return interval_s * max(least, min(most, math.ceil(1 / (wanted * interval_s) - 1e-6)))


def _grid(first: int, times_s: Float[ndarray, " n"], rates_hz: tuple[float, float], wanted_hz: float | None) -> Grid:
    interval_s = float(np.median(np.diff(times_s))) if len(times_s) > 1 else 1 / rates_hz[1]
    step_s = step_of(interval_s, rates_hz, wanted_hz)
    place = (times_s - times_s[0]) / step_s
    number = np.arange(math.floor(place[-1] + _NEAR) + 1)
    after = np.searchsorted(place, number).clip(0, len(place) - 1)
    before = (after - 1).clip(0)
    away = np.stack([np.abs(number - place[before]), np.abs(number - place[after])])
    nearest, distance = np.where(away[0] <= away[1], before, after), away.min(0)
    between = (place[before] < number) & (number < place[after]) & (place[after] - place[before] <= 1.5)
    between &= distance > _SAME
    share = np.divide(number - place[before], place[after] - place[before], where=between, out=np.zeros(len(number)))
    return Grid(
        first=first,
        step_s=step_s,
        place=place,
        before=np.where(between, before, nearest),
        after=np.where(between, after, nearest),
        share=share,
        known=between | (distance <= _NEAR),
    )
