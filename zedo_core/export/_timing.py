"""Times of frames in files of motion: the true ones, and a fixed rate for formats that have nothing else."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy  # its parts load when they are used
from jaxtyping import Float, Int
from numpy import ndarray

_EVEN_S = 0.002  # containers round times to a millisecond
_MAX_FRAMES_PER_FRAME = 100  # of a fixed rate


@dataclass(frozen=True, kw_only=True)
class Timing:
    """`times_s` (t,) of the frames from the first one on, the mean rate, and whether they are evenly spaced."""

    times_s: Float[ndarray, " t"]
    fps: float
    even: bool

    def at_fixed_rate(self) -> Timing:
        """Evenly spaced times over the same duration, at the most common rate in whole frames per second."""
        if self.even:
            return self
        duration_s = float(self.times_s[-1])
        rate = 1 / float(np.median(np.diff(self.times_s)))
        rate = float(round(rate)) if rate >= 1 else rate
        if rate * duration_s > _MAX_FRAMES_PER_FRAME * len(self.times_s):
            rate = self.fps
        count = int(duration_s * rate + 1e-6) + 1
        return Timing(times_s=np.arange(count) / rate, fps=rate, even=True)


def timing(times_s: Float[ndarray, " n"] | None, index: Int[ndarray, " n"], fps: float) -> Timing:
    """The timing of a recording whose frames `index` have these times; `fps` where they are unknown or as given.

    Frames in between are interpolated.
    """
    count = int(index[-1]) + 1
    even = Timing(times_s=np.arange(count) / fps, fps=fps, even=True)
    known = times_s is not None and len(index) > 1 and np.isfinite(times_s).all() and (np.diff(times_s) > 0).all()
    if times_s is None or not known:
        return even
    passed_s = np.asarray(times_s, dtype=float) - float(times_s[0])
    mean = float(index[-1] / passed_s[-1])
    for rate in (fps, mean):
        if np.isfinite(rate) and np.abs(passed_s - index / rate).max() <= min(_EVEN_S, 0.25 / rate):
            return Timing(times_s=np.arange(count) / rate, fps=rate, even=True)
    return Timing(times_s=np.interp(np.arange(count), index, passed_s), fps=mean, even=False)


def resample(
    values: Float[ndarray, "t *d"], times_s: Float[ndarray, " t"], at_s: Float[ndarray, " u"]
) -> Float[ndarray, "u *d"]:
    """Values at other times within the range, interpolated linearly; NaN beside a missing one."""
    after = np.clip(np.searchsorted(times_s, at_s), 1, len(times_s) - 1)
    before = after - 1
    weight = (at_s - times_s[before]) / (times_s[after] - times_s[before])
    weight = np.where(np.abs(weight - weight.round()) < 1e-6, weight.round(), weight)  # exactly at a frame
    weight = np.clip(weight, 0.0, 1.0).reshape(-1, *[1] * (values.ndim - 1))
    between = (1 - weight) * values[before] + weight * values[after]
    return np.where(weight == 0, values[before], np.where(weight == 1, values[after], between))


def resample_rotations(
    rotations: Float[ndarray, "t k 3 3"], times_s: Float[ndarray, " t"], at_s: Float[ndarray, " u"]
) -> Float[ndarray, "u k 3 3"]:
    """Rotations at other times within the range, on the shortest way at constant speed."""
    at_s = np.clip(at_s, times_s[0], times_s[-1])
    columns = [
        scipy.spatial.transform.Slerp(times_s, scipy.spatial.transform.Rotation.from_matrix(column))(at_s).as_matrix()
        for column in rotations.swapaxes(0, 1)
    ]
    return np.stack(columns, axis=1)
