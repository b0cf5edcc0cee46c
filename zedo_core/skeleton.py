"""Joint sets and the conversion between them, by joint name.

This is the only module in which joints are numbered; everywhere else they are asked for by name.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
from numpy.typing import NDArray

from zedo_core.errors import InputError

_MIRROR = {"left_": "right_", "right_": "left_"}
_SIDES = ("left", "right")


@dataclass(frozen=True)
class Skeleton:
    """A named, ordered joint set with its bones.

    `bones` maps a joint to its parent; a joint without an entry is a root. Left and right are told
    by the prefixes `left_` and `right_`, or by `pairs` (left, right) where they are given.
    """

    name: str
    joints: tuple[str, ...]
    bones: tuple[tuple[str, str], ...]
    pairs: tuple[tuple[str, str], ...] | None = None

    def __len__(self) -> int:
        return len(self.joints)

    def index(self, joint: str) -> int:
        """Position of `joint`; InputError when the set has no such joint."""
        try:
            return self.joints.index(joint)
        except ValueError:
            raise InputError(f"joint set {self.name} has no joint '{joint}'; it has {', '.join(self.joints)}") from None

    def indices(self, joints: tuple[str, ...]) -> list[int]:
        """Positions of several joints."""
        return [self.index(joint) for joint in joints]

    @cached_property
    def edges(self) -> tuple[tuple[int, int], ...]:
        """Bones as (child, parent) positions."""
        return tuple((self.index(child), self.index(parent)) for child, parent in self.bones)

    @cached_property
    def parents(self) -> tuple[int, ...]:
        """Parent position of every joint, -1 for a root."""
        table = dict(self.edges)
        return tuple(table.get(i, -1) for i in range(len(self)))

    @cached_property
    def root(self) -> int:
        """Position of the joint that poses are relative to; InputError when the bones do not form one tree."""
        roots = [joint for joint, parent in zip(self.joints, self.parents, strict=True) if parent < 0]
        if len(roots) != 1:
            raise InputError(
                f"joint set {self.name}: expected bones that form one tree for a prior, found {len(roots)} roots "
                f"({', '.join(roots)}); use another set such as h36m-17"
            )
        return self.index(roots[0])

    @cached_property
    def mirror(self) -> tuple[int, ...]:
        """Permutation that exchanges left and right joints."""
        if self.pairs is None:
            return tuple(self.index(mirrored(joint)) for joint in self.joints)
        other = {a: b for left, right in self.pairs for a, b in ((left, right), (right, left))}
        return tuple(self.index(other.get(joint, joint)) for joint in self.joints)

    @cached_property
    def bone_pairs(self) -> tuple[tuple[tuple[int, int], tuple[int, int]], ...]:
        """Every left bone with its right one, as (child, parent) positions."""
        left = [edge for edge in self.edges if "left" in (self.side(edge[0]), self.side(edge[1]))]
        return tuple((edge, (self.mirror[edge[0]], self.mirror[edge[1]])) for edge in left)

    def side(self, joint: int) -> str:
        """`left`, `right` or `centre`."""
        if self.pairs is not None:
            name = self.joints[joint]
            sides = {known: side for pair in self.pairs for side, known in zip(_SIDES, pair, strict=True)}
            return sides.get(name, "centre")
        prefix = self.joints[joint].split("_", 1)[0]
        return prefix if prefix in _SIDES else "centre"


def mirrored(joint: str) -> str:
    """Name of the joint on the other side of the body."""
    for prefix, other in _MIRROR.items():
        if joint.startswith(prefix):
            return other + joint[len(prefix) :]
    return joint


def _pair(*names: str) -> tuple[str, ...]:
    return tuple(f"{side}_{name}" for name in names for side in ("left", "right"))


def _sides(*bones: tuple[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple((f"{side}_{child}", f"{side}_{parent}") for child, parent in bones for side in ("left", "right"))


_LIMBS = _sides(("elbow", "shoulder"), ("wrist", "elbow"), ("knee", "hip"), ("ankle", "knee"))
_FACE = _sides(("ear", "eye"))
_FEET = _sides(("big_toe", "ankle"), ("small_toe", "big_toe"), ("heel", "ankle"))
_COCO = ("nose", *_pair("eye", "ear", "shoulder", "elbow", "wrist", "hip", "knee", "ankle"))


def _arm(side: str) -> tuple[str, ...]:
    return tuple(f"{side}_{name}" for name in ("shoulder", "elbow", "wrist"))


def _leg(side: str) -> tuple[str, ...]:
    return tuple(f"{side}_{name}" for name in ("hip", "knee", "ankle"))


H36M17 = Skeleton(
    "h36m-17",
    (
        "pelvis",
        *_leg("right"),
        *_leg("left"),
        "spine",
        "thorax",
        "neck_nose",
        "head_top",
        *_arm("left"),
        *_arm("right"),
    ),
    (
        *((f"{side}_hip", "pelvis") for side in ("right", "left")),
        *((f"{side}_shoulder", "thorax") for side in ("left", "right")),
        ("spine", "pelvis"),
        ("thorax", "spine"),
        ("neck_nose", "thorax"),
        ("head_top", "neck_nose"),
        *_LIMBS,
    ),
)
LSP14 = Skeleton(
    "lsp-14",
    (*_leg("right"), *_leg("left"), "thorax", "head_top", *_arm("left"), *_arm("right")),
    (
        ("head_top", "thorax"),
        *((f"{side}_{part}", "thorax") for side in ("left", "right") for part in ("shoulder", "hip")),
        *_LIMBS,
    ),
)
COCO17 = Skeleton(
    "coco-17",
    _COCO,
    (
        ("right_shoulder", "left_shoulder"),
        ("left_hip", "left_shoulder"),
        ("right_hip", "right_shoulder"),
        ("left_eye", "nose"),
        ("right_eye", "nose"),
        *_LIMBS,
        *_FACE,
    ),
)
COCO18 = Skeleton(
    "coco-18",
    (
        "nose",
        "neck",
        *_arm("right"),
        *_arm("left"),
        *_leg("right"),
        *_leg("left"),
        *("right_eye", "left_eye", "right_ear", "left_ear"),
    ),
    (
        ("nose", "neck"),
        ("left_shoulder", "neck"),
        ("right_shoulder", "neck"),
        ("left_hip", "neck"),
        ("right_hip", "neck"),
        ("left_eye", "nose"),
        ("right_eye", "nose"),
        *_LIMBS,
        *_FACE,
    ),
)
BODY25 = Skeleton(
    "body-25",
    (
        "nose",
        "neck",
        *_arm("right"),
        *_arm("left"),
        "pelvis",
        *_leg("right"),
        *_leg("left"),
        *("right_eye", "left_eye", "right_ear", "left_ear"),
        *("left_big_toe", "left_small_toe", "left_heel"),
        *("right_big_toe", "right_small_toe", "right_heel"),
    ),
    (
        ("neck", "pelvis"),
        ("nose", "neck"),
        ("left_shoulder", "neck"),
        ("right_shoulder", "neck"),
        ("left_hip", "pelvis"),
        ("right_hip", "pelvis"),
        ("left_eye", "nose"),
        ("right_eye", "nose"),
        *_LIMBS,
        *_FACE,
        *_FEET,
    ),
)
HALPE26 = Skeleton(
    "halpe-26",
    (*_COCO, "head_top", "neck", "pelvis", *_pair("big_toe", "small_toe", "heel")),
    (
        ("neck", "pelvis"),
        ("nose", "neck"),
        ("head_top", "nose"),
        ("left_shoulder", "neck"),
        ("right_shoulder", "neck"),
        ("left_hip", "pelvis"),
        ("right_hip", "pelvis"),
        ("left_eye", "nose"),
        ("right_eye", "nose"),
        *_LIMBS,
        *_FACE,
        *_FEET,
    ),
)
# OpenPose's experimental model: COCO-17, then neck, head top and feet. Its files look like those of BODY_25.
BODY25B = Skeleton(
    "body-25b",
    (
        *_COCO,
        "neck",
        "head_top",
        *("left_big_toe", "left_small_toe", "left_heel"),
        *("right_big_toe", "right_small_toe", "right_heel"),
    ),
    (
        ("nose", "neck"),
        ("head_top", "nose"),
        ("left_shoulder", "neck"),
        ("right_shoulder", "neck"),
        ("left_hip", "neck"),
        ("right_hip", "neck"),
        ("left_eye", "nose"),
        ("right_eye", "nose"),
        *_LIMBS,
        *_FACE,
        *_FEET,
    ),
)
BLAZEPOSE33 = Skeleton(
    "blazepose-33",
    (
        "nose",
        *(f"{side}_{part}" for side in ("left", "right") for part in ("eye_inner", "eye", "eye_outer")),
        *_pair("ear", "mouth", "shoulder", "elbow", "wrist"),
        *_pair("pinky", "index", "thumb", "hip", "knee", "ankle", "heel", "foot"),
    ),
    (
        *_LIMBS,
        *_FACE,
        *_sides(("heel", "ankle"), ("foot", "ankle"), ("pinky", "wrist"), ("index", "wrist"), ("thumb", "wrist")),
        *_sides(("eye_inner", "eye"), ("eye_outer", "eye")),
        ("left_eye", "nose"),
        ("right_eye", "nose"),
        ("left_mouth", "nose"),
        ("right_mouth", "nose"),
    ),
)

SKELETONS = {s.name: s for s in (H36M17, LSP14, COCO17, COCO18, BODY25, BODY25B, HALPE26, BLAZEPOSE33)}


def get_skeleton(name: str) -> Skeleton:
    """The joint set called `name` (case and punctuation are forgiven: `COCO17` is `coco-17`)."""
    wanted = "".join(c for c in name.lower() if c.isalnum())
    for known, skeleton in SKELETONS.items():
        if "".join(c for c in known if c.isalnum()) == wanted:
            return skeleton
    raise InputError(f"joint set '{name}' is not known; expected one of {', '.join(SKELETONS)}")


# How a joint that a detector does not give is made from those it gives: sources (their mean is taken)
# and the factor on the least of their confidences, first possible entry wins. On a video with triangulated markers
# (YOLOv8n | OpenPose) limb joints were 37 | 30 px off, the middle of the hips 32 | 30, that of the shoulders 23 | 19,
# the nose 30 | 45, the middle of the eyes 92 from the head top. The pelvis, spine and neck have less than that says
# since the joints of Human3.6M are not quite these points; half or twice any factor moved the 3D by less than 3 mm.
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

    `weights` (target, source): a target joint is the weighted mean of its sources; a row of zeros
    is a joint that cannot be had. `factors` (target,): what the least confidence of the sources is
    multiplied by.
    """

    source: Skeleton
    target: Skeleton
    weights: NDArray[np.float64]
    factors: NDArray[np.float64]

    def points(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """Points (..., source joint, d) to (..., target joint, d)."""
        return np.einsum("ts,...sd->...td", self.weights, points)

    def confidence(self, confidence: NDArray[np.floating]) -> NDArray[np.float64]:
        """Confidences (..., source joint) to (..., target joint); 0 where a source is missing."""
        least = np.where(self.weights > 0, confidence[..., None, :], np.inf).min(axis=-1)
        return self.factors * np.where(np.isfinite(least), least, 0.0)


@cache
def conversion(source: Skeleton, target: Skeleton) -> Conversion:
    """How to make `target` from `source`, joint by joint."""
    rows = [_derive(source, joint, frozenset()) for joint in target.joints]
    weights = np.array([row for row, _ in rows])
    factors = np.array([factor for _, factor in rows])
    weights.setflags(write=False)
    factors.setflags(write=False)
    return Conversion(source, target, weights, factors)


def _derive(source: Skeleton, joint: str, pending: frozenset[str]) -> tuple[NDArray[np.float64], float]:
    """Weights over the source joints and confidence factor of one target joint."""
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
