"""Names of the joints of rigs: their side and part, in the words of many programs.

mixamorig:LeftUpLeg, CC_Base_L_Thigh, DEF-thigh.L, J_Bip_L_UpperLeg, b_l_upleg, m_avg_L_Hip, lThighBend, upperleg01.L,
Skeleton_LThigh, HipLeft
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

# Words for the joints of a limb, without the side; the first that exists in a file is used. A clavicle is called
# shoulder if the next joint is called arm, or collar if that is called shoulder.
LIMBS = {
    "hip": ("upleg", "upperleg", "thighbend", "thigh", "femur", "hip"),
    "knee": ("knee", "lowleg", "lowerleg", "calf", "shin", "tibia", "leg"),
    "ankle": ("ankle", "foot"),
    "shoulder": ("arm", "uparm", "upperarm", "uarm", "shldrbend", "shldr", "humerus", "shoulder"),
    "elbow": ("elbow", "forearmbend", "forearm", "farm", "lowarm", "lowerarm", "radius"),
    "wrist": ("wrist", "hand"),
}
_PARTS = {word for words in LIMBS.values() for word in words} | {"collar", "clavicle", "toe", "buttock", "heel"}
_TRUNK = ("hips", "pelvis", "spine", "chest", "neck", "head", "root", "waist", "abdomen")
_SIDES = {"left": "left", "l": "left", "lft": "left", "right": "right", "r": "right", "rgt": "right"}
_PREFIX = re.compile(r"^(mixamorig\d*|bip\d+|character\d*)[\s_.\-]*", re.IGNORECASE)
_WORDS = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")
_SEGMENT = re.compile(r"[LR][UF]")  # of Motive's LUArm and RFArm
_HELPERS = {
    "twist",
    "roll",
    "ik",
    "pole",
    "target",
    "ctrl",
    "share",
    "helper",
    "mch",
    "adj",
    "nub",
    "jiggle",
    "corrective",
}
_FIRST = re.compile(r"0*[01]?")  # numbers of the first of several bones
_SHARED = 0.6  # of the names that begin with a word which is no part of a body
_MAX_PREFIX = 4  # words


def sides_and_parts(names: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """The side and part in each name, such as (left, upleg) for `mixamorig:LeftUpLeg`; the trunk has an empty side.

    Words that most names begin with are left out, and so are numbers of the first of several bones. Bones that only
    twist, and helpers, have no part.
    """
    return _sides_and_parts(tuple(names))


@lru_cache(maxsize=64)
def _sides_and_parts(names: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    words = [_split(name) for name in names]
    for _ in range(_MAX_PREFIX):
        shared = _shared_word(words)
        if shared is None:
            break
        words = [row[1:] if row[:1] == [shared] and len(row) > 1 else row for row in words]
    return tuple(map(_side_and_part, words))


def _split(name: str) -> list[str]:
    found = _WORDS.findall(_PREFIX.sub("", name.rsplit(":", 1)[-1].strip()))
    if found and _SEGMENT.fullmatch(found[0]):
        found = [*found[0], *found[1:]]
    return [word.lower() for word in found]


def _shared_word(words: list[list[str]]) -> str | None:
    """The first word that most names share and that says nothing of a body."""
    named = [row for row in words if row]
    counts = Counter(row[0] for row in named if len(row) > 1)
    if not counts:
        return None
    word, count = counts.most_common(1)[0]
    meaningful = word in _SIDES or word in _PARTS or word in _TRUNK
    return None if meaningful or count < _SHARED * len(named) else word


def _side_and_part(words: list[str]) -> tuple[str, str]:
    if not words or (_HELPERS.intersection(words) and words[0] != "neck"):
        return "", ""
    side = next((_SIDES[word] for word in words if word in _SIDES), "")
    rest = [word for word in words if word not in _SIDES]
    if len(rest) > 1 and rest[-1].isdecimal() and _FIRST.fullmatch(rest[-1]):
        rest = rest[:-1]
    if len(rest) > 1 and rest[0] in ("c", "bip", "def", "org"):  # the middle of VRoid's and Rigify's names
        rest = rest[1:]
    part = "".join(rest)
    if not side and part.startswith(("left", "right")):
        side = "left" if part.startswith("left") else "right"
        part = part.removeprefix(side)
    if not side and part[:1] in ("l", "r") and part[1:] in _PARTS and part not in _PARTS:
        return _SIDES[part[0]], part[1:]
    return side, part
