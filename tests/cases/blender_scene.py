"""Run by Blender's Python, not by that of the tests: what is in a .blend, or limbs of a rig that follows another.

    python blender_scene.py show FILE.blend FRAME,...
    python blender_scene.py follow FILE.blend FRAME,... HOW

`show` prints JSON: the rate, the first and last frame, and per armature the bones with their lengths and parents, the
places of their heads in the frames, and at which frames the keys are. `follow` makes a rig of another size with the
bones of Mixamo, without those that zedo adds, that takes the rotations of an armature of the same names, by
constraints in world axes or by copies of local rotations, and prints the directions of the bones of both.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import bpy  # pyright: ignore[reportMissingImports]
from mathutils import Vector  # pyright: ignore[reportMissingImports]

PREFIX = "mixamorig:"
# Heads and tails in metres, z up, of the left side and the middle of a rig that is larger than a person.
RIG = {
    "Hips": ("", (0, 0, 1.2), (0, 0, 1.32)),
    "Spine": ("Hips", (0, 0, 1.32), (0, 0, 1.46)),
    "Spine1": ("Spine", (0, 0, 1.46), (0, 0, 1.62)),
    "Spine2": ("Spine1", (0, 0, 1.62), (0, 0, 1.8)),
    "Neck": ("Spine2", (0, 0, 1.8), (0, 0, 1.92)),
    "Head": ("Neck", (0, 0, 1.92), (0, 0, 2.15)),
    "LeftShoulder": ("Spine2", (0.07, 0, 1.75), (0.23, 0, 1.75)),
    "LeftArm": ("LeftShoulder", (0.23, 0, 1.75), (0.58, 0, 1.75)),
    "LeftForeArm": ("LeftArm", (0.58, 0, 1.75), (0.9, 0, 1.75)),
    "LeftHand": ("LeftForeArm", (0.9, 0, 1.75), (1.05, 0, 1.75)),
    "LeftUpLeg": ("Hips", (0.12, 0, 1.12), (0.12, 0, 0.6)),
    "LeftLeg": ("LeftUpLeg", (0.12, 0, 0.6), (0.12, 0, 0.1)),
    "LeftFoot": ("LeftLeg", (0.12, 0, 0.1), (0.12, -0.16, 0.1)),
}
FORWARDS = (0, -1, 0)  # of Blender's axes for a person who faces z of a file


def show(frames: list[int]) -> dict[str, Any]:
    """What the scene holds."""
    scene = bpy.context.scene
    armatures = {}
    for thing in scene.objects:
        if thing.type == "ARMATURE":
            bones = {b.name: (b.length, b.parent and b.parent.name, list(b.y_axis)) for b in thing.data.bones}
            heads = {b.name: [] for b in thing.pose.bones}
            shown = []
            for frame in frames:
                scene.frame_set(frame)
                shown.append(thing.scale.x)
                for bone in thing.pose.bones:
                    heads[bone.name].append(list(thing.matrix_world @ bone.head))
            armatures[thing.name] = {"bones": bones, "heads": heads, "scale": shown}
    keys = sorted({point.co.x for a in bpy.data.actions for curve in a.fcurves for point in curve.keyframe_points})
    rate = scene.render.fps / scene.render.fps_base
    return {"fps": rate, "start": scene.frame_start, "end": scene.frame_end, "keys": keys, "armatures": armatures}


def follow(frames: list[int], how: str) -> dict[str, Any]:
    """Directions of the bones of the armature and of a rig that takes its rotations."""
    scene = bpy.context.scene
    source = next(thing for thing in scene.objects if thing.type == "ARMATURE")
    rig = make_rig()
    if how == "constraints":
        for bone in rig.pose.bones:
            constraint = bone.constraints.new("COPY_ROTATION")
            constraint.target, constraint.subtarget = source, bone.name
    found: dict[str, Any] = {"source": {}, "rig": {}}
    for frame in frames:
        scene.frame_set(frame)
        if how == "local":
            for bone in rig.pose.bones:
                bone.rotation_mode = "QUATERNION"
                bone.rotation_quaternion = source.pose.bones[bone.name].matrix_basis.to_quaternion()
        bpy.context.view_layer.update()
        for name, armature in (("source", source), ("rig", rig)):
            for bone in rig.pose.bones:
                other = armature.pose.bones[bone.name]
                along = armature.matrix_world.to_3x3() @ (other.tail - other.head)
                found[name].setdefault(bone.name, []).append(list(along.normalized()))
    return found


def make_rig() -> Any:
    """An armature with both sides of `RIG`."""
    armature = bpy.data.objects.new("character", bpy.data.armatures.new("character"))
    bpy.context.scene.collection.objects.link(armature)
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    for name, (parent, head, tail) in RIG.items():
        for side, sign in (("Left", 1), ("Right", -1)) if name.startswith("Left") else (("", 1),):
            bone = armature.data.edit_bones.new(PREFIX + name.replace("Left", side))
            bone.head, bone.tail = (Vector((sign * place[0], *place[1:])) for place in (head, tail))
            bone.align_roll(Vector((0, 0, 1) if name.endswith("Foot") else FORWARDS))
            if parent:
                bone.parent = armature.data.edit_bones[PREFIX + parent.replace("Left", side)]
    bpy.ops.object.mode_set(mode="OBJECT")
    return armature


if __name__ == "__main__":
    command, file, numbers, *rest = sys.argv[1:]
    bpy.ops.wm.open_mainfile(filepath=file)
    frames = [int(number) for number in numbers.split(",")]
    print("JSON" + json.dumps(show(frames) if command == "show" else follow(frames, *rest)))
