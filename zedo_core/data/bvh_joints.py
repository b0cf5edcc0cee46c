"""Matching the nodes of a BVH file with the joints of a person, and guessing its unit and upward axis.

Limbs are found by name, in the conventions of CMU (cgspeed), Mixamo and MotionBuilder, Biovision (also 3ds Max's own
skeleton) and 3ds Max's Biped; Unreal, Blender and Poser use the same words. Trunk and head are found from the tree.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from zedo_core.data.bvh import Bvh
from zedo_core.errors import FormatError
from zedo_core.skeleton import H36M17

# Words for the joints of a limb, without the side; the first that exists in a file is used. A clavicle is called
# shoulder if the next joint is called arm, or collar if that is called shoulder.
_LIMBS = {
    "hip": ("upleg", "upperleg", "thigh", "hip"),
    "knee": ("knee", "lowleg", "lowerleg", "calf", "shin", "leg"),
    "ankle": ("ankle", "foot"),
    "shoulder": ("arm", "uparm", "upperarm", "shldr", "shoulder"),
    "elbow": ("elbow", "forearm", "lowarm", "lowerarm"),
    "wrist": ("wrist", "hand"),
}
_SIDES = {"left": "left", "l": "left", "lft": "left", "right": "right", "r": "right", "rgt": "right"}
_PREFIX = re.compile(r"^(mixamorig\d*|bip\d+|character\d*)[\s_.\-]*", re.IGNORECASE)
_WORDS = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")
_HEAD_TOPS = ("headtop", "headtopend", "headend", "headnub")
_NECK = "neck"

# Lengths relative to the leg, from hip to knee to ankle, which is 0.85 m long in an adult.
_HEAD_PER_LEG = 0.135  # from the base of the skull to its top, for files without it
_MIN_HEAD_PER_LEG = 0.05
_MAX_OFFSET_PER_TRUNK = 0.25  # distance of a node from the middle of the trunk to be used as the spine
# Metres per unit, and the range of leg lengths in that unit: metric units, those of cgspeed's CMU files, and inches.
_UNITS = (
    (1.0, 0.4, 1.2),
    (0.01, 40.0, 120.0),
    (0.001, 400.0, 1200.0),
    (0.0254 / 0.45, 7.4, 19.5),
    (0.0254, 19.5, 40.0),
)


@dataclass(frozen=True)
class Person:
    """Joints of H36M-17 in the file's units and axes, and the length of a leg."""

    joints: Float[ndarray, "t 17 3"]
    leg: float


def match_person(path: Path, bvh: Bvh, nodes: Float[ndarray, "t k 3"]) -> Person:
    """The joints of H36M-17; FormatError names those for which there is no node.

    If there are nodes for all names of H36M-17, as in zedo's own BVH files, they are used directly. Otherwise, the
    pelvis is the midpoint of the hips, the thorax the (lower) neck joint, the spine the joint nearest to the middle of
    the trunk, neck_nose the head joint and head_top the end site of the head.
    """
    by_name = {name.lower(): k for k, name in enumerate(bvh.names) if name}
    if set(H36M17.joints) <= by_name.keys():
        joints = nodes[:, [by_name[joint] for joint in H36M17.joints]]
        return Person(joints, _leg({joint: joints[:, i] for i, joint in enumerate(H36M17.joints)}))
    limbs = match_limbs(bvh)
    head, neck = _match_head_and_neck(bvh)
    missing = [
        f"{side}_{part}" for part in _LIMBS for side in ("left", "right") if f"{side}_{part}" not in limbs
    ] + ([] if head is not None else ["head"])  # fmt: skip
    if missing:
        raise unmatched_error(path, bvh, missing)
    assert head is not None
    joints = {joint: nodes[:, k] for joint, k in limbs.items()}
    leg = _leg(joints)
    joints["pelvis"] = (joints["left_hip"] + joints["right_hip"]) / 2
    between = (joints["left_shoulder"] + joints["right_shoulder"]) / 2
    joints["thorax"] = between if neck is None else nodes[:, neck]
    joints["spine"] = _spine(bvh, nodes, head if neck is None else neck, joints["pelvis"], joints["thorax"])
    joints["neck_nose"] = nodes[:, head]
    joints["head_top"] = _head_top(bvh, nodes, head, joints["thorax"], leg)
    return Person(np.stack([joints[joint] for joint in H36M17.joints], axis=1), leg)


def match_limbs(bvh: Bvh) -> dict[str, int]:
    """The nodes of the limbs by the joint names of H36M-17, as far as they are found."""
    by_side_and_part: dict[tuple[str, str], int] = {}
    for k, name in enumerate(bvh.names):
        by_side_and_part.setdefault(_side_and_part(name), k)
    limbs = {}
    for side in ("left", "right"):
        for part, words in _LIMBS.items():
            k = next((by_side_and_part[side, word] for word in words if (side, word) in by_side_and_part), None)
            if k is not None:
                limbs[f"{side}_{part}"] = k
    return limbs


def guess_unit_m(path: Path, leg: float) -> float:
    """Metres per unit, guessed from the length of a leg; FormatError when no unit gives a human length."""
    for metres, low, high in _UNITS:
        if low <= leg < high:
            return metres
    raise FormatError(
        f"{path}: expected legs of a person in m, cm, mm, inches or CMU's unit, found {leg:.4g} units; give the metres "
        "per unit by --scale"
    )


def up_votes(person: Person) -> Float[ndarray, "3"]:
    """Sum over the frames of the unit vectors from the ankles to the thorax, in the file's axes."""
    ankles = person.joints[:, H36M17.indices(("left_ankle", "right_ankle"))].mean(1)
    up = person.joints[:, H36M17.index("thorax")] - ankles
    return (up / np.maximum(np.linalg.norm(up, axis=-1, keepdims=True), 1e-9)).sum(0)


def unmatched_error(path: Path, bvh: Bvh, missing: list[str]) -> FormatError:
    """The error for joints without a matching node."""
    names = [name for name in bvh.names if name]
    listed = ", ".join(names[:30]) + (f" and {len(names) - 30} more" if len(names) > 30 else "")
    return FormatError(
        f"{path}: expected joints by the names of CMU, Mixamo, Biovision or 3ds Max, could not match "
        f"{', '.join(missing)} among {listed}; rename them, or give poses as an array"
    )


def _side_and_part(name: str) -> tuple[str, str]:
    """The side and part in a name, such as (left, upleg) for `mixamorig:LeftUpLeg`; the trunk has an empty side."""
    words = [word.lower() for word in _WORDS.findall(_PREFIX.sub("", name.rsplit(":", 1)[-1].strip()))]
    side = next((_SIDES[word] for word in words if word in _SIDES), "")
    part = "".join(word for word in words if word not in _SIDES)
    if not side and part.startswith(("left", "right")):
        side = "left" if part.startswith("left") else "right"
        part = part.removeprefix(side)
    return side, part


def _match_head_and_neck(bvh: Bvh) -> tuple[int | None, int | None]:
    """The node of the head, and the lowest node of the neck."""
    parts = [_side_and_part(name) for name in bvh.names]
    head = next((k for k, side_and_part in enumerate(parts) if side_and_part == ("", "head")), None)
    neck = next((k for k, (side, part) in enumerate(parts) if not side and part.startswith(_NECK)), None)
    if head is None and neck is not None:  # in some rigs, the child of the neck is the end site of the head
        head = next((k for k, parent in enumerate(bvh.parents) if parent == neck), None)
    return head, neck


def _spine(
    bvh: Bvh, nodes: Float[ndarray, "t k 3"], top: int, pelvis: Float[ndarray, "t 3"], thorax: Float[ndarray, "t 3"]
) -> Float[ndarray, "t 3"]:
    middle = (pelvis + thorax) / 2
    trunk = np.linalg.norm(thorax - pelvis, axis=-1).mean()
    ancestor, nearest, lowest = bvh.parents[top], None, _MAX_OFFSET_PER_TRUNK * trunk
    while ancestor >= 0:
        distance = np.linalg.norm(nodes[:, ancestor] - middle, axis=-1).mean()
        if distance < lowest:
            nearest, lowest = ancestor, distance
        ancestor = bvh.parents[ancestor]
    return middle if nearest is None else nodes[:, nearest]


def _head_top(
    bvh: Bvh, nodes: Float[ndarray, "t k 3"], head: int, thorax: Float[ndarray, "t 3"], leg: float
) -> Float[ndarray, "t 3"]:
    """The end of the head; if the file has no plausible one, extrapolated from thorax and head."""
    children = [k for k, parent in enumerate(bvh.parents) if parent == head]
    ends = [k for k in children if not bvh.names[k] or _side_and_part(bvh.names[k])[1] in _HEAD_TOPS]
    for k in ends:
        if np.linalg.norm(nodes[:, k] - nodes[:, head], axis=-1).mean() > _MIN_HEAD_PER_LEG * leg:
            return nodes[:, k]
    neck = nodes[:, head] - thorax
    direction = neck / np.maximum(np.linalg.norm(neck, axis=-1, keepdims=True), 1e-9)
    return nodes[:, head] + _HEAD_PER_LEG * leg * direction


def _leg(joints: dict[str, ndarray]) -> float:
    """Mean length of the legs, from hip to knee to ankle."""
    bones = [
        np.linalg.norm(joints[f"{side}_{a}"] - joints[f"{side}_{b}"], axis=-1).mean()
        for side in ("left", "right")
        for a, b in (("hip", "knee"), ("knee", "ankle"))
    ]
    return float(sum(bones) / 2)
