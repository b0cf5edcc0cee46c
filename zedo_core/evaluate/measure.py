"""The numbers of every sample, from hypotheses and truth."""

from __future__ import annotations

import numpy as np
from numpy import ndarray

from zedo_core.data import Samples
from zedo_core.lifting import expected_joint_error, expected_pose_error
from zedo_core.metrics import auc, bone_errors, joint_errors, pa_mpjpe, pck, reprojection_px, symmetry_errors
from zedo_core.skeleton import H36M17, LSP14
from zedo_core.types import Lifted

ROOT = H36M17.index("pelvis")
# Measured for every hypothesis (n, h); all others of `measure` for the chosen one alone.
PER_HYPOTHESIS = ("mpjpe", "pa_mpjpe", "mpjpe_14", "pa_mpjpe_14", "official", "pa_official", "pck", "auc")


def measure(samples: Samples, found: Lifted) -> dict[str, ndarray]:
    """Per sample: errors in metres or pixels, shares in 0..1; the chosen hypothesis is the first.

    `official` follows the official ZeDO code: the prediction is not moved to its root, and its
    Procrustes may mirror. `*_14` are over the joints of LSP-14. Joints without truth are left out.
    """
    hypotheses, truth = found.joints.astype(float), samples.joints_cam
    known = H36M17.indices(samples.evaluated)
    fourteen = [joint for joint in H36M17.indices(LSP14.joints) if joint in known]
    truths = np.broadcast_to(truth[:, None], hypotheses.shape)
    errors = joint_errors(hypotheses, truths, ROOT)
    placed = hypotheses - found.origin[:, :, None].astype(float)
    unrooted = np.linalg.norm(placed - (truths - truths[:, :, [ROOT]]), axis=-1)
    chosen = hypotheses[:, 0]
    edges = [edge for edge in H36M17.edges if set(edge) <= set(known)]
    pairs = [pair for pair in H36M17.bone_pairs if set(pair[0]) <= set(known)]
    return {
        "mpjpe": errors[..., known].mean(-1),
        "pa_mpjpe": pa_mpjpe(hypotheses[:, :, known], truths[:, :, known]),
        "mpjpe_14": errors[..., fourteen].mean(-1),
        "pa_mpjpe_14": pa_mpjpe(hypotheses[:, :, fourteen], truths[:, :, fourteen]),
        "official": unrooted[..., known].mean(-1),
        "pa_official": pa_mpjpe(hypotheses[:, :, known], truths[:, :, known], reflection=True),
        "pck": pck(errors[..., known]),
        "auc": auc(errors[..., known]),
        "joint": errors[:, 0],
        "position": np.linalg.norm(chosen[:, ROOT] - truth[:, ROOT], axis=-1),
        "reprojection": reprojection_px(_pixels(chosen, samples.K), samples.xy, samples.confidence),
        "bones": bone_errors(chosen[:, :], truth, edges),
        "symmetry": symmetry_errors(chosen, pairs),
        "spread": expected_joint_error(found.spread),
        "score": -expected_pose_error(-found.score),
        "chosen": found.joints[:, 0],
    }


def _pixels(joints_cam: ndarray, K: ndarray) -> ndarray:
    points = joints_cam @ np.swapaxes(K, 1, 2)
    return points[..., :2] / points[..., 2:]
