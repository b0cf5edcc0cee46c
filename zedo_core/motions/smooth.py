"""Smoothing over time: less jitter in depth, the direction that one view constrains least; projections barely change.

Each joint of a track becomes the motion x(t) that minimises, over the frames in which the person is present,

    sum_t [ w_t d_t^2 + ACROSS |a_t|^2 ] + lambda * integral |x''|^2 dt,      lambda = (2 pi f)^-4 / dt,

where d_t and a_t are the differences of x(t) from the lifted joint along and across its ray: a Whittaker smoother
(Eilers 2003) with the penalty of a cubic spline, zero phase, exact for motion at constant velocity, for uneven times.
It halves movements of frequency f in depth, and those of ACROSS^(1/4) = 3.2 f across the rays. The weights w_t are
Huber weights of the deviation of a joint's depth from the median of the surrounding frames, so that a limb whose depth
flips for a frame or two does not pull its neighbours. (Weights from the residuals of the smoother itself treat a person
who begins to walk after standing still as an outlier; on walks they were 25 mm worse.)
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import scipy  # its parts load when they are used
from jaxtyping import Float
from numpy import ndarray

from zedo_core.errors import InputError
from zedo_core.motions import DEFAULT_SMOOTHING
from zedo_core.motions.timeline import motions
from zedo_core.types import Poses

# Cut-off frequency in Hz for movements in depth, at which their amplitude is halved.
STRENGTHS: dict[str, float | None] = {"off": None, "light": 3.0, "strong": 1.5}

ACROSS = 100.0  # weight of deviations across the rays relative to those along them

_WINDOW = 7  # frames of the median that a depth is compared with
_HUBER = 1.5  # robust standard deviations
_MIN_SCALE_M = 0.03  # smallest scale of depth deviations: limbs move as much between frames
_NEAREST_M = 0.01  # poses with a joint nearer to the camera plane are not smoothed, since it has no ray
_MIN_FRAMES = 3  # fewer cannot deviate from a constant velocity


def smooth(poses: Poses, strength: str = DEFAULT_SMOOTHING) -> Poses:
    """The poses with the chosen hypotheses of every track smoothed over time; `strength` is off, light or strong.

    Gaps are not filled, and a motion ends at a gap of more than half a second; motions of one or two frames stay as
    they are. The other hypotheses are unchanged. InputError for an unknown strength.
    """
    frequency = strength_of(strength)
    provenance = replace(poses.provenance, options={**poses.provenance.options, "smooth": strength})
    if frequency is None:
        return replace(poses, provenance=provenance)
    best, joints = poses.best.astype(np.float64), poses.joints.copy()
    usable = np.all(np.nan_to_num(best[..., 2], nan=-np.inf) > _NEAREST_M, axis=-1)
    for rows, times_s in motions(poses, usable):
        if len(rows) >= _MIN_FRAMES:
            joints[rows, poses.chosen[rows]] = smooth_motion(best[rows], times_s, frequency)
    return replace(poses, joints=joints, provenance=provenance)


def strength_of(name: str) -> float | None:
    """The cut-off frequency in Hz of a strength by name, None for `off`; InputError for an unknown one."""
    if name not in STRENGTHS:
        raise InputError(f"expected a smoothing strength of {', '.join(STRENGTHS)}, got '{name}'")
    return STRENGTHS[name]


def smooth_motion(
    joints_cam: Float[ndarray, "t j 3"], times_s: Float[ndarray, " t"], frequency_hz: float
) -> Float[ndarray, "t j 3"]:
    """Smooth one motion, in metres in camera axes, as described at the top of this module."""
    step_s = float(np.median(np.diff(times_s)))
    penalty = _bending_penalty(times_s) / step_s / (2 * np.pi * frequency_hz) ** 4
    return np.stack([_smooth_joint(joint, penalty) for joint in np.moveaxis(joints_cam, 1, 0)], axis=1)


def _smooth_joint(joint_cam: Float[ndarray, "t 3"], penalty: Float[ndarray, "3 t"]) -> Float[ndarray, "t 3"]:
    distance_m = np.linalg.norm(joint_cam, axis=-1)
    ray = joint_cam / distance_m[:, None]
    along = ray[:, :, None] * ray[:, None]
    weights = _huber_weights(distance_m)[:, None, None] * along + ACROSS * (np.eye(3) - along)
    return _solve(joint_cam, weights, penalty)


def _huber_weights(distance_m: Float[ndarray, " t"]) -> Float[ndarray, " t"]:
    """Huber weights of the deviations of distances from their running median."""
    deviation_m = np.abs(distance_m - scipy.ndimage.median_filter(distance_m, _WINDOW, mode="nearest"))
    scale_m = max(1.4826 * float(np.median(deviation_m)), _MIN_SCALE_M)  # 1.4826 MAD estimates a Gaussian's sigma
    return np.minimum(1.0, _HUBER * scale_m / np.maximum(deviation_m, scale_m))


def _solve(
    points: Float[ndarray, "t 3"], weights: Float[ndarray, "t 3 3"], penalty: Float[ndarray, "3 t"]
) -> Float[ndarray, "t 3"]:
    """Solve (weights + penalty) x = weights points in LAPACK's lower band form: 3 t unknowns, bandwidth 6."""
    bands = np.zeros((7, points.size))
    bands[::3] = np.repeat(penalty, 3, axis=1)
    for row in range(3):
        for column in range(row + 1):
            bands[row - column, column::3] += weights[:, row, column]
    right = np.einsum("tij,tj->ti", weights, points)
    return scipy.linalg.solveh_banded(bands, right.ravel(), lower=True).reshape(points.shape)


def _bending_penalty(times_s: Float[ndarray, " t"]) -> Float[ndarray, "3 t"]:
    """Lower bands of D'D, where |D x|^2 is the integral of |x''|^2 by divided differences at uneven times."""
    before, after = np.diff(times_s)[:-1], np.diff(times_s)[1:]
    whole = before + after
    rows = np.stack([2 / (before * whole), -2 / (before * after), 2 / (after * whole)]) * np.sqrt(whole / 2)
    bands = np.zeros((3, len(times_s)))
    inner = np.arange(len(before))
    for i in range(3):
        for k in range(i + 1):
            bands[i - k, inner + k] += rows[i] * rows[k]  # indices are unique for each (i, k)
    return bands
