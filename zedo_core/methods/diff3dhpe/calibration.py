"""Calibration of the expected errors on held-out sequences, from exact and from noisy keypoints."""

from __future__ import annotations

import numpy as np
import torch

from zedo_core.methods.calibration import Calibration, fit_power
from zedo_core.methods.diff3dhpe.denoiser import Denoiser
from zedo_core.methods.diff3dhpe.validation import SequenceCheck


@torch.no_grad()
def calibrate(denoiser: Denoiser, check: SequenceCheck) -> Calibration:
    """Fit mean joint errors of poses, and RMS errors of joints, to powers of what the network expects."""
    expected, error, spread, joint = [], [], [], []
    for pairs in check.pairs.values():
        off, known, scale = check.off(denoiser, pairs, 1)
        distance, scale = off[known].norm(dim=-1).double().numpy(force=True), scale[known].double().numpy(force=True)
        expected.append(3 * scale.mean(-1))
        error.append(distance.mean(-1))
        others = np.arange(scale.shape[1]) != check.root
        spread.append(12**0.5 * scale[:, others].ravel())
        joint.append(np.square(distance[:, others]).ravel())
    error_scale, error_power = fit_power(np.concatenate(expected), np.concatenate(error))
    joint_scale, joint_power = fit_power(np.concatenate(spread), np.concatenate(joint))
    return Calibration(
        error_scale=error_scale,
        error_power=error_power,
        joint_scale=float(np.sqrt(joint_scale)),
        joint_power=joint_power / 2,
    )
