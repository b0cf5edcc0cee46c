"""Smoothing over time: less jitter in depth, where one view knows least, and the poses stay on their keypoints.

Each joint of a track is a motion x(t) that minimises, over the frames in which the person is present,

    sum_t [ w_t d_t^2 + ACROSS |a_t|^2 ] + lambda * integral |x''|^2 dt,      lambda = (2 pi f)^-4 / dt,

where d_t and a_t are what x(t) differs by from the lifted joint along and across its ray: a Whittaker smoother (Eilers
2003) with a cubic spline's penalty, zero phase, exact on any motion at constant velocity, for uneven times. It halves
movements of frequency f in depth, and across the rays those of ACROSS^(1/4) = 3.2 f. The weights w_t are Huber's, by
how far a joint's depth is from the median of the frames around it, so that a limb whose depth flips for a frame or
two does not pull its neighbours. (Weights from the residuals of the smoother itself take a person who begins to walk
after standing still for an outlier; on walks they were 25 mm worse.)
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy.linalg import solveh_banded
from scipy.ndimage import median_filter

from zedo_core.errors import InputError
from zedo_core.motions.timeline import motions, times_of
from zedo_core.types import Poses

# Frequency in Hz from which movements in depth count as jitter: more than half of their size goes.
STRENGTHS: dict[str, float | None] = {"off": None, "light": 3.0, "strong": 1.5}
DEFAULT_STRENGTH = "light"

ACROSS = 100.0  # how much firmer a pose is held across its rays than along them

_WINDOW = 7  # frames whose median a depth is compared with
_HUBER = 1.5  # robust standard deviations
_LEAST_SCALE_M = 0.03  # deviation of depths that is no reason for doubt: limbs move as much between frames
_NEAREST_M = 0.01  # a pose with a joint nearer to the camera plane has no rays to keep to
_FEWEST = 3  # frames that can deviate from a constant velocity


def smooth(poses: Poses, strength: str = DEFAULT_STRENGTH) -> Poses:
    """The same poses with the chosen ones of every track smoothed over time; `strength` is off, light or strong.

    Gaps stay gaps and motions end at those of more than half a second; tracks of one or two frames stay as they are.
    The other hypotheses are not touched. InputError for an unknown strength.
    """
    frequency = strength_of(strength)
    provenance = replace(poses.provenance, options={**poses.provenance.options, "smooth": strength})
    if frequency is None:
        return replace(poses, provenance=provenance)
    times_s, best = times_of(poses), poses.best.astype(np.float64)
    joints = poses.joints.copy()
    usable = poses.present & (np.nan_to_num(best[..., 2], nan=-np.inf) > _NEAREST_M).all(-1)
    for p in range(len(poses.track_ids)):
        for rows in motions(np.flatnonzero(usable[:, p]), times_s):
            if len(rows) < _FEWEST:
                continue
            joints[rows, p, poses.chosen[rows, p]] = smooth_motion(best[rows, p], times_s[rows], frequency)
    return replace(poses, joints=joints, provenance=provenance)


def strength_of(name: str) -> float | None:
    """The frequency in Hz of a strength, None for `off`; InputError when there is none of that name."""
    if name not in STRENGTHS:
        raise InputError(f"expected a smoothing of {', '.join(STRENGTHS)}, got '{name}'")
    return STRENGTHS[name]


def smooth_motion(
    joints_cam: Float[ndarray, "t j 3"], times_s: Float[ndarray, " t"], frequency_hz: float
) -> Float[ndarray, "t j 3"]:
    """One person's motion without a gap, in metres in camera axes, smoothed as the head of this module says."""
    step_s = float(np.median(np.diff(times_s)))
    penalty = _bending(times_s) / step_s / (2 * np.pi * frequency_hz) ** 4
    return np.stack([_smooth_joint(joint, penalty) for joint in np.moveaxis(joints_cam, 1, 0)], axis=1)


def _smooth_joint(joint_cam: Float[ndarray, "t 3"], penalty: Float[ndarray, "3 t"]) -> Float[ndarray, "t 3"]:
    distance_m = np.linalg.norm(joint_cam, axis=-1)
    ray = joint_cam / distance_m[:, None]
    along = ray[:, :, None] * ray[:, None]
    weights = _trust(distance_m)[:, None, None] * along + ACROSS * (np.eye(3) - along)
    return _solved(joint_cam, weights, penalty)


def _trust(distance_m: Float[ndarray, " t"]) -> Float[ndarray, " t"]:
    """Huber's weights of distances by how far they are from the median around them."""
    off_m = np.abs(distance_m - median_filter(distance_m, _WINDOW, mode="nearest"))
    scale_m = max(1.4826 * float(np.median(off_m)), _LEAST_SCALE_M)  # 1.4826 MAD is a Gaussian's deviation
    return np.minimum(1.0, _HUBER * scale_m / np.maximum(off_m, scale_m))


def _solved(
    points: Float[ndarray, "t 3"], weights: Float[ndarray, "t 3 3"], penalty: Float[ndarray, "3 t"]
) -> Float[ndarray, "t 3"]:
    """The x that solves (weights + penalty) x = weights points, in LAPACK's lower band form: 3 t unknowns, band 6."""
    bands = np.zeros((7, points.size))
    bands[::3] = np.repeat(penalty, 3, axis=1)
    for row in range(3):
        for column in range(row + 1):
            bands[row - column, column::3] += weights[:, row, column]
    right = np.einsum("tij,tj->ti", weights, points)
    return solveh_banded(bands, right.ravel(), lower=True).reshape(points.shape)


def _bending(times_s: Float[ndarray, " t"]) -> Float[ndarray, "3 t"]:
    """Lower bands of D'D where |D x|^2 is the integral of |x''|^2, by divided differences at uneven times."""
    before, after = np.diff(times_s)[:-1], np.diff(times_s)[1:]
    whole = before + after
    rows = np.stack([2 / (before * whole), -2 / (before * after), 2 / (after * whole)]) * np.sqrt(whole / 2)
    bands = np.zeros((3, len(times_s)))
    inner = np.arange(len(before))
    for i in range(3):
        for k in range(i + 1):
            bands[i - k, inner + k] += rows[i] * rows[k]  # the positions of one (i, k) all differ
    return bands
