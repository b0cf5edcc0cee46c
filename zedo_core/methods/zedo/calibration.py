"""Errors in metres from ZeDO's residuals and spreads, calibrated on motions that the packaged prior has not seen.

6000 poses, lifted with ten hypotheses from keypoints that were exact, or with 2 px of noise and 15 % missing, 5 px of
noise, or 8 px.
"""

from __future__ import annotations

from jaxtyping import Float
from numpy import ndarray

# Mean joint error of the chosen pose as a function of its residual under prior and rays: LEAST + SLOPE residual, within
# 5 % in each decile of the residuals (12 % on other data sets). Even a perfect fit leaves the depth ambiguous.
_MIN_ERROR_M, _ERROR_SLOPE = 0.0420, 0.650
# RMS error of a joint as a function of the spread of its hypotheses: SCALE (spread / 1 m) ^ POWER, within 7 % up to
# 130 mm of spread; for the twelfth of the joints above, the error is 10 to 40 % larger. A constant factor would be off
# by four times: hypotheses share errors, so that the error is larger than a small spread and smaller than a large one.
_SPREAD_SCALE_M, _SPREAD_POWER = 0.303, 0.387


def expected_pose_error(residual_m: Float[ndarray, "*b"]) -> Float[ndarray, "*b"]:
    """Expected mean joint error in metres, relative to the root, of poses with a residual of `residual_m`."""
    return _MIN_ERROR_M + _ERROR_SLOPE * residual_m


def expected_joint_error(spread_m: Float[ndarray, "*b"]) -> Float[ndarray, "*b"]:
    """Expected RMS error in metres, relative to the root, of joints whose hypotheses have a spread of `spread_m`."""
    return _SPREAD_SCALE_M * spread_m**_SPREAD_POWER
