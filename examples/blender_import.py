"""Import BVH and GLB files into Blender with the right scale and frame rate.

    blender --python examples/blender_import.py -- poses.bvh
    python examples/blender_import.py poses_person1.bvh poses_person2.bvh   # with the bpy module; writes a .blend

zedo writes BVH in centimetres. A GLB has times, which Blender turns into frames of its own rate, so that is set to the
rate of the video, which the file knows.
"""

from __future__ import annotations

import json
import os
import struct
import sys
from pathlib import Path

import bpy  # pyright: ignore[reportMissingImports]

METRES_PER_CENTIMETRE = 0.01


def import_file(path: Path) -> None:
    """Add the people of a file to the scene, and set its frame rate to that of the file."""
    if path.suffix.lower() == ".bvh":
        bpy.ops.import_anim.bvh(
            filepath=str(path),
            global_scale=METRES_PER_CENTIMETRE,
            update_scene_fps=True,
            update_scene_duration=True,
        )
    else:
        import_glb(path)


def import_glb(path: Path) -> None:
    """Add the people of a GLB file, a frame of the scene for every frame of the file."""
    content = path.read_bytes()
    (length,) = struct.unpack_from("<I", content, 12)
    description = json.loads(content[20 : 20 + length])
    fps = description["asset"]["extras"]["fps"]
    render, before = bpy.context.scene.render, set(bpy.data.actions)
    render.fps, render.fps_base = max(round(fps), 1), 1.0
    bpy.ops.import_scene.gltf(filepath=str(path))
    for action in set(bpy.data.actions) - before:
        stretch(action, fps / render.fps)
    render.fps_base = render.fps / fps  # rates such as 29.97 are a whole number and its divisor in Blender


def stretch(action: bpy.types.Action, factor: float) -> None:
    """Move the keys of an action to `factor` times their frames."""
    for curve in curves(action):
        for key in curve.keyframe_points:
            for point in (key.co, key.handle_left, key.handle_right):
                point.x *= factor


def curves(action: bpy.types.Action) -> list[bpy.types.FCurve]:
    """All curves; newer versions of Blender keep them in layers."""
    if hasattr(action, "fcurves"):
        return list(action.fcurves)
    strips = [strip for layer in action.layers for strip in layer.strips]
    return [curve for strip in strips for bag in strip.channelbags for curve in bag.fcurves]


def main(names: list[str]) -> None:
    paths = [Path(name) for name in names]
    if not paths or any(path.suffix.lower() not in (".bvh", ".glb") or not path.is_file() for path in paths):
        sys.exit(f"expected BVH or GLB files after --, found {' '.join(names) or 'none'}")
    for path in paths:
        import_file(path)
    scene = bpy.context.scene
    ranges = [action.frame_range for action in bpy.data.actions]
    scene.frame_start = int(min(first for first, _ in ranges))
    scene.frame_end = round(max(last for _, last in ranges))
    armatures = [thing.name for thing in scene.objects if thing.type == "ARMATURE"]
    rate = scene.render.fps / scene.render.fps_base
    print(f"{', '.join(armatures)}: frames {scene.frame_start} to {scene.frame_end} at {rate:g} frames per second")
    if bpy.app.background:
        target = paths[0].with_suffix(".blend").resolve()
        bpy.ops.wm.save_as_mainfile(filepath=str(target))
        print(target, flush=True)
    if not bpy.app.binary_path:  # the module, not the program
        os._exit(0)  # its version 4.2 crashes when Python ends after the import of a GLB


if __name__ == "__main__":
    arguments = sys.argv
    main(arguments[arguments.index("--") + 1 :] if "--" in arguments else arguments[1:])
