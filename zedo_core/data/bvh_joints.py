"""Matching the nodes of a BVH file with the joints of a person, and guessing its unit and upward axis.

Limbs are found by the words in names, after the prefix that the names of a file share (`bvh_names`); a joint of a limb
without such a word is found on the way between its neighbours. Trunk and head are found from the tree.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from zedo_core.data.bvh import Bvh
from zedo_core.data.bvh_names import LIMBS, sides_and_parts
from zedo_core.errors import FormatError
from zedo_core.skeleton import H36M17

_CHAINS = (("hip", "knee", "ankle"), ("shoulder", "elbow", "wrist"))
_HEAD_TOPS = ("headtop", "headtopend", "headend", "headnub", "headnull")
_NECK = "neck"

# Lengths relative to the leg, from hip to knee to ankle, which is 0.85 m long in an adult.
_HEAD_PER_LEG = 0.135  # from the base of the skull to its top, for files without it
_MIN_HEAD_PER_LEG = 0.05
_MAX_OFFSET_PER_TRUNK = 0.25  # distance of a node from the middle of the trunk to be used as the spine
_FOOT_M = 0.08  # from the ankle to the floor
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
    head, neck = _match_head_and_neck(bvh, limbs)
    missing = [
        f"{side}_{part}" for part in LIMBS for side in ("left", "right") if f"{side}_{part}" not in limbs
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
    for k, side_and_part in enumerate(sides_and_parts(bvh.names)):
        by_side_and_part.setdefault(side_and_part, k)
    limbs = {}
    for side in ("left", "right"):
        for part, words in LIMBS.items():
            k = next((by_side_and_part[side, word] for word in words if (side, word) in by_side_and_part), None)
            if k is not None and k not in limbs.values():
                limbs[f"{side}_{part}"] = k
        _after_clavicle(bvh, limbs, side, by_side_and_part)
        for chain in _CHAINS:
            _complete(bvh, limbs, [f"{side}_{part}" for part in chain])
    return limbs


def _after_clavicle(bvh: Bvh, limbs: dict[str, int], side: str, by_side_and_part: dict[tuple[str, str], int]) -> None:
    """Where the elbow is called forearm, `shoulder` is the clavicle: the joint of the shoulder comes after it."""
    shoulder, elbow = f"{side}_shoulder", f"{side}_elbow"
    if limbs.get(shoulder) != by_side_and_part.get((side, "shoulder"), -1) or elbow not in limbs:
        return
    between = _ancestors(bvh, limbs[elbow])
    if (side, "elbow") not in by_side_and_part and limbs[shoulder] in between[1:]:
        limbs[shoulder] = between[between.index(limbs[shoulder]) - 1]


def _complete(bvh: Bvh, limbs: dict[str, int], chain: list[str]) -> None:
    """Find the one joint of a limb (first, middle, last) that has no known name from the tree.

    The middle is the node between the ends that divides the limb most evenly, the last the next joint after the middle
    that is some way from it, and the first the joint before the middle.
    """
    missing = [joint for joint in chain if joint not in limbs]
    if len(missing) != 1:
        return
    first, middle, last = chain
    if missing == [middle]:
        between = _ancestors(bvh, limbs[last])
        between = between[: between.index(limbs[first])] if limbs[first] in between else []
        limb = [limbs[last], *between, limbs[first]]
        if between:
            limbs[middle] = max(between, key=lambda k: min(_along(bvh, limb, k), _along(bvh, limb[::-1], k)))
    elif missing == [last]:
        far = [k for k, parent in enumerate(bvh.parents) if parent == limbs[middle] and _length(bvh, k) > 0]
        if far:
            limbs[last] = max(far, key=lambda k: _length(bvh, k))
    elif bvh.parents[limbs[middle]] > 0 and _length(bvh, limbs[middle]) > 0:
        limbs[first] = bvh.parents[limbs[middle]]


def _ancestors(bvh: Bvh, k: int) -> list[int]:
    found = []
    while (k := bvh.parents[k]) >= 0:
        found.append(k)
    return found


def _length(bvh: Bvh, k: int) -> float:
    return float(np.linalg.norm(bvh.offsets[k]))


def _along(bvh: Bvh, limb: list[int], k: int) -> float:
    """Length of the bones from the beginning of a limb, a list of successive nodes in either direction, to a node."""
    nodes = limb[: limb.index(k) + 1]
    below = [a if bvh.parents[a] == b else b for a, b in pairwise(nodes)]
    return sum(_length(bvh, node) for node in below)


def guess_unit_m(path: Path, leg: float) -> float:
    """Metres per unit, guessed from the length of a leg; FormatError when no unit gives a human length."""
    for metres, low, high in _UNITS:
        if low <= leg < high:
            return metres
    raise FormatError(
        f"{path}: expected legs of a person in m, cm, mm, inches or CMU's unit, found {leg:.4g} units; give the metres "
        "per unit by --scale"
    )


def height_m(person: Person, unit_m: float) -> float:
    """Standing height in metres: the bones from the ankles to the top of the head, and a foot."""
    bones = [("pelvis", "thorax"), ("thorax", "neck_nose"), ("neck_nose", "head_top")]
    joints = {joint: person.joints[:, i] for i, joint in enumerate(H36M17.joints)}
    trunk = sum(float(np.median(np.linalg.norm(joints[a] - joints[b], axis=-1))) for a, b in bones)
    return (person.leg + trunk) * unit_m + _FOOT_M


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
        f"{path}: expected joints by the names of CMU, Mixamo, Biovision, 3ds Max or similar, could not match "
        f"{', '.join(missing)} among {listed}; rename them, or give poses as an array"
    )


def _match_head_and_neck(bvh: Bvh, limbs: dict[str, int]) -> tuple[int | None, int | None]:
    """The node of the head, and the lowest node of the neck; without names, those of the chain above the arms."""
    parts = sides_and_parts(bvh.names)
    head = next((k for k, side_and_part in enumerate(parts) if side_and_part == ("", "head")), None)
    neck = next((k for k, (side, part) in enumerate(parts) if not side and part.startswith(_NECK)), None)
    if head is None and neck is not None:  # in some rigs, the child of the neck is the end site of the head
        head = next((k for k, parent in enumerate(bvh.parents) if parent == neck), None)
    arms = [limbs[joint] for joint in ("left_shoulder", "right_shoulder") if joint in limbs]
    if head is None and len(arms) == 2:
        chain = _chain_above(bvh, arms)
        return (chain[-1], chain[0] if len(chain) > 1 else None) if chain else (None, None)
    return head, neck


def _chain_above(bvh: Bvh, arms: list[int]) -> list[int]:
    """The named nodes from where the arms branch off up to the head, the longest branch without an arm."""
    above = [_ancestors(bvh, arm) for arm in arms]
    chest = next((k for k in above[0] if k in above[1]), None)
    if chest is None:
        return []
    arm_side = {k for path, arm in zip(above, arms, strict=True) for k in (arm, *path[: path.index(chest)])}
    parts = sides_and_parts(bvh.names)
    starts = [k for k, parent in enumerate(bvh.parents) if parent == chest and k not in arm_side and bvh.names[k]]
    starts = [k for k in starts if not parts[k][0]]
    chains = []
    for start in starts:
        chain = [start]
        while nexts := [k for k, p in enumerate(bvh.parents) if p == chain[-1] and bvh.names[k] and not parts[k][0]]:
            chain.append(nexts[0])
        chains.append(chain)
    return max(chains, key=len, default=[])


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
    parts = sides_and_parts(bvh.names)
    ends = [k for k in children if not bvh.names[k] or parts[k][1] in _HEAD_TOPS]
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
