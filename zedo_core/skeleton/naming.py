"""Joint names of other programs, and the joint set that fits them best.

Names are compared by their words without case and punctuation: `RHip`, `right hip`, `Hip_R` and `hipRight` are the
same joint. A side without a word of its own may be a letter in front (`LShoulder`, `rAnkle`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from zedo_core.skeleton.conversion import conversion
from zedo_core.skeleton.joint_sets import H36M17, SKELETONS
from zedo_core.skeleton.skeleton import Skeleton

_WORDS = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")
_SIDES = {"left": "left", "l": "left", "lt": "left", "right": "right", "r": "right", "rt": "right"}
_NOISE = {"joint", "kpt", "keypoint", "landmark", "marker"}
# Spellings without the side, and the joints of zedo's sets that they mean.
_PAIRED = {
    **{part: part for part in ("eye", "ear", "shoulder", "elbow", "wrist", "hip", "knee", "ankle", "heel", "mouth")},
    **{part: part for part in ("pinky", "index", "thumb")},
    "pinky1": "pinky",
    "index1": "index",
    "thumb2": "thumb",
    "eyeinner": "eye_inner",
    "innereye": "eye_inner",
    "eyeouter": "eye_outer",
    "outereye": "eye_outer",
    "bigtoe": "big_toe",
    "toe": "big_toe",
    "smalltoe": "small_toe",
    "littletoe": "small_toe",
    "foot": "foot",
    "footindex": "foot",
    "sho": "shoulder",
    "shldr": "shoulder",
    "shoul": "shoulder",
    "elb": "elbow",
    "elbw": "elbow",
    "wri": "wrist",
    "wrst": "wrist",
    "ank": "ankle",
    "ankl": "ankle",
    "forearm": "elbow",
}
_CENTRAL = {
    "nose": "nose",
    "neck": "neck",
    "spine": "spine",
    "thorax": "thorax",
    "necknose": "neck_nose",
    "headtop": "head_top",
    "tophead": "head_top",
    "head": "head_top",
    "topofhead": "head_top",
    "pelvis": "pelvis",
    "hip": "pelvis",
    "hips": "pelvis",
    "midhip": "pelvis",
    "hipcenter": "pelvis",
    "hipcentre": "pelvis",
    "centerhip": "pelvis",
    "chip": "pelvis",
    "root": "pelvis",
    "upperneck": "neck",
    "neckbase": "thorax",
    "midshoulder": "neck",
    "upperchest": "thorax",
}
_LIMBS = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
_MIN_LIMBS = 4  # of names of which some are unknown, to be those of a person


@dataclass(frozen=True)
class Named:
    """Joints that were found by name: `joints[i]` of `skeleton` is the file's joint `source[i]`."""

    skeleton: Skeleton
    joints: tuple[int, ...]
    source: tuple[int, ...]
    unknown: tuple[str, ...]  # names that are no joint of the set


def joint_of(name: str) -> str | None:
    """The joint that a name means, in the words of zedo's joint sets; None when it is not known."""
    words = [word.lower() for word in _WORDS.findall(name)]
    words = [word for word in words if word not in _NOISE]
    side = next((_SIDES[word] for word in words if word in _SIDES), "")
    part = "".join(word for word in words if word not in _SIDES)
    if not side:
        for prefix in ("left", "right", "l", "r"):
            if part.startswith(prefix) and part[len(prefix) :] in _PAIRED:
                return f"{_SIDES[prefix]}_{_PAIRED[part[len(prefix) :]]}"
        return _CENTRAL.get(part)
    return f"{side}_{_PAIRED[part]}" if part in _PAIRED else None


def match_names(names: Sequence[str]) -> Named | None:
    """The joint set with the most of the named joints, the smallest of equals; None when they are not a person's.

    Of two names for one joint the first is used. Sets from which more of H36M-17 follows come first.
    """
    found: dict[str, int] = {}
    for i, name in enumerate(names):
        joint = joint_of(name)
        if joint is not None:
            found.setdefault(joint, i)
    limbs = sum(joint.partition("_")[2] in _LIMBS for joint in found)
    if not found or (limbs < _MIN_LIMBS and len(found) < len(names)):
        return None
    skeleton = max(SKELETONS.values(), key=lambda candidate: _fit(candidate, found))
    joints = [joint for joint in found if joint in skeleton.joints]
    source = tuple(found[joint] for joint in joints)
    unknown = tuple(name for i, name in enumerate(names) if i not in source)
    return Named(skeleton, tuple(skeleton.indices(tuple(joints))), source, unknown)


def _fit(skeleton: Skeleton, found: dict[str, int]) -> tuple[int, int, int]:
    """What the named joints give in a set: joints of H36M-17, joints of its own, and how few it has in all."""
    seen = np.array([float(joint in found) for joint in skeleton.joints])
    derived = int((conversion(skeleton, H36M17).confidence(seen) > 0).sum())
    return derived, int(seen.sum()), -len(skeleton)
