"""The metrics of every sample, from hypotheses and ground truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy import ndarray

from zedo_core.data import Samples
from zedo_core.metrics import auc, bone_errors, joint_errors, pa_mpjpe, pck, reprojection_px, symmetry_errors
from zedo_core.skeleton import H36M17, LSP14
from zedo_core.types import Lifted

ROOT = H36M17.index("pelvis")
# Metrics of every hypothesis (n, h); the others of `measure` are for the chosen one only.
PER_HYPOTHESIS = ("mpjpe", "pa_mpjpe", "mpjpe_14", "pa_mpjpe_14", "official", "pa_official", "pck", "auc")


def measure(samples: Samples, lifted: Lifted) -> dict[str, ndarray]:
    """Per sample: errors in metres or pixels, fractions in 0..1; the chosen hypothesis is the first.

    `official` follows the official ZeDO code: the prediction is not made relative to its root, and Procrustes
    alignment may reflect it. `*_14` are over the joints of LSP-14. Joints without ground truth are left out. `spread`
    and `score` are included if the method provides them. A sample with a pose that is not finite has NaN everywhere.
    """
    finite = np.asarray(np.isfinite(lifted.joints).all((1, 2, 3)))
    if lifted.origin is not None:
        finite &= np.isfinite(lifted.origin).all((1, 2))
    if finite.all():
        return _measure(samples, lifted)
    filled = np.where(finite[:, None, None, None], lifted.joints, samples.joints_cam[:, None])
    origin = None if lifted.origin is None else np.where(finite[:, None, None], lifted.origin, 0.0)
    measured = _measure(samples, replace(lifted, joints=filled.astype(lifted.joints.dtype), origin=origin))
    nan = {name: np.where(finite.reshape(-1, *[1] * (v.ndim - 1)), v, np.nan) for name, v in measured.items()}
    return {name: values.astype(measured[name].dtype) for name, values in nan.items()}


def _measure(samples: Samples, lifted: Lifted) -> dict[str, ndarray]:
    """The same for poses that are finite."""
    hypotheses, truth = lifted.joints.astype(float), samples.joints_cam
    known = H36M17.indices(samples.evaluated)
    fourteen = [joint for joint in H36M17.indices(LSP14.joints) if joint in known]
    truths = np.broadcast_to(truth[:, None], hypotheses.shape)
    errors = joint_errors(hypotheses, truths, ROOT)
    origin = hypotheses[:, :, ROOT] if lifted.origin is None else lifted.origin.astype(float)
    untranslated = hypotheses - origin[:, :, None]
    official = np.linalg.norm(untranslated - (truths - truths[:, :, [ROOT]]), axis=-1)
    chosen = hypotheses[:, 0]
    edges = [edge for edge in H36M17.edges if set(edge) <= set(known)]
    pairs = [pair for pair in H36M17.bone_pairs if set(pair[0]) <= set(known)]
    optional = {"spread": lifted.spread, "score": lifted.score}
    return {
        "mpjpe": errors[..., known].mean(-1),
        "pa_mpjpe": pa_mpjpe(hypotheses[:, :, known], truths[:, :, known]),
        "mpjpe_14": errors[..., fourteen].mean(-1),
        "pa_mpjpe_14": pa_mpjpe(hypotheses[:, :, fourteen], truths[:, :, fourteen]),
        "official": official[..., known].mean(-1),
        "pa_official": pa_mpjpe(hypotheses[:, :, known], truths[:, :, known], reflection=True),
        "pck": pck(errors[..., known]),
        "auc": auc(errors[..., known]),
        "joint": errors[:, 0],
        "position": np.linalg.norm(chosen[:, ROOT] - truth[:, ROOT], axis=-1),
        "reprojection": reprojection_px(_pixels(chosen, samples.K), samples.xy, samples.confidence),
        "bones": bone_errors(chosen[:, :], truth, edges),
        "symmetry": symmetry_errors(chosen, pairs),
        "chosen": lifted.joints[:, 0],
        **{name: values for name, values in optional.items() if values is not None},
    }


def _pixels(joints_cam: ndarray, K: ndarray) -> ndarray:
    points = joints_cam @ np.swapaxes(K, 1, 2)
    return points[..., :2] / points[..., 2:]
