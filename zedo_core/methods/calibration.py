"""Calibration of the errors that a network expects of its poses."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

_BINS = 20


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """Errors in metres from those that a network expects, fitted on held-out poses with noise.

    A pose whose hypotheses lie a mean distance d apart from it has an expected mean joint error of
    `error_scale` d^`error_power`; a joint with spread s an RMS error of `joint_scale` s^`joint_power`.
    """

    error_scale: float = 1.0
    error_power: float = 1.0
    joint_scale: float = 1.0
    joint_power: float = 1.0

    @classmethod
    def from_json(cls, values: Any) -> Calibration:
        """From the config of weights; ValueError when a number is missing, unknown or not valid."""
        names = [field.name for field in fields(cls)]
        if not isinstance(values, dict) or set(values) != set(names):
            raise ValueError(f"the numbers {', '.join(names)} in 'calibration', found {json.dumps(values):.80}")
        if not all(isinstance(x, int | float) and math.isfinite(x) and x >= 0 for x in values.values()):
            raise ValueError(f"numbers of at least 0 in 'calibration', found {json.dumps(values):.80}")
        return cls(**values)


def fit_power(x: Float[ndarray, " n"], y: Float[ndarray, " n"]) -> tuple[float, float]:
    """a and p of a x^p, the mean of y, from the logarithms of the means in bins with equal numbers of samples.

    p is 1 when all values of x are alike, and never negative.
    """
    order = np.argsort(x, kind="stable")
    parts = [part for part in np.array_split(order, _BINS) if len(part)]
    log_x, log_y = (np.log([max(values[part].mean(), 1e-9) for part in parts]) for values in (x, y))
    variance = float(np.var(log_x))
    power = (
        max(0.0, float(np.mean((log_x - log_x.mean()) * (log_y - log_y.mean()))) / variance) if variance > 1e-6 else 1.0
    )
    return float(np.exp(log_y.mean() - power * log_x.mean())), power
