"""Calibration of the expected errors on held-out poses, from exact and from noisy keypoints."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray

from zedo_core.methods.erd.descent import Descent
from zedo_core.methods.erd.options import ErdOptions
from zedo_core.methods.erd.prediction import predict
from zedo_core.methods.erd.validation import LiftingCheck
from zedo_core.methods.erd.weights import Calibration
from zedo_core.metrics import joint_errors
from zedo_core.skeleton import Skeleton

_BINS = 20


@torch.no_grad()
def calibrate(net: Descent, check: LiftingCheck, skeleton: Skeleton) -> Calibration:
    """Fit mean joint errors of poses, and RMS errors of joints, to powers of what the network expects."""
    expected, error, spread, joint = [], [], [], []
    for observed in (check.exact, check.noisy):
        found = predict(net, observed, skeleton, ErdOptions())
        errors = joint_errors(found.pose.cpu().numpy().astype(float), check.joints_cam, skeleton.root)
        expected.append(found.expected_error(found.pose[:, None])[:, 0].cpu().numpy())
        error.append(errors.mean(-1))
        others = np.arange(len(skeleton)) != skeleton.root
        spread.append(found.spread().cpu().numpy()[:, others].ravel())
        joint.append(np.square(errors[:, others]).ravel())
    error_scale, error_power = fit_power(np.concatenate(expected), np.concatenate(error))
    joint_scale, joint_power = fit_power(np.concatenate(spread), np.concatenate(joint))
    return Calibration(
        error_scale=error_scale,
        error_power=error_power,
        joint_scale=float(np.sqrt(joint_scale)),
        joint_power=joint_power / 2,
    )


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
