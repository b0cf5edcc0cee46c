"""Errors of poses, as pure functions of arrays; lengths in, lengths out (metres in, metres out)."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from numpy import ndarray


def mpjpe(predicted: Float[ndarray, "*b j 3"], truth: Float[ndarray, "*b j 3"], root: int) -> Float[ndarray, "*b"]:
    """Mean per joint position error, both poses relative to their joint `root`."""
    difference = (predicted - predicted[..., [root], :]) - (truth - truth[..., [root], :])
    return np.linalg.norm(difference, axis=-1).mean(-1)


def pa_mpjpe(predicted: Float[ndarray, "*b j 3"], truth: Float[ndarray, "*b j 3"]) -> Float[ndarray, "*b"]:
    """MPJPE after the best similarity transform without reflection (Procrustes; Umeyama 1991)."""
    return np.linalg.norm(procrustes(predicted, truth) - truth, axis=-1).mean(-1)


def procrustes(source: Float[ndarray, "*b j 3"], target: Float[ndarray, "*b j 3"]) -> Float[ndarray, "*b j 3"]:
    """`source` rotated, scaled and moved as close to `target` as a similarity transform can."""
    source_mean, target_mean = source.mean(-2, keepdims=True), target.mean(-2, keepdims=True)
    a, b = source - source_mean, target - target_mean
    U, S, Vt = np.linalg.svd(np.swapaxes(a, -1, -2) @ b)
    sign = np.sign(np.linalg.det(U @ Vt))
    S[..., -1] *= sign
    U[..., :, -1] *= sign[..., None]
    scale = S.sum(-1) / np.square(a).sum((-1, -2))
    return scale[..., None, None] * (a @ (U @ Vt)) + target_mean


def reprojection_px(
    projected: Float[ndarray, "*b j 2"], keypoints: Float[ndarray, "*b j 2"], confidence: Float[ndarray, "*b j"]
) -> Float[ndarray, "*b"]:
    """Mean distance in pixels of projected joints from keypoints, weighted by confidence; NaN where none is seen."""
    distance = np.where(confidence > 0, np.linalg.norm(projected - keypoints, axis=-1), 0.0)
    total = confidence.sum(-1)
    return (distance * confidence).sum(-1) / np.where(total > 0, total, np.nan)
