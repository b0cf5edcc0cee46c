"""Bodies of known joint angles, built by forward kinematics with scipy's rotations."""

from __future__ import annotations

import numpy as np
from numpy import ndarray
from scipy.spatial.transform import Rotation

from zedo_core.skeleton import H36M17

MIDDLE = ("pelvis_tilt", "pelvis_list", "pelvis_rotation", "lumbar_bending", "lumbar_rotation")
HEAD = ("neck_flexion", "neck_bending")
LEG = ("hip_flexion", "hip_adduction", "hip_rotation", "knee_angle", "ankle_angle")
ARM = ("arm_flex", "arm_add", "arm_rot", "elbow_flex")
NAMES = (*MIDDLE, *HEAD, *(f"{name}_{side}" for side in "rl" for name in (*LEG, *ARM)))
# Largest values, in degrees, such that every decomposition is the only one.
_RANGE = {"pelvis_rotation": 179, "hip_flexion": 120, "arm_flex": 170, "arm_rot": 85, "knee_angle": 140}


def random_angles(count: int, seed: int = 0) -> dict[str, ndarray]:
    """Angles in degrees; knees and elbows are bent, so that axial rotations show."""
    rng = np.random.default_rng(seed)
    angles = {name: rng.uniform(-1, 1, count) * _RANGE.get(name.removesuffix("_r").removesuffix("_l"), 40)
              for name in NAMES}  # fmt: skip
    for side in "rl":
        for name in ("knee_angle", "elbow_flex"):
            angles[f"{name}_{side}"] = rng.uniform(35, 140, count)
    return angles


def standing(**others: float) -> dict[str, ndarray]:
    """Upright, facing x, with hanging arms, but for the `others`."""
    return {name: np.array([float(others.get(name, 0.0))]) for name in NAMES}


def body_of(angles: dict[str, ndarray]) -> dict[str, ndarray]:
    """Joints (n, 3) by name, y up, metres."""

    def turn(order: str, *names: str, signs: tuple[float, ...] = (1, 1, 1)) -> Rotation:
        values = [sign * angles[name] for sign, name in zip(signs, names, strict=False)]
        return Rotation.from_euler(order, np.stack(values, axis=-1).reshape(-1, len(names)), degrees=True)

    pelvis = turn("YXZ", "pelvis_rotation", "pelvis_list", "pelvis_tilt")
    torso = pelvis * turn("XY", "lumbar_bending", "lumbar_rotation")
    head = torso * turn("ZX", "neck_flexion", "neck_bending", signs=(-1, 1))
    joints = {"pelvis": pelvis.apply((0, 0, 0)) + np.array((0.3, 0.95, -2.0))}
    joints["thorax"] = joints["pelvis"] + torso.apply((0, 0.5, 0))
    joints["spine"] = joints["pelvis"] + torso.apply((0.02, 0.25, 0))
    joints["neck_nose"] = joints["thorax"] + head.apply((0.06, 0.12, 0))
    joints["head_top"] = joints["thorax"] + head.apply((0, 0.24, 0))
    for side, sign in (("right", 1), ("left", -1)):
        s = side[0]
        leg = pelvis * turn("ZXY", f"hip_flexion_{s}", f"hip_adduction_{s}", f"hip_rotation_{s}", signs=(1, sign, sign))
        shank = leg * turn("Z", f"knee_angle_{s}", signs=(-1,))
        foot = shank * turn("Z", f"ankle_angle_{s}")
        joints[f"{side}_hip"] = joints["pelvis"] + pelvis.apply((0, 0, 0.12 * sign))
        joints[f"{side}_knee"] = joints[f"{side}_hip"] + leg.apply((0, -0.44, 0))
        joints[f"{side}_ankle"] = joints[f"{side}_knee"] + shank.apply((0, -0.43, 0))
        joints[f"{side}_heel"] = joints[f"{side}_ankle"] + foot.apply((-0.05, -0.06, 0))
        joints[f"{side}_big_toe"] = joints[f"{side}_ankle"] + foot.apply((0.17, -0.06, 0))
        joints[f"{side}_small_toe"] = joints[f"{side}_ankle"] + foot.apply((0.12, -0.06, 0.07 * sign))
        arm = torso * turn("ZXY", f"arm_flex_{s}", f"arm_add_{s}", f"arm_rot_{s}", signs=(1, sign, sign))
        forearm = arm * turn("Z", f"elbow_flex_{s}")
        joints[f"{side}_shoulder"] = joints["thorax"] + torso.apply((0, -0.02, 0.17 * sign))
        joints[f"{side}_elbow"] = joints[f"{side}_shoulder"] + arm.apply((0, -0.28, 0))
        joints[f"{side}_wrist"] = joints[f"{side}_elbow"] + forearm.apply((0, -0.25, 0))
    return joints


def as_array(joints: dict[str, ndarray]) -> ndarray:
    """The 17 joints as (n, j, 3)."""
    return np.stack([joints[name] for name in H36M17.joints], axis=1)
