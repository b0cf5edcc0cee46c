"""Errors in metres from ZeDO's residuals and spreads, calibrated on motions that the packaged prior has not seen.

6000 poses, lifted with ten hypotheses from keypoints that were exact, or with 2 px of noise and 15 % missing, 5 px of
noise, or 8 px; for joints that were not seen 4000, with 2 px of noise and without legs, hips, an arm, one side, all but
head and shoulders, or 15 % of the joints.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

# Mean joint error of the chosen pose as a function of its residual under prior and rays: LEAST + SLOPE residual, within
# 5 % in each decile of the residuals (12 % on other data sets). Even a perfect fit leaves the depth ambiguous.
# Joints that were not seen add to it in proportion to their share: on average the error is 14 % smaller (without an
# arm) to 7 % larger (without all but head and shoulders); on the test motions 6 % smaller to 11 % larger.
_MIN_ERROR_M, _ERROR_SLOPE, _UNSEEN_SHARE = 0.0420, 0.650, 0.46
# RMS error of a joint as a function of the spread of its hypotheses: SCALE (spread / 1 m) ^ POWER, within 7 % up to
# 130 mm of spread; for the twelfth of the joints above, the error is 10 to 40 % larger. A constant factor would be off
# by four times: hypotheses share errors, so that the error is larger than a small spread and smaller than a large one.
_SPREAD_SCALE_M, _SPREAD_POWER = 0.303, 0.387
# The same for joints that were not seen, within 9 % in each twentieth of the spreads (16 % on the test motions). Where
# only head and shoulders were seen, so that the root was not, their errors are 40 % larger.
_UNSEEN_SCALE_M, _UNSEEN_POWER = 0.730, 0.662


def expected_pose_error(residual_m: Float[ndarray, "b h"], seen: Bool[ndarray, "b j"]) -> Float[ndarray, "b h"]:
    """Expected mean joint error in metres, relative to the root, of poses with a residual of `residual_m`."""
    unseen = (~seen).mean(-1, keepdims=True, dtype=residual_m.dtype)
    return (_MIN_ERROR_M + _ERROR_SLOPE * residual_m) * (1 + _UNSEEN_SHARE * unseen)


def expected_joint_error(spread_m: Float[ndarray, "b j"], seen: Bool[ndarray, "b j"]) -> Float[ndarray, "b j"]:
    """Expected RMS error in metres, relative to the root, of joints whose hypotheses have a spread of `spread_m`."""
    unseen = _UNSEEN_SCALE_M * spread_m**_UNSEEN_POWER
    return np.where(seen, _SPREAD_SCALE_M * spread_m**_SPREAD_POWER, unseen)
