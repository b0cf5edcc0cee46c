"""Names of bones in programs for animation, by the nodes of the rig.

`lafan` are those of the LAFAN1 data set, from which motion is retargeted to robots.
"""

from __future__ import annotations

from zedo_core.errors import InputError

DEFAULT_NAMES = "mixamo"

_TRUNK = ("root", "pelvis", "spine", "chest", "thorax", "neck_nose", "head_top")
_LIMBS = ("pelvis", "hip", "knee", "ankle", "toe", "clavicle", "shoulder", "elbow", "wrist")
# The names of trunk and limbs in this order; {} is the side as in the third entry. The first of the limbs, from the
# pelvis to the hip, is a bone that most of these skeletons do not have.
_LAFAN_TRUNK = "Hips Spine Spine1 Spine2 Neck Head HeadTop_End"
_LAFAN_LIMBS = "{}Hip {}UpLeg {}Leg {}Foot {}Toe {}Shoulder {}Arm {}ForeArm {}Hand"
_SCHEMES: dict[str, tuple[str, str, tuple[str, str]]] = {
    "mixamo": (
        " ".join(f"mixamorig:{name}" for name in _LAFAN_TRUNK.split()),
        " ".join(f"mixamorig:{name}" for name in _LAFAN_LIMBS.replace("Toe", "ToeBase").split()),
        ("Left", "Right"),
    ),
    "unreal": (
        "pelvis spine_01 spine_02 spine_03 neck_01 head head_end",
        "hip_{} thigh_{} calf_{} foot_{} ball_{} clavicle_{} upperarm_{} lowerarm_{} hand_{}",
        ("l", "r"),
    ),
    "rigify": (
        "spine spine.001 spine.002 spine.003 spine.004 spine.006 head_end",
        "pelvis.{} thigh.{} shin.{} foot.{} toe.{} shoulder.{} upper_arm.{} forearm.{} hand.{}",
        ("L", "R"),
    ),
    "vrm": (
        "hips spine chest upperChest neck head headEnd",
        "{}Hip {}UpperLeg {}LowerLeg {}Foot {}Toes {}Shoulder {}UpperArm {}LowerArm {}Hand",
        ("left", "right"),
    ),
    "lafan": (_LAFAN_TRUNK, _LAFAN_LIMBS, ("Left", "Right")),
    "zedo": (" ".join(_TRUNK), " ".join(f"{{}}_{part}" for part in _LIMBS), ("left", "right")),
}


def bone_names(scheme: str) -> dict[str, str]:
    """The name of the bone of every node of the rig; InputError for an unknown scheme."""
    check_names(scheme)
    trunk, limbs, sides = _SCHEMES[scheme]
    names: dict[str, str] = dict(zip(_TRUNK, trunk.split(), strict=True))
    for side, word in zip(("left", "right"), sides, strict=True):
        names |= {f"{side}_{part}": name.format(word) for part, name in zip(_LIMBS, limbs.split(), strict=True)}
    return names


def check_names(scheme: str) -> None:
    """InputError unless the scheme is known."""
    if scheme not in _SCHEMES:
        raise InputError(f"--names: expected one of {', '.join(_SCHEMES)}, found '{scheme}'")
