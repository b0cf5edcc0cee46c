"""Joints as markers of motion capture, named as OpenSim users know them from Pose2Sim: RHip, LBigToe, Neck, ..."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from zedo_core.export._axes import axes_of, points_in
from zedo_core.export._tracks import Recording, record
from zedo_core.skeleton import FEET
from zedo_core.types import Poses

_CENTRAL = {"pelvis": "Hip", "thorax": "Neck", "neck_nose": "Nose", "head_top": "Head"}


def marker_name(joint: str) -> str:
    """The marker of a joint: `right_big_toe` is RBigToe."""
    if joint in _CENTRAL:
        return _CENTRAL[joint]
    side, _, part = joint.partition("_")
    words = f"{side[0]}_{part}" if side in ("left", "right") and part else joint
    return "".join(word[:1].upper() + word[1:] for word in words.split("_"))


def record_markers(poses: Poses, path: Path) -> tuple[Recording, tuple[str, ...], str]:
    """The poses as a recording of markers, their names, and the axes: those recorded, or with y up.

    Heels and toes are markers where they are known. InputError when there is no person.
    """
    axes = axes_of(poses, "world-yup")
    points, feet, _ = points_in(poses, axes)
    names = tuple(map(marker_name, poses.skeleton.joints))
    if feet is not None:
        known = [i for i in range(len(FEET)) if np.isfinite(feet[:, i]).any()]
        points = np.concatenate([points, feet[:, known]], axis=1)
        names += tuple(marker_name(FEET[i]) for i in known)
    return record(poses, path, points), names, axes
