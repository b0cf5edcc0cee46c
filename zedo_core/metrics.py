"""Errors of poses, as pure functions of arrays; lengths in, lengths out (metres in, metres out)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from numpy import ndarray

# Largest errors in metres at which a joint counts as correct: MPI-INF-3DHP's protocol (Mehta et al. 2017).
PCK_M = 0.150
AUC_M = np.arange(0, 151, 5) / 1000


def joint_errors(
    predicted: Float[ndarray, "*b j 3"], truth: Float[ndarray, "*b j 3"], root: int
) -> Float[ndarray, "*b j"]:
    """Position error of each joint, both poses relative to their joint `root`."""
    difference = (predicted - predicted[..., [root], :]) - (truth - truth[..., [root], :])
    return np.linalg.norm(difference, axis=-1)


def mpjpe(predicted: Float[ndarray, "*b j 3"], truth: Float[ndarray, "*b j 3"], root: int) -> Float[ndarray, "*b"]:
    """Mean per joint position error, both poses relative to their joint `root`."""
    return joint_errors(predicted, truth, root).mean(-1)


def pa_mpjpe(
    predicted: Float[ndarray, "*b j 3"], truth: Float[ndarray, "*b j 3"], *, reflection: bool = False
) -> Float[ndarray, "*b"]:
    """MPJPE after the best similarity transform (Procrustes; Umeyama 1991).

    `reflection` also allows mirroring, as the official ZeDO code does; the standard metric does not.
    """
    return np.linalg.norm(procrustes(predicted, truth, reflection=reflection) - truth, axis=-1).mean(-1)


def pck(errors: Float[ndarray, "*b j"], threshold: float = PCK_M) -> Float[ndarray, "*b"]:
    """Share of the joints whose error is within the threshold (percentage of correct keypoints, 0..1)."""
    return (errors <= threshold).mean(-1)


def auc(errors: Float[ndarray, "*b j"]) -> Float[ndarray, "*b"]:
    """Area under the curve of `pck` over the thresholds 0, 5 .. 150 mm, 0..1."""
    return np.mean([pck(errors, threshold) for threshold in AUC_M], axis=0)


def bone_errors(
    predicted: Float[ndarray, "*b j 3"], truth: Float[ndarray, "*b j 3"], edges: Sequence[tuple[int, int]]
) -> Float[ndarray, "*b"]:
    """Mean absolute difference in bone length."""
    return np.abs(bone_lengths(predicted, edges) - bone_lengths(truth, edges)).mean(-1)


def symmetry_errors(
    predicted: Float[ndarray, "*b j 3"], pairs: Sequence[tuple[tuple[int, int], tuple[int, int]]]
) -> Float[ndarray, "*b"]:
    """Mean absolute difference in length between left and right bones."""
    left, right = zip(*pairs, strict=True)
    return np.abs(bone_lengths(predicted, left) - bone_lengths(predicted, right)).mean(-1)


def bone_lengths(pose: Float[ndarray, "*b j 3"], edges: Sequence[tuple[int, int]]) -> Float[ndarray, "*b e"]:
    """Length of each bone."""
    ends, starts = (list(joints) for joints in zip(*edges, strict=True))
    return np.linalg.norm(pose[..., ends, :] - pose[..., starts, :], axis=-1)


def motion_errors(
    predicted: Float[ndarray, "t j 3"], truth: Float[ndarray, "t j 3"], root: int, order: int
) -> Float[ndarray, " s"]:
    """Mean error of the joints' velocity (`order` 1, MPJVE) or acceleration (2) of a motion, per frame step.

    Both motions are taken relative to their root; the unit is length per frame, or per frame squared.
    """
    difference = (predicted - predicted[:, [root]]) - (truth - truth[:, [root]])
    return np.linalg.norm(np.diff(difference, n=order, axis=0), axis=-1).mean(-1)


def procrustes(
    source: Float[ndarray, "*b j 3"], target: Float[ndarray, "*b j 3"], *, reflection: bool = False
) -> Float[ndarray, "*b j 3"]:
    """`source` aligned to `target` by the best similarity transform, which `reflection` allows to mirror."""
    source_mean, target_mean = source.mean(-2, keepdims=True), target.mean(-2, keepdims=True)
    a, b = source - source_mean, target - target_mean
    U, S, Vt = np.linalg.svd(np.swapaxes(a, -1, -2) @ b)
    sign = np.ones(S.shape[:-1]) if reflection else np.sign(np.linalg.det(U @ Vt))
    S[..., -1] *= sign
    U[..., :, -1] *= sign[..., None]
    scale = S.sum(-1) / np.square(a).sum((-1, -2))
    return scale[..., None, None] * (a @ (U @ Vt)) + target_mean


def reprojection_px(
    projected: Float[ndarray, "*b j 2"], keypoints: Float[ndarray, "*b j 2"], confidence: Float[ndarray, "*b j"]
) -> Float[ndarray, "*b"]:
    """Mean distance in pixels of projected joints to keypoints, weighted by confidence; NaN where none is seen."""
    distance = np.where(confidence > 0, np.linalg.norm(projected - keypoints, axis=-1), 0.0)
    total = confidence.sum(-1)
    return (distance * confidence).sum(-1) / np.where(total > 0, total, np.nan)
