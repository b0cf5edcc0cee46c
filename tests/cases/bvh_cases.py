"""BVH files for the tests: a person in a T-pose in the naming conventions of several programs, and custom rigs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy import ndarray

# A person's joints in centimetres, y up, facing +z, left at +x. `waist` is between pelvis and chest.
POSITIONS: dict[str, tuple[int, int, int]] = {
    "hips": (0, 95, 0),
    "waist": (0, 105, 1),
    "chest": (0, 122, 2),
    "neck": (0, 146, 0),
    "head": (0, 158, 3),
    "head_end": (0, 176, 3),
    "collar": (4, 143, 0),
    "shoulder": (17, 144, 0),
    "elbow": (45, 144, 0),
    "wrist": (71, 144, 0),
    "hip": (9, 91, 0),
    "knee": (10, 50, 1),
    "ankle": (10, 9, 0),
    "toe": (10, 2, 14),
}
TREE: dict[str, str] = {
    "waist": "hips",
    "chest": "waist",
    "neck": "chest",
    "head": "neck",
    "collar": "chest",
    "shoulder": "collar",
    "elbow": "shoulder",
    "wrist": "elbow",
    "hip": "hips",
    "knee": "hip",
    "ankle": "knee",
    "toe": "ankle",
}
_LIMBS = ("collar", "shoulder", "elbow", "wrist", "hip", "knee", "ankle", "toe")


def _words(text: str) -> list[str]:
    return text.split()


# The names of these joints in the programs; {} stands for the side, which is given in the second tuple.
_MIXAMO = (
    [
        "Hips",
        "Spine",
        "Spine1",
        "Neck",
        "Head",
        "{}Shoulder",
        "{}Arm",
        "{}ForeArm",
        "{}Hand",
        "{}UpLeg",
        "{}Leg",
        "{}Foot",
        "{}ToeBase",
    ],
    ("Left", "Right"),
)
_ORDER: tuple[str, ...] = ("hips", "waist", "chest", "neck", "head", *_LIMBS)
CONVENTIONS: dict[str, tuple[Sequence[str], tuple[str, str]]] = {
    "CMU": (["Hips", "LowerBack", "Spine1", *_MIXAMO[0][3:]], _MIXAMO[1]),
    "Mixamo": ([f"mixamorig:{name}" for name in _MIXAMO[0]], _MIXAMO[1]),
    "MotionBuilder": ([f"Character1_{name}" for name in _MIXAMO[0]], _MIXAMO[1]),
    "Biovision": (
        [
            "Hips",
            "Chest",
            "Chest2",
            "Neck",
            "Head",
            "{}Collar",
            "{}Shoulder",
            "{}Elbow",
            "{}Wrist",
            "{}Hip",
            "{}Knee",
            "{}Ankle",
            "{}Toe",
        ],
        ("Left", "Right"),
    ),
    "3ds Max Biped": (
        [
            *("Bip01 Pelvis", "Bip01 Spine", "Bip01 Spine1", "Bip01 Neck", "Bip01 Head", "Bip01 {} Clavicle"),
            *("Bip01 {} UpperArm", "Bip01 {} Forearm", "Bip01 {} Hand", "Bip01 {} Thigh", "Bip01 {} Calf"),
            *("Bip01 {} Foot", "Bip01 {} Toe0"),
        ],
        ("L", "R"),
    ),
    "Unreal": (
        [
            *("pelvis", "spine_01", "spine_02", "neck_01", "head", "clavicle_{}", "upperarm_{}", "lowerarm_{}"),
            *("hand_{}", "thigh_{}", "calf_{}", "foot_{}", "ball_{}"),
        ],
        ("l", "r"),
    ),
    "Blender": (
        [
            *("hips", "spine", "chest", "neck", "head", "shoulder.{}", "upper_arm.{}", "forearm.{}", "hand.{}"),
            *("thigh.{}", "shin.{}", "foot.{}", "toe.{}"),
        ],
        ("L", "R"),
    ),
    "Character Creator": (
        [
            *("CC_Base_Hip", "CC_Base_Waist", "CC_Base_Spine02", "CC_Base_NeckTwist01", "CC_Base_Head"),
            *(
                f"CC_Base_{{}}_{part}"
                for part in ("Clavicle", "Upperarm", "Forearm", "Hand", "Thigh", "Calf", "Foot", "ToeBase")
            ),
        ],
        ("L", "R"),
    ),
    "Rigify": (
        [
            *("DEF-spine", "DEF-spine.001", "DEF-spine.003", "DEF-spine.004", "DEF-spine.006"),
            *(
                f"DEF-{part}.{{}}"
                for part in ("shoulder", "upper_arm", "forearm", "hand", "thigh", "shin", "foot", "toe")
            ),
        ],
        ("L", "R"),
    ),
    "VRoid": (
        [
            *("J_Bip_C_Hips", "J_Bip_C_Spine", "J_Bip_C_Chest", "J_Bip_C_Neck", "J_Bip_C_Head"),
            *(
                f"J_Bip_{{}}_{part}"
                for part in ("Shoulder", "UpperArm", "LowerArm", "Hand", "UpperLeg", "LowerLeg", "Foot", "ToeBase")
            ),
        ],
        ("L", "R"),
    ),
    "GENEA": (
        [
            *("b_root", "b_spine0", "b_spine2", "b_neck0", "b_head"),
            *(f"b_{{}}_{part}" for part in ("shoulder", "arm", "forearm", "wrist", "upleg", "leg", "foot", "toes")),
        ],
        ("l", "r"),
    ),
    "SMPL": (
        [
            *("m_avg_Pelvis", "m_avg_Spine1", "m_avg_Spine2", "m_avg_Neck", "m_avg_Head"),
            *(
                f"m_avg_{{}}_{part}"
                for part in ("Collar", "Shoulder", "Elbow", "Wrist", "Hip", "Knee", "Ankle", "Foot")
            ),
        ],
        ("L", "R"),
    ),
    "Daz": (
        [
            *("hip", "abdomenLower", "chestLower", "neckLower", "head"),
            *(
                f"{{}}{part}"
                for part in ("Collar", "ShldrBend", "ForearmBend", "Hand", "ThighBend", "Shin", "Foot", "Toe")
            ),
        ],
        ("l", "r"),
    ),
    "Daz Genesis 9": (
        [
            *("hip", "spine1", "spine3", "neck1", "head"),
            *(f"{{}}_{part}" for part in ("shoulder", "upperarm", "forearm", "hand", "thigh", "shin", "foot", "toes")),
        ],
        ("l", "r"),
    ),
    "MakeHuman": (
        [
            *("root", "spine05", "spine02", "neck01", "head"),
            *(
                f"{part}.{{}}"
                for part in (
                    "clavicle",
                    "upperarm01",
                    "lowerarm01",
                    "wrist",
                    "upperleg01",
                    "lowerleg01",
                    "foot",
                    "toe1-1",
                )
            ),
        ],
        ("L", "R"),
    ),
    "Motive": (
        [
            *("Skeleton_Hip", "Skeleton_Ab", "Skeleton_Chest", "Skeleton_Neck", "Skeleton_Head"),
            *(f"Skeleton_{{}}{part}" for part in ("Shoulder", "UArm", "FArm", "Hand", "Thigh", "Shin", "Foot", "Toe")),
        ],
        ("L", "R"),
    ),
    "Kinect": (
        [
            *("HipCenter", "SpineMid", "SpineShoulder", "Neck", "Head"),
            *(f"{part}{{}}" for part in ("Clavicle", "Shoulder", "Elbow", "Wrist", "Hip", "Knee", "Ankle", "Foot")),
        ],
        ("Left", "Right"),
    ),
    "Azure Kinect": (
        [
            *("PELVIS", "SPINE_NAVEL", "SPINE_CHEST", "NECK", "HEAD"),
            *(f"{part}_{{}}" for part in ("CLAVICLE", "SHOULDER", "ELBOW", "WRIST", "HIP", "KNEE", "ANKLE", "FOOT")),
        ],
        ("LEFT", "RIGHT"),
    ),
    "Source": (
        [
            *(f"ValveBiped.Bip01_{part}" for part in ("Pelvis", "Spine", "Spine2", "Neck1", "Head1")),
            *(
                f"ValveBiped.Bip01_{{}}_{part}"
                for part in ("Clavicle", "UpperArm", "Forearm", "Hand", "Thigh", "Calf", "Foot", "Toe0")
            ),
        ],
        ("L", "R"),
    ),
    "lower case": (
        [
            *("pelvis", "spine", "chest", "neck", "head"),
            *(f"{{}}{part}" for part in ("clavicle", "upperarm", "forearm", "hand", "thigh", "calf", "foot", "toe")),
        ],
        ("l", "r"),
    ),
    "Poser": (
        [
            "hip",
            "abdomen",
            "chest",
            "neck",
            "head",
            "{}Collar",
            "{}Shldr",
            "{}ForeArm",
            "{}Hand",
            "{}Thigh",
            "{}Shin",
            "{}Foot",
            "{}Toe",
        ],
        ("l", "r"),
    ),
}


@dataclass
class Rig:
    """Parents and offsets (in the file's units) of the nodes by name; end sites by the name of their joint."""

    parents: dict[str, str | None] = field(default_factory=dict)
    offsets: dict[str, ndarray] = field(default_factory=dict)
    ends: dict[str, ndarray] = field(default_factory=dict)

    def text(self, values: ndarray, channels: str = "Zrotation Xrotation Yrotation", frame_time: float = 1 / 30) -> str:
        """The file content; `values` (t, 3 + 3 * joints) are the root's position, then all angles in `order`."""
        root = next(name for name, parent in self.parents.items() if parent is None)
        lines = ["HIERARCHY", *self._node(root, "", channels), "MOTION", f"Frames: {len(values)}"]
        lines += [f"Frame Time: {frame_time:.7f}", *(" ".join(f"{value:.6f}" for value in row) for row in values)]
        return "\n".join(lines) + "\n"

    def order(self) -> list[str]:
        """Joints in the order of the file."""
        root = next(name for name, parent in self.parents.items() if parent is None)
        return self._subtree(root)

    def _subtree(self, name: str) -> list[str]:
        children = [child for child, parent in self.parents.items() if parent == name]
        return [name, *(node for child in children for node in self._subtree(child))]

    def _node(self, name: str, indent: str, channels: str) -> list[str]:
        root = self.parents[name] is None
        lines = [f"{indent}{'ROOT' if root else 'JOINT'} {name}", indent + "{"]
        lines.append(f"{indent}\tOFFSET " + " ".join(f"{value:.6f}" for value in self.offsets[name]))
        lines.append(
            f"{indent}\tCHANNELS " + (f"6 Xposition Yposition Zposition {channels}" if root else f"3 {channels}")
        )
        children = [child for child, parent in self.parents.items() if parent == name]
        lines += [line for child in children for line in self._node(child, indent + "\t", channels)]
        if name in self.ends or not children:
            end = " ".join(f"{value:.6f}" for value in self.ends.get(name, np.array([0.0, 1.0, 0.0])))
            lines += [f"{indent}\tEnd Site", indent + "\t{", f"{indent}\t\tOFFSET {end}", indent + "\t}"]
        return [*lines, indent + "}"]


def person(convention: str, unit: float = 1.0, axes: ndarray | None = None) -> tuple[Rig, dict[str, str]]:
    """A T-pose in a convention, in units of `unit` cm, rotated by `axes`; and the name of each joint's node."""
    names, sides = CONVENTIONS[convention]
    name_of = dict(zip(_ORDER, names, strict=True))
    rig, node_of, axes = Rig(), {}, np.eye(3) if axes is None else axes

    def add(joint: str, side: int | None) -> None:
        name = name_of[joint] if side is None else name_of[joint].format(sides[side])
        above = TREE.get(joint)
        parent = None
        if above is not None:
            parent = name_of[above].format(sides[side]) if side is not None and above in _LIMBS else name_of[above]
        offset = position(joint, side) - (position(above, side) if above else 0.0)
        rig.parents[name], rig.offsets[name] = parent, axes @ offset / unit
        node_of[joint if side is None else f"{('left', 'right')[side]}_{joint}"] = name
        if joint == "head":
            rig.ends[name] = axes @ (position("head_end", None) - position("head", None)) / unit

    for joint in _ORDER:
        for side in (0, 1) if joint in _LIMBS else (None,):
            add(joint, side)
    return rig, node_of


def position(joint: str, side: int | None) -> ndarray:
    """Position of a joint in the T-pose, in centimetres."""
    x, y, z = POSITIONS[joint]
    return np.array([-x if side == 1 else x, y, z], float)


def rest_pose(rig: Rig, frames: int = 2) -> ndarray:
    """Channel values of the rest pose, with the root at its offset."""
    values = np.zeros((frames, 3 + 3 * len(rig.parents)))
    values[:, :3] = next(rig.offsets[name] for name, parent in rig.parents.items() if parent is None)
    return values
