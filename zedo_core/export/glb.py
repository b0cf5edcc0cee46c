"""The chosen poses as an animated scene in glTF 2.0 binary: metres, y up, floor at 0; all people in one file.

Every person is a skeleton with a T-pose as its rest pose, and a body of octahedra bound to the bones, so that every
viewer shows it (left blue, right orange). Bones lie along the y axes of their nodes, as in Blender and Mixamo. The
scale is 0 where a person is absent; missing motion is interpolated. Keys stand at the true times of the frames, and
`asset.extras.fps` is their rate.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from zedo_core.export._gltf import INDICES, VERTICES, Buffer
from zedo_core.export._names import DEFAULT_NAMES, bone_names
from zedo_core.export._rig import Motion, Node, in_axes
from zedo_core.export._solve import solve
from zedo_core.export._tracks import Recording, Track, record
from zedo_core.export._turns import quaternions
from zedo_core.storage.files import atomic_write
from zedo_core.types import Poses

SUFFIX = ".glb"
UPRIGHT = True
BONES = True

# Linear RGB; the colours are those of the figures.
_COLOURS = {"left": (0.014, 0.159, 0.631), "right": (0.745, 0.102, 0.023), "centre": (0.095, 0.102, 0.115)}
_SIDES = tuple(_COLOURS)
# An octahedron's largest half width, its half width per length, and the fraction of the length where it is widest.
_MAX_HALF_WIDTH_M, _HALF_WIDTH, _WIDEST = 0.04, 0.12, 0.2
_FACES = np.array([(0, 2, 1), (0, 3, 2), (0, 4, 3), (0, 1, 4), (5, 1, 2), (5, 2, 3), (5, 3, 4), (5, 4, 1)])


def write(poses: Poses, path: Path, *, names: str = DEFAULT_NAMES) -> None:
    """Write the scene, with bones named as in a program, see `zedo_core.export._names`.

    OutputError when it cannot be written, InputError without people.
    """
    bones, recording = bone_names(names), record(poses, path)
    with atomic_write(path) as partial:
        partial.write_bytes(_scene(recording, bones))


def _scene(recording: Recording, bones: dict[str, str]) -> bytes:
    buffer = Buffer()
    document: dict[str, Any] = {
        "asset": {
            "version": "2.0",
            "generator": "zedo",
            "extras": {"up": recording.up_source, "fps": recording.timing.fps},
        },
        "scene": 0,
        "scenes": [{"nodes": []}],
        "nodes": [],
        "meshes": [],
        "skins": [],
        "materials": [_material(side) for side in _SIDES],
        "animations": [{"name": "motion", "samplers": [], "channels": []}],
    }
    times = buffer.add(recording.timing.times_s.astype(np.float32))
    for track in recording.tracks:
        motion = solve(track.points, recording.skeleton, recording.timing.times_s)
        _add_person(document, buffer, track, motion, bones, times)
    return buffer.to_file(document)


def _material(side: str) -> dict[str, Any]:
    surface = {"baseColorFactor": [*_COLOURS[side], 1.0], "metallicFactor": 0.0, "roughnessFactor": 0.8}
    return {"name": side, "pbrMetallicRoughness": surface}


def _add_person(
    document: dict[str, Any], buffer: Buffer, track: Track, motion: Motion, bones: dict[str, str], times: int
) -> None:
    """The nodes, skin, mesh and animation of a person."""
    name, nodes = f"person{track.id}", document["nodes"]
    root, first = len(nodes), len(nodes) + 1
    axes, rest = np.stack([_axes(node, motion.nodes) for node in motion.nodes]), _rest_positions(motion)
    motion = in_axes(motion, axes)
    nodes.append({"name": name, "children": [first]})
    nodes += _bone_nodes(motion, bones, axes, rest, first)
    joints = list(range(first, len(nodes)))
    inverse_bind = np.tile(np.eye(4, dtype=np.float32), (len(joints), 1, 1))
    turned = axes.swapaxes(1, 2)
    inverse_bind[: len(axes), :3, :3] = turned
    inverse_bind[: len(axes), :3, 3] = -np.einsum("kab,kb->ka", turned, rest)
    for joint, (k, node) in enumerate(_ends(motion), start=len(axes)):
        inverse_bind[joint] = inverse_bind[k]
        inverse_bind[joint, :3, 3] -= node
    document["skins"].append({"name": name, "joints": joints, "inverseBindMatrices": buffer.add(inverse_bind)})
    document["meshes"].append({"name": f"{name}_body", "primitives": _body(buffer, motion, rest)})
    index = len(document["skins"]) - 1
    nodes.append({"name": f"{name}_body", "mesh": index, "skin": index})
    document["scenes"][0]["nodes"] += [root, len(nodes) - 1]
    _animate(document["animations"][0], buffer, motion, times, first)
    if not track.present.all():
        _hide(document["animations"][0], buffer, track.present, times, root)


def _bone_nodes(
    motion: Motion, bones: dict[str, str], axes: Float[ndarray, "k 3 3"], rest: Float[ndarray, "k 3"], first: int
) -> list[dict[str, Any]]:
    """The nodes of all bones in the rest pose, then those of ends, which give the last bones their lengths."""
    nodes: list[dict[str, Any]] = []
    turned = np.stack([axes[node.parent].T @ axes[k] if k else axes[k] for k, node in enumerate(motion.nodes)])
    for k, rotation in enumerate(quaternions(turned[None])[0].tolist()):
        position = motion.offsets[k] if k else rest[0]
        nodes.append({"name": bones[motion.nodes[k].name], "translation": position.tolist(), "rotation": rotation})
    for k, node in enumerate(motion.nodes[1:], start=1):
        nodes[node.parent].setdefault("children", []).append(first + k)
    for k, end in _ends(motion):
        nodes[k]["children"] = [first + len(nodes)]
        nodes.append({"name": f"{nodes[k]['name']}_end", "translation": list(end)})
    return nodes


def _ends(motion: Motion) -> list[tuple[int, tuple[float, float, float]]]:
    """The ends of hands and toes in the axes of their nodes; the top of the head is an end itself."""
    return [(k, node.end) for k, node in enumerate(motion.nodes) if node.end and node.joint != "head_top"]


def _axes(node: Node, nodes: tuple[Node, ...]) -> Float[ndarray, "3 3"]:
    """The axes of a node in the rest pose as columns: y along its bone, z forwards, or up where the bone is."""
    aimed = next((other for other in nodes if other.name == node.aims), None)
    k = nodes.index(node)
    below = next((other for other in nodes if other.parent == k), node) if aimed is None else aimed
    y, (_, up, front) = np.array(below.rest), np.eye(3)
    z = up if abs(y @ front) > 0.5 else front
    return np.stack([np.cross(y, z), y, z], axis=1)


def _rest_positions(motion: Motion) -> Float[ndarray, "k 3"]:
    """World positions of the nodes in the rest pose, which stands on the floor; before `in_axes`."""
    positions = np.zeros_like(motion.offsets)
    for k, node in enumerate(motion.nodes):
        if node.parent >= 0:
            positions[k] = positions[node.parent] + motion.offsets[k]
    return positions - (0.0, positions[:, 1].min(), 0.0)


def _body(buffer: Buffer, motion: Motion, rest: Float[ndarray, "k 3"]) -> list[dict[str, Any]]:
    """An octahedron per bone between joints, bound to the node that rotates it; a primitive per side of the body."""
    owners: list[int] = []
    vertices: list[ndarray] = []
    faces: dict[str, list[ndarray]] = {side: [] for side in _SIDES}
    for k, node in enumerate(motion.nodes):
        if node.parent >= 0 and node.name in (motion.nodes[node.parent].aims, "chest"):
            side = node.name.partition("_")[0]
            faces[side if side in faces else "centre"].append(_FACES + 6 * len(vertices))
            vertices.append(_octahedron(rest[node.parent], rest[k]))
            owners += [node.parent] * 6
    bound = np.zeros((len(owners), 4), dtype=np.uint8)
    bound[:, 0] = owners
    attributes = {
        "POSITION": buffer.add(np.concatenate(vertices).astype(np.float32), target=VERTICES),
        "JOINTS_0": buffer.add(bound, target=VERTICES),
        "WEIGHTS_0": buffer.add(np.tile(np.eye(4, dtype=np.float32)[0], (len(owners), 1)), target=VERTICES),
    }
    return [
        {
            "attributes": attributes,
            "indices": buffer.add(np.concatenate(faces[side]).ravel().astype(np.uint16), target=INDICES),
            "material": _SIDES.index(side),
        }
        for side in _SIDES
    ]


def _octahedron(start: Float[ndarray, "3"], end: Float[ndarray, "3"]) -> Float[ndarray, "6 3"]:
    """The corners: both ends, and a square across the bone near its start."""
    bone = end - start
    length = float(np.linalg.norm(bone))
    along = bone / length if length > 0 else np.eye(3)[1]
    across = np.cross(along, np.eye(3)[np.abs(along).argmin()])
    across /= np.linalg.norm(across)
    half_width = min(_MAX_HALF_WIDTH_M, _HALF_WIDTH * length)
    ring = [half_width * v for v in (across, np.cross(along, across), -across, -np.cross(along, across))]
    return np.stack([start, *(start + _WIDEST * bone + v for v in ring), end])


def _animate(animation: dict[str, Any], buffer: Buffer, motion: Motion, times: int, first: int) -> None:
    """Channels for the root's position and the rotation of every node that has children."""
    _add_channel(animation, buffer, motion.root, times, first, "translation")
    turns = quaternions(motion.rotations)
    for k in sorted({node.parent for node in motion.nodes} - {-1}):
        _add_channel(animation, buffer, turns[:, k], times, first + k, "rotation")


def _hide(animation: dict[str, Any], buffer: Buffer, present: Bool[ndarray, " t"], times: int, root: int) -> None:
    scale = np.repeat(present[:, None], 3, axis=1).astype(float)
    _add_channel(animation, buffer, scale, times, root, "scale", interpolation="STEP")


def _add_channel(
    animation: dict[str, Any],
    buffer: Buffer,
    values: ndarray,
    times: int,
    node: int,
    path: str,
    interpolation: str = "LINEAR",
) -> None:
    output = buffer.add(values.astype(np.float32))
    animation["samplers"].append({"input": times, "output": output, "interpolation": interpolation})
    sampler = len(animation["samplers"]) - 1
    animation["channels"].append({"sampler": sampler, "target": {"node": node, "path": path}})
