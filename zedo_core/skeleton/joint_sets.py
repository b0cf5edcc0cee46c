"""The joint sets that zedo knows by name, with the official order of their joints."""

from __future__ import annotations

from zedo_core.errors import InputError
from zedo_core.skeleton.skeleton import Skeleton


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


# Joints that poses may have beside those of H36M-17.
FEET = tuple(f"{side}_{name}" for side in ("left", "right") for name in ("big_toe", "small_toe", "heel"))
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
# The body and the feet of COCO-WholeBody, which are the first of its 133 joints.
COCO23 = Skeleton(
    "coco-23",
    (
        *_COCO,
        *("left_big_toe", "left_small_toe", "left_heel"),
        *("right_big_toe", "right_small_toe", "right_heel"),
    ),
    (*COCO17.bones, *_FEET),
)
# OpenPose's experimental model: COCO-17, then neck, head top and feet. Its files are like those of BODY_25.
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

SKELETONS = {s.name: s for s in (H36M17, LSP14, COCO17, COCO18, COCO23, BODY25, BODY25B, HALPE26, BLAZEPOSE33)}


def get_skeleton(name: str) -> Skeleton:
    """The joint set called `name`, regardless of case and punctuation: `COCO17` is `coco-17`; else InputError."""
    wanted = "".join(c for c in name.lower() if c.isalnum())
    for known, skeleton in SKELETONS.items():
        if "".join(c for c in known if c.isalnum()) == wanted:
            return skeleton
    raise InputError(f"joint set '{name}' is not known; expected one of {', '.join(SKELETONS)}")
