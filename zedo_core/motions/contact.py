"""Which feet stand, from the motion of the ankles."""

from __future__ import annotations

import numpy as np
import scipy  # its parts load when they are used
from jaxtyping import Bool, Float
from numpy import ndarray

from zedo_core.motions.fit import along_rays
from zedo_core.skeleton import Skeleton

_SLOW_M_S = 0.25  # across the ray; a standing ankle still turns above the foot
_LOW_M = 0.12  # above the lowest ankle of the person at about that time
_ABOUT_S, _MEAN_S, _LEAST_S = 0.5, 0.1, 0.1  # time of that, over which speeds are averaged, and of the shortest contact
ANKLES = ("left_ankle", "right_ankle")


def contacts(
    joints: Float[ndarray, "t j 3"], times_s: Float[ndarray, " t"], up: Float[ndarray, "3"], skeleton: Skeleton
) -> Bool[ndarray, "t 2"]:
    """Whether the left and the right foot stand in each frame of a motion, in metres.

    A foot stands while its ankle is slow across its ray, and hardly higher than the lower one about then in the
    direction `up`. (Depths are uncertain: by speeds along the rays as well, a fifth of the contacts is missed.)
    """
    if len(joints) < 2:
        return np.zeros((len(joints), 2), bool)
    ankles = joints[:, skeleton.indices(ANKLES)]
    step_s = float(np.median(np.diff(times_s)))
    velocity = np.gradient(ankles, times_s, axis=0)
    velocity -= along_rays(velocity, ankles)
    speed = np.linalg.norm(
        scipy.ndimage.uniform_filter1d(velocity, _frames(_MEAN_S, step_s), axis=0, mode="nearest"), axis=-1
    )
    height = ankles @ up
    lowest = scipy.ndimage.minimum_filter1d(height.min(-1), _frames(2 * _ABOUT_S, step_s), mode="nearest")
    standing = (speed < _SLOW_M_S) & (height - lowest[:, None] < _LOW_M)
    shortest = min(_frames(_LEAST_S, step_s), len(joints))
    return scipy.ndimage.binary_opening(standing, np.ones((shortest, 1), bool))


def _frames(duration_s: float, step_s: float) -> int:
    """An odd number of frames, at least 1."""
    return 2 * round(duration_s / step_s / 2) + 1
