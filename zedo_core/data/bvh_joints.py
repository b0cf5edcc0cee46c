"""Which node of a BVH file is which joint of a person, its units, and which way is up.

Limbs are found by name, in the conventions of CMU (cgspeed), Mixamo and MotionBuilder, Biovision (also 3ds Max's own
skeleton) and 3ds Max's Biped; Unreal, Blender and Poser use the same words. Trunk and head follow from the tree.
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

# Words for the joints of a limb, without the side; the first that a file has counts. A clavicle is called shoulder
# where the next joint is called arm, collar where that is called shoulder.
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

# Lengths as shares of the leg, hip to knee to ankle, which is 0.85 m in an adult.
_HEAD_OF_LEG = 0.135  # from the base of the skull to its top, where a file does not say
_LEAST_HEAD_OF_LEG = 0.05
_FAR_OF_TRUNK = 0.25  # a joint of the spine farther than this from the middle of the trunk is not taken for it
# Metres in a unit, by the length of the leg in it; the metric ones first, then cgspeed's CMU files and inches.
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


def person(path: Path, bvh: Bvh, nodes: Float[ndarray, "t k 3"]) -> Person:
    """The joints of H36M-17; FormatError names those that no node could be matched to.

    Nodes that have all the names of H36M-17 (as zedo's own BVH has) are taken as they are. Else the pelvis is
    the middle of the hips, the thorax the (lower) neck joint, the spine that joint of the trunk which is
    nearest to its middle, neck_nose the head joint and head_top the head's end site.
    """
    by_name = {name.lower(): k for k, name in enumerate(bvh.names) if name}
    if set(H36M17.joints) <= by_name.keys():
        joints = nodes[:, [by_name[joint] for joint in H36M17.joints]]
        return Person(joints, _leg({joint: joints[:, i] for i, joint in enumerate(H36M17.joints)}))
    places = limb_nodes(bvh)
    head, neck = _trunk_nodes(bvh)
    missing = [
        f"{side}_{part}" for part in _LIMBS for side in ("left", "right") if f"{side}_{part}" not in places
    ] + ([] if head is not None else ["head"])  # fmt: skip
    if missing:
        raise unmatched(path, bvh, missing)
    assert head is not None
    found = {joint: nodes[:, k] for joint, k in places.items()}
    leg = _leg(found)
    found["pelvis"] = (found["left_hip"] + found["right_hip"]) / 2
    between = (found["left_shoulder"] + found["right_shoulder"]) / 2
    found["thorax"] = between if neck is None else nodes[:, neck]
    found["spine"] = _spine(bvh, nodes, head if neck is None else neck, found["pelvis"], found["thorax"])
    found["neck_nose"] = nodes[:, head]
    found["head_top"] = _head_top(bvh, nodes, head, found["thorax"], leg)
    return Person(np.stack([found[joint] for joint in H36M17.joints], axis=1), leg)


def limb_nodes(bvh: Bvh) -> dict[str, int]:
    """The nodes of the limbs' joints, by H36M-17's names, as far as they can be told."""
    known: dict[tuple[str, str], int] = {}
    for k, name in enumerate(bvh.names):
        known.setdefault(_side_and_part(name), k)
    found = {}
    for side in ("left", "right"):
        for part, words in _LIMBS.items():
            k = next((known[side, word] for word in words if (side, word) in known), None)
            if k is not None:
                found[f"{side}_{part}"] = k
    return found


def unit_m(path: Path, leg: float) -> float:
    """Metres in the file's unit, guessed from the length of a leg; FormatError when no unit makes it a person's."""
    for metres, least, most in _UNITS:
        if least <= leg < most:
            return metres
    raise FormatError(
        f"{path}: expected legs of a person in m, cm, mm, inches or CMU's unit, found {leg:.4g} units; say how many "
        "metres a unit is by --scale"
    )


def up_votes(people: Person) -> Float[ndarray, "3"]:
    """Sum over the frames of the direction from the ankles to the thorax, a unit vector in the file's axes."""
    ankles = people.joints[:, H36M17.indices(("left_ankle", "right_ankle"))].mean(1)
    up = people.joints[:, H36M17.index("thorax")] - ankles
    return (up / np.maximum(np.linalg.norm(up, axis=-1, keepdims=True), 1e-9)).sum(0)


def unmatched(path: Path, bvh: Bvh, missing: list[str]) -> FormatError:
    """The error for joints that no node is."""
    names = [name for name in bvh.names if name]
    shown = ", ".join(names[:30]) + (f" and {len(names) - 30} more" if len(names) > 30 else "")
    return FormatError(
        f"{path}: expected joints by the names of CMU, Mixamo, Biovision or 3ds Max, could not match "
        f"{', '.join(missing)} among {shown}; rename them, or give poses as an array"
    )


def _side_and_part(name: str) -> tuple[str, str]:
    """`mixamorig:LeftUpLeg` to (left, upleg); the side is empty for the trunk."""
    words = [word.lower() for word in _WORDS.findall(_PREFIX.sub("", name.rsplit(":", 1)[-1].strip()))]
    side = next((_SIDES[word] for word in words if word in _SIDES), "")
    part = "".join(word for word in words if word not in _SIDES)
    if not side and part.startswith(("left", "right")):
        side = "left" if part.startswith("left") else "right"
        part = part.removeprefix(side)
    return side, part


def _trunk_nodes(bvh: Bvh) -> tuple[int | None, int | None]:
    """The head, and the lowest node of the neck."""
    parts = [_side_and_part(name) for name in bvh.names]
    head = next((k for k, named in enumerate(parts) if named == ("", "head")), None)
    neck = next((k for k, (side, part) in enumerate(parts) if not side and part.startswith(_NECK)), None)
    if head is None and neck is not None:  # rigs whose neck ends in the head's end site
        head = next((k for k, parent in enumerate(bvh.parents) if parent == neck), None)
    return head, neck


def _spine(
    bvh: Bvh, nodes: Float[ndarray, "t k 3"], top: int, pelvis: Float[ndarray, "t 3"], thorax: Float[ndarray, "t 3"]
) -> Float[ndarray, "t 3"]:
    middle = (pelvis + thorax) / 2
    trunk = np.linalg.norm(thorax - pelvis, axis=-1).mean()
    link, best, least = bvh.parents[top], None, _FAR_OF_TRUNK * trunk
    while link >= 0:
        distance = np.linalg.norm(nodes[:, link] - middle, axis=-1).mean()
        if distance < least:
            best, least = link, distance
        link = bvh.parents[link]
    return middle if best is None else nodes[:, best]


def _head_top(
    bvh: Bvh, nodes: Float[ndarray, "t k 3"], head: int, thorax: Float[ndarray, "t 3"], leg: float
) -> Float[ndarray, "t 3"]:
    """The end of the head; where the file has none worth the name, beyond the head as seen from the neck."""
    below = [k for k, parent in enumerate(bvh.parents) if parent == head]
    ends = [k for k in below if not bvh.names[k] or _side_and_part(bvh.names[k])[1] in _HEAD_TOPS]
    for k in ends:
        if np.linalg.norm(nodes[:, k] - nodes[:, head], axis=-1).mean() > _LEAST_HEAD_OF_LEG * leg:
            return nodes[:, k]
    along = nodes[:, head] - thorax
    return nodes[:, head] + _HEAD_OF_LEG * leg * along / np.maximum(np.linalg.norm(along, axis=-1, keepdims=True), 1e-9)


def _leg(joints: dict[str, ndarray]) -> float:
    """Mean length of the legs, hip to knee to ankle."""
    bones = [
        np.linalg.norm(joints[f"{side}_{a}"] - joints[f"{side}_{b}"], axis=-1).mean()
        for side in ("left", "right")
        for a, b in (("hip", "knee"), ("knee", "ankle"))
    ]
    return float(sum(bones) / 2)
