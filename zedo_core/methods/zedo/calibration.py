"""Errors in metres from ZeDO's residuals and spreads, calibrated on motions that the packaged prior has not seen.

By default: 6000 poses, lifted with ten hypotheses from keypoints that were exact, or with 2 px of noise and 15 %
missing, 5 px of noise, or 8 px; for joints that were not seen 4000, with 2 px of noise and without legs, hips, an arm,
one side, all but head and shoulders, or 15 % of the joints. With poses lifted by ERD: 4200 and 1000, of the former also
with noise like a detector's, of strength 1 and 0.5, and with a tenth of the joints 60 px off.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from zedo_core.methods.zedo.options import ZedoOptions


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """Errors in metres as functions of what the hypotheses tell.

    Mean joint error of the chosen pose, from its residual r under prior and rays and the share u of the joints that
    were not seen: (`least_m` + `scale` r^`power`) (1 + `unseen_share` u^`unseen_exponent`). RMS error of a joint, from
    the spread s of its hypotheses: `spread_scale` s^`spread_power`.
    """

    least_m: float
    scale: float
    power: float
    unseen_share: float
    unseen_exponent: float
    spread_scale: float
    spread_power: float
    unseen_scale: float  # as the two above, for joints that were not seen
    unseen_power: float

    def pose_error(self, residual_m: Float[ndarray, "b h"], seen: Bool[ndarray, "b j"]) -> Float[ndarray, "b h"]:
        """Expected mean joint error in metres, relative to the root, of poses with a residual of `residual_m`."""
        unseen = (~seen).mean(-1, keepdims=True, dtype=residual_m.dtype)
        error = self.least_m + self.scale * residual_m**self.power
        return error * (1 + self.unseen_share * unseen**self.unseen_exponent)

    def joint_error(self, spread_m: Float[ndarray, "b j"], seen: Bool[ndarray, "b j"]) -> Float[ndarray, "b j"]:
        """Expected RMS error in metres, relative to the root, of joints whose hypotheses have this spread."""
        unseen = self.unseen_scale * spread_m**self.unseen_power
        return np.where(seen, self.spread_scale * spread_m**self.spread_power, unseen)


# Poses: within 5 % in each decile of the residuals (12 % on other data sets). Even a perfect fit leaves the depth
# ambiguous. With joints that were not seen, the error is on average 14 % smaller (without an arm) to 7 % larger
# (without all but head and shoulders); on the test motions 6 % smaller to 11 % larger.
# Joints: within 7 % up to 130 mm of spread; for the twelfth of the joints above, the error is 10 to 40 % larger. A
# constant factor would be off by four times: hypotheses share errors, so that the error is larger than a small spread
# and smaller than a large one. Joints that were not seen: within 9 % in each twentieth of the spreads (16 % on the test
# motions). Where only head and shoulders were seen, so that the root was not, their errors are 40 % larger.
PRIOR_ALONE = Calibration(
    least_m=0.0420,
    scale=0.650,
    power=1.0,
    unseen_share=0.46,
    unseen_exponent=1.0,
    spread_scale=0.303,
    spread_power=0.387,
    unseen_scale=0.730,
    unseen_power=0.662,
)
# Poses: within 3 % in each twelfth of the residuals; by kinds of keypoints from 16 % smaller (exact) to 13 % larger (a
# detector's noise), which the residual does not tell apart. Joints: within 9 % in each twentieth of the spreads; those
# that were not seen within 20 %, the smallest tenth excepted.
REGRESSED = Calibration(
    least_m=0.0,
    scale=0.339,
    power=0.440,
    unseen_share=2.1,
    unseen_exponent=3.0,
    spread_scale=0.542,
    spread_power=0.537,
    unseen_scale=1.005,
    unseen_power=0.676,
)


def calibration_of(options: ZedoOptions) -> Calibration:
    """The calibration for the kind of hypotheses that the options give."""
    return REGRESSED if options.regressed else PRIOR_ALONE
