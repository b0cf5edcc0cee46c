"""What a human body can do, told from joint positions: for judging poses that no ground truth belongs to."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from zedo_core.metrics import bone_lengths
from zedo_core.skeleton import Skeleton

# Degrees. Wider than textbook ranges of motion by what marker-based positions err.
MOST_FLEXION_DEG = 165.0  # of elbows and knees: the calf lies on the thigh
MOST_HYPEREXTENSION_DEG = 20.0  # knees bent forwards
MOST_TRUNK_DEG = 110.0  # the thighs' pelvis against the chest, and the chest against the head
MOST_ASYMMETRY = 0.15  # of the lengths of left and right bones, as a share of their mean

_HINGES = (("shoulder", "elbow", "wrist"), ("hip", "knee", "ankle"))
_SIDES = ("left", "right")


def within_limits(poses: Float[ndarray, "n j 3"], skeleton: Skeleton) -> Bool[ndarray, " n"]:
    """Whether elbows, knees and trunk are in positions that people can take; joints that a set lacks are not asked.

    `poses` in any right-handed axes, in metres.
    """
    fine = np.ones(len(poses), bool)
    for side in _SIDES:
        for upper, middle, lower in _HINGES:
            names = tuple(f"{side}_{joint}" for joint in (upper, middle, lower))
            if set(names) <= set(skeleton.joints):
                fine &= _flexion_deg(poses, skeleton, names) <= MOST_FLEXION_DEG
    return fine & _knees_bend_backwards(poses, skeleton) & _trunk_is_not_folded(poses, skeleton)


def asymmetry(poses: Float[ndarray, "n j 3"], skeleton: Skeleton) -> Float[ndarray, " n"]:
    """Largest difference of a left and a right bone in length, as a share of their mean; 0 without pairs."""
    if not skeleton.bone_pairs:
        return np.zeros(len(poses))
    left, right = (bone_lengths(poses, bones) for bones in zip(*skeleton.bone_pairs, strict=True))
    return (2 * np.abs(left - right) / np.maximum(left + right, 1e-9)).max(-1)


def _flexion_deg(poses: ndarray, skeleton: Skeleton, names: tuple[str, ...]) -> Float[ndarray, " n"]:
    """0 for a straight limb."""
    upper, middle, lower = (poses[:, skeleton.index(name)] for name in names)
    return np.degrees(_angle(middle - upper, lower - middle))


def _knees_bend_backwards(poses: ndarray, skeleton: Skeleton) -> Bool[ndarray, " n"]:
    """The shank points at most a little to the front of the thigh; front is square to the hips and the thigh."""
    fine = np.ones(len(poses), bool)
    legs = {f"{side}_{joint}" for side in _SIDES for joint in ("hip", "knee", "ankle")}
    if not legs <= set(skeleton.joints):
        return fine
    joint = {name: poses[:, skeleton.index(name)] for name in legs}
    to_the_left = joint["left_hip"] - joint["right_hip"]
    for side in _SIDES:
        thigh = joint[f"{side}_knee"] - joint[f"{side}_hip"]
        shank = joint[f"{side}_ankle"] - joint[f"{side}_knee"]
        front = np.cross(thigh, to_the_left)
        # a leg lifted far to the side leaves open where its front is
        open_to_doubt = np.abs(np.cos(_angle(thigh, to_the_left))) > 0.7
        forwards = 90.0 - np.degrees(_angle(shank, front))
        fine &= open_to_doubt | (forwards <= MOST_HYPEREXTENSION_DEG) | (_angle(thigh, shank) < np.radians(20))
    return fine


def _trunk_is_not_folded(poses: ndarray, skeleton: Skeleton) -> Bool[ndarray, " n"]:
    chain = tuple(name for name in ("pelvis", "spine", "thorax", "head_top") if name in skeleton.joints)
    fine = np.ones(len(poses), bool)
    for start in range(len(chain) - 2):
        fine &= _flexion_deg(poses, skeleton, chain[start : start + 3]) <= MOST_TRUNK_DEG
    return fine


def _angle(a: Float[ndarray, "n 3"], b: Float[ndarray, "n 3"]) -> Float[ndarray, " n"]:
    """Radians between directions."""
    lengths = np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)
    return np.arccos(np.clip((a * b).sum(-1) / np.maximum(lengths, 1e-12), -1, 1))
