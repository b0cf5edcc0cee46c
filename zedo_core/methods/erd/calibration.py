"""Calibration of the expected errors on held-out poses, from exact and from noisy keypoints."""

from __future__ import annotations

import numpy as np
import torch

from zedo_core.methods.calibration import Calibration, fit_power
from zedo_core.methods.erd.descent import Descent
from zedo_core.methods.erd.options import ErdOptions
from zedo_core.methods.erd.prediction import predict
from zedo_core.methods.erd.validation import LiftingCheck
from zedo_core.metrics import joint_errors
from zedo_core.skeleton import Skeleton


@torch.no_grad()
def calibrate(net: Descent, check: LiftingCheck, skeleton: Skeleton) -> Calibration:
    """Fit mean joint errors of poses, and RMS errors of joints, to powers of what the network expects."""
    expected, error, spread, joint = [], [], [], []
    for known in (check.exact, check.noisy):
        found = predict(net, known.observed, skeleton, ErdOptions())
        errors = joint_errors(found.pose.cpu().numpy().astype(float), known.joints_cam, skeleton.root)
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
