"""Conversion between joint sets, by joint name."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from zedo_core.skeleton.joint_sets import H36M17
from zedo_core.skeleton.skeleton import Skeleton

# How a missing joint is derived from those that a detector gives: the source joints, whose mean is taken, and the
# factor on the lowest of their confidences; the first possible entry is used. On a video with triangulated markers
# (YOLOv8n | OpenPose), limb joints were 37 | 30 px off, the midpoint of the hips 32 | 30, that of the shoulders
# 23 | 19, the nose 30 | 45, and the midpoint of the eyes 92 px from the head top. The factors of pelvis, spine and neck
# are lower than that suggests, since the joints of Human3.6M are not exactly these points; halving or doubling any
# factor changed the 3D pose by less than 3 mm.
_DERIVED: dict[str, tuple[tuple[tuple[str, ...], float], ...]] = {
    "pelvis": ((("left_hip", "right_hip"), 0.9),),
    "neck": ((("thorax",), 1.0), (("left_shoulder", "right_shoulder"), 0.9)),
    "thorax": ((("neck",), 1.0), (("left_shoulder", "right_shoulder"), 0.9)),
    "spine": ((("pelvis", "thorax"), 0.5),),
    "neck_nose": ((("nose",), 0.5), (("thorax", "head_top"), 0.3)),
    "nose": ((("neck_nose",), 0.5),),
    "head_top": ((("left_eye", "right_eye"), 0.1),),
}


@dataclass(frozen=True)
class Conversion:
    """Linear map from the joints of one set to those of another.

    `weights` (target, source): a target joint is the weighted mean of its sources; a row of zeros is a joint that
    cannot be derived. `factors` (target,) multiply the lowest confidence of the sources.
    """

    source: Skeleton
    target: Skeleton
    weights: NDArray[np.float64]
    factors: NDArray[np.float64]

    def points(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """Convert points (..., source joint, d) to (..., target joint, d)."""
        return np.einsum("ts,...sd->...td", self.weights, points)

    def confidence(self, confidence: NDArray[np.floating]) -> NDArray[np.float64]:
        """Convert confidences (..., source joint) to (..., target joint); 0 where a source is missing."""
        lowest = np.where(self.weights > 0, confidence[..., None, :], np.inf).min(axis=-1)
        return self.factors * np.where(np.isfinite(lowest), lowest, 0.0)


@cache
def conversion(source: Skeleton, target: Skeleton) -> Conversion:
    """The conversion from the joints of `source` to those of `target`."""
    rows = [_derive(source, joint, frozenset()) for joint in target.joints]
    weights = np.array([row for row, _ in rows])
    factors = np.array([factor for _, factor in rows])
    weights.setflags(write=False)
    factors.setflags(write=False)
    return Conversion(source, target, weights, factors)


def _derive(source: Skeleton, joint: str, pending: frozenset[str]) -> tuple[NDArray[np.float64], float]:
    """Weights over the source joints, and the confidence factor, of one target joint."""
    if joint in source.joints:
        return np.eye(len(source))[source.index(joint)], 1.0
    for sources, factor in _DERIVED.get(joint, ()):
        if pending & set(sources):
            continue
        parts = [_derive(source, name, pending | {joint}) for name in sources]
        if all(part > 0 for _, part in parts):
            row = np.mean([weights for weights, _ in parts], axis=0)
            return row, factor * min(part for _, part in parts)
    return np.zeros(len(source)), 0.0


def pelvis_joints(skeleton: Skeleton) -> list[int]:
    """The joints whose mean is the pelvis; all of them when the set has neither pelvis nor hips."""
    weights = conversion(skeleton, H36M17).weights[H36M17.index("pelvis")]
    return np.flatnonzero(weights).tolist() or list(range(len(skeleton)))
