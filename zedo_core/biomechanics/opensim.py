"""The coordinates of Rajagopal's model (2016) for poses: its inverse kinematics, segment by segment.

Angles and lengths in the model's own geometry: its hips are narrower than those of h36m-17, its trunk turns about a
point above and behind the hips, and leans backwards a little when all coordinates are 0. Lengths of the pelvis are
scaled to the width of the hips.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from zedo_core.biomechanics.angles import upright_points
from zedo_core.biomechanics.definitions import cardan, pelvis_axes, relative_angles
from zedo_core.types import Poses

PELVIS = ("pelvis_tilt", "pelvis_list", "pelvis_rotation")
PLACE = ("pelvis_tx", "pelvis_ty", "pelvis_tz")
_LEG = ("hip_flexion", "hip_adduction", "hip_rotation", "knee_angle", "ankle_angle")
_ARM = ("arm_flex", "arm_add", "arm_rot", "elbow_flex")
_COORDINATES = (
    *(f"{name}_{side}" for side in "rl" for name in _LEG),
    *("lumbar_extension", "lumbar_bending", "lumbar_rotation"),
    *(f"{name}_{side}" for side in "rl" for name in _ARM),
)
# The unscaled model in the axes of its pelvis, in metres from the middle of the hips.
_ORIGIN_M = (0.056, 0.078, 0.0)  # of the pelvis, between the spines of the ilium
_BACK_M = (-0.044, 0.160, 0.0)  # joint between pelvis and torso
_NECK_M = (-0.041, 0.545, 0.0)  # middle of the shoulders
_HIP_M, _MARKER_M = 0.077, 0.12  # of each hip from the middle, and of the joints of h36m-17


def coordinates(poses: Poses) -> dict[str, Float[ndarray, " n"]]:
    """Coordinates of all rows by name, in degrees and metres, NaN where unknown; those that nobody has are left out."""
    points = upright_points(poses)
    middle = points["pelvis"]
    pelvis = pelvis_axes(points) @ _lean()
    width = np.linalg.norm(points["right_hip"] - points["left_hip"], axis=-1)[:, None] / (2 * _MARKER_M)

    def in_pelvis(place_m: tuple[float, float, float]) -> Float[ndarray, "n 3"]:
        return middle + width * (pelvis @ np.array(place_m))

    points |= {"right_hip": in_pelvis((0, 0, _HIP_M)), "left_hip": in_pelvis((0, 0, -_HIP_M))}
    points["pelvis"] = in_pelvis(_BACK_M)
    turned = dict(zip((*PELVIS, *PLACE), (*cardan(pelvis), *in_pelvis(_ORIGIN_M).T), strict=True))
    relative = relative_angles(points, pelvis)
    found = turned | {name: relative[name] for name in _COORDINATES}
    return {name: values for name, values in found.items() if np.isfinite(values).any()}


def _lean() -> Float[ndarray, "3 3"]:
    """From axes with y along the trunk to those of the model's pelvis, in which it leans backwards."""
    x, y, _ = np.array(_NECK_M) / np.linalg.norm(_NECK_M)
    return np.array(((y, -x, 0.0), (x, y, 0.0), (0.0, 0.0, 1.0)))
