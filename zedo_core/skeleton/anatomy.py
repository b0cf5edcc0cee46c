"""Anatomical limits of a human body, from joint positions: a check of poses without ground truth."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from zedo_core.metrics import bone_lengths
from zedo_core.skeleton import Skeleton

# Wider than textbook ranges of motion, by the error of marker-based joint positions.
MAX_FLEXION_DEG = 165.0  # of elbows and knees: the calf lies on the thigh
MAX_HYPEREXTENSION_DEG = 20.0  # of knees, bent forwards
MAX_TRUNK_DEG = 110.0  # between pelvis and chest, and between chest and head
MAX_ASYMMETRY = 0.15  # difference in length of left and right bones, relative to their mean

_HINGES = (("shoulder", "elbow", "wrist"), ("hip", "knee", "ankle"))
_SIDES = ("left", "right")


def within_limits(poses: Float[ndarray, "n j 3"], skeleton: Skeleton) -> Bool[ndarray, " n"]:
    """Whether elbows, knees and trunk are within their ranges of motion; joints missing from the set are not checked.

    `poses` in any right-handed axes, in metres.
    """
    valid = np.ones(len(poses), bool)
    for side in _SIDES:
        for upper, middle, lower in _HINGES:
            names = tuple(f"{side}_{joint}" for joint in (upper, middle, lower))
            if set(names) <= set(skeleton.joints):
                valid &= _flexion_deg(poses, skeleton, names) <= MAX_FLEXION_DEG
    return valid & _knees_bend_backwards(poses, skeleton) & _trunk_is_not_folded(poses, skeleton)


def asymmetry(poses: Float[ndarray, "n j 3"], skeleton: Skeleton) -> Float[ndarray, " n"]:
    """Largest difference in length between a left and a right bone, relative to their mean; 0 without pairs."""
    if not skeleton.bone_pairs:
        return np.zeros(len(poses))
    left, right = (bone_lengths(poses, bones) for bones in zip(*skeleton.bone_pairs, strict=True))
    return (2 * np.abs(left - right) / np.maximum(left + right, 1e-9)).max(-1)


def _flexion_deg(poses: ndarray, skeleton: Skeleton, names: tuple[str, ...]) -> Float[ndarray, " n"]:
    """Angle between two successive bones; 0 for a straight limb."""
    upper, middle, lower = (poses[:, skeleton.index(name)] for name in names)
    return np.degrees(_angle(middle - upper, lower - middle))


def _knees_bend_backwards(poses: ndarray, skeleton: Skeleton) -> Bool[ndarray, " n"]:
    """Whether the shank points at most slightly in front of the thigh; front is perpendicular to hips and thigh."""
    valid = np.ones(len(poses), bool)
    legs = {f"{side}_{joint}" for side in _SIDES for joint in ("hip", "knee", "ankle")}
    if not legs <= set(skeleton.joints):
        return valid
    joint = {name: poses[:, skeleton.index(name)] for name in legs}
    leftwards = joint["left_hip"] - joint["right_hip"]
    for side in _SIDES:
        thigh = joint[f"{side}_knee"] - joint[f"{side}_hip"]
        shank = joint[f"{side}_ankle"] - joint[f"{side}_knee"]
        front = np.cross(thigh, leftwards)
        # the front of a leg that is raised far to the side is ambiguous
        ambiguous = np.abs(np.cos(_angle(thigh, leftwards))) > 0.7
        forwards_deg = 90.0 - np.degrees(_angle(shank, front))
        valid &= ambiguous | (forwards_deg <= MAX_HYPEREXTENSION_DEG) | (_angle(thigh, shank) < np.radians(20))
    return valid


def _trunk_is_not_folded(poses: ndarray, skeleton: Skeleton) -> Bool[ndarray, " n"]:
    chain = tuple(name for name in ("pelvis", "spine", "thorax", "head_top") if name in skeleton.joints)
    valid = np.ones(len(poses), bool)
    for start in range(len(chain) - 2):
        valid &= _flexion_deg(poses, skeleton, chain[start : start + 3]) <= MAX_TRUNK_DEG
    return valid


def _angle(a: Float[ndarray, "n 3"], b: Float[ndarray, "n 3"]) -> Float[ndarray, " n"]:
    """Radians between directions."""
    lengths = np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)
    return np.arccos(np.clip((a * b).sum(-1) / np.maximum(lengths, 1e-12), -1, 1))
