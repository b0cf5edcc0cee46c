"""Means over all samples for tables, in millimetres, pixels and percent."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from zedo_core.data import Samples
from zedo_core.evaluate.measure import PER_HYPOTHESIS, ROOT
from zedo_core.metrics import motion_errors
from zedo_core.skeleton import H36M17

# Factors from `measure` to tables; 1000 (mm) for all other metrics.
SCALE = {"pck": 100.0, "auc": 100.0, "reprojection": 1.0}
_HIGHER_IS_BETTER = ("pck", "auc")
_SINGLE = ("position", "reprojection", "bones", "symmetry")
_DRAWS = 1000


def summarise(samples: Samples, measured: dict[str, ndarray], seed: int = 0) -> dict[str, Any]:
    """All means of one variant.

    Per metric of `PER_HYPOTHESIS`: `chosen` without ground truth, `mean` and `median` over the hypotheses, `oracle`
    (the best hypothesis of each sample by ground truth), and the 95 % intervals of chosen and oracle by bootstrap
    over sequences.
    """
    rng = np.random.default_rng(seed)
    draws = _draws(samples, rng)
    result: dict[str, Any] = {"samples": len(samples)}
    result |= {name: _over_hypotheses(name, measured[name], draws) for name in PER_HYPOTHESIS}
    result |= {name: _number(measured[name].mean() * SCALE.get(name, 1000.0)) for name in _SINGLE}
    result |= _motion(samples, measured["chosen"])
    result["actions"] = _actions(samples, measured)
    result["action_mean"] = {
        metric: {
            kind: _number(np.mean([row[metric][kind] for row in result["actions"].values()]))
            for kind in ("chosen", "oracle")
        }
        for metric in ("mpjpe", "pa_mpjpe")
    }
    known = set(samples.evaluated)
    means = 1000.0 * measured["joint"].mean(0)
    result["joints"] = {joint: _number(means[i]) for i, joint in enumerate(H36M17.joints) if joint in known}
    return result


def oracle(name: str, values: Float[ndarray, "n h"]) -> Float[ndarray, " n"]:
    """The value of the best hypothesis of every sample."""
    return values.max(1) if name in _HIGHER_IS_BETTER else values.min(1)


def consecutive(samples: Samples) -> list[ndarray]:
    """Runs of rows with consecutive frames of one sequence."""
    breaks = (np.diff(samples.sequence) != 0) | (np.diff(samples.frame) != 1)
    return np.split(np.arange(len(samples)), np.flatnonzero(breaks) + 1)


def _over_hypotheses(name: str, values: Float[ndarray, "n h"], draws: Float[ndarray, "r n"]) -> dict[str, Any]:
    scaled = values * SCALE.get(name, 1000.0)
    chosen, best = scaled[:, 0], oracle(name, scaled)
    return {
        "chosen": _number(chosen.mean()),
        "chosen_interval": _interval(chosen, draws),
        "mean": _number(scaled.mean()),
        "median": _number(np.median(scaled, axis=1).mean()),
        "oracle": _number(best.mean()),
        "oracle_interval": _interval(best, draws),
    }


def _draws(samples: Samples, rng: np.random.Generator) -> Float[ndarray, "r n"]:
    """Weights of the samples in each bootstrap draw of whole sequences, whose frames are correlated."""
    count = int(samples.sequence.max()) + 1
    if len(np.unique(samples.sequence)) < 2:
        return rng.multinomial(len(samples), np.full(len(samples), 1 / len(samples)), _DRAWS).astype(np.float32)
    present = np.bincount(samples.sequence, minlength=count) > 0
    sequences = rng.multinomial(int(present.sum()), present / present.sum(), _DRAWS)
    return sequences[:, samples.sequence].astype(np.float32)


def _interval(values: Float[ndarray, " n"], draws: Float[ndarray, "r n"]) -> list[float]:
    means = draws @ values / draws.sum(1)
    return [_number(value) for value in np.percentile(means, (2.5, 97.5))]


def _motion(samples: Samples, chosen: Float[ndarray, "n 17 3"]) -> dict[str, float | None]:
    """Errors of velocity (MPJVE, mm/frame) and acceleration (mm/frame²); None without consecutive frames."""
    result = {}
    known = [ROOT, *(joint for joint in H36M17.indices(samples.evaluated) if joint != ROOT)]
    for name, order in (("velocity", 1), ("acceleration", 2)):
        errors = [
            motion_errors(chosen[rows][:, known].astype(float), samples.joints_cam[rows][:, known], 0, order)
            for rows in consecutive(samples)
            if len(rows) > order
        ]
        result[name] = _number(1000.0 * np.concatenate(errors).mean()) if errors else None
    return result


def _actions(samples: Samples, measured: dict[str, ndarray]) -> dict[str, Any]:
    rows = {}
    for number, action in enumerate(samples.actions):
        mask = samples.action == number
        if mask.any():
            rows[action] = {"samples": int(mask.sum())}
            for metric in ("mpjpe", "pa_mpjpe"):
                values = 1000.0 * measured[metric][mask]
                rows[action][metric] = {
                    "chosen": _number(values[:, 0].mean()),
                    "oracle": _number(oracle(metric, values).mean()),
                }
    return rows


def _number(value: Any) -> float:
    """Rounded to a meaningful precision; ValueError for NaN, which a report never contains."""
    number = round(float(value), 4)
    if not math.isfinite(number):
        raise ValueError(f"expected a finite mean, got {number}")
    return number
