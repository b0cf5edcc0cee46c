"""The chosen poses as an animated scene in glTF 2.0 binary: metres, y up, floor at 0; all people in one file.

Every person is a skeleton with a T-pose as its rest pose, and a body of octahedra bound to the bones, so that every
viewer shows it (left blue, right orange). The scale is 0 where a person is absent; missing motion is interpolated. Keys
stand at the true times of the frames.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray
from scipy.spatial.transform import Rotation

from zedo_core.export._gltf import INDICES, VERTICES, Buffer
from zedo_core.export._rig import Motion, solve
from zedo_core.export._tracks import Recording, Track, record
from zedo_core.skeleton import H36M17
from zedo_core.storage.files import atomic_write
from zedo_core.types import Poses

SUFFIX = ".glb"
UPRIGHT = True

# Linear RGB; the colours are those of the figures.
_COLOURS = {"left": (0.014, 0.159, 0.631), "right": (0.745, 0.102, 0.023), "centre": (0.095, 0.102, 0.115)}
_SIDES = tuple(_COLOURS)
# An octahedron's largest half width, its half width per length, and the fraction of the length where it is widest.
_MAX_HALF_WIDTH_M, _HALF_WIDTH, _WIDEST = 0.04, 0.12, 0.2
_FACES = np.array([(0, 2, 1), (0, 3, 2), (0, 4, 3), (0, 1, 4), (5, 1, 2), (5, 2, 3), (5, 3, 4), (5, 4, 1)])


def write(poses: Poses, path: Path) -> None:
    """Write the scene; OutputError when it cannot be written, InputError without people."""
    recording = record(poses, path)
    with atomic_write(path) as partial:
        partial.write_bytes(_scene(recording))


def _scene(recording: Recording) -> bytes:
    buffer = Buffer()
    document: dict[str, Any] = {
        "asset": {"version": "2.0", "generator": "zedo", "extras": {"up": recording.up_source}},
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
        _add_person(document, buffer, track, motion, times)
    return buffer.to_file(document)


def _material(side: str) -> dict[str, Any]:
    surface = {"baseColorFactor": [*_COLOURS[side], 1.0], "metallicFactor": 0.0, "roughnessFactor": 0.8}
    return {"name": side, "pbrMetallicRoughness": surface}


def _add_person(document: dict[str, Any], buffer: Buffer, track: Track, motion: Motion, times: int) -> None:
    """The nodes, skin, mesh and animation of a person."""
    name, nodes = f"person{track.id}", document["nodes"]
    root, first = len(nodes), len(nodes) + 1
    rest = _rest_positions(motion)
    nodes.append({"name": name, "children": [first]})
    for k, node in enumerate(motion.nodes):
        entry: dict[str, Any] = {"name": node.name, "translation": (motion.offsets[k] if k else rest[0]).tolist()}
        children = [first + i for i, child in enumerate(motion.nodes) if child.parent == k]
        nodes.append(entry | {"children": children} if children else entry)
    joints = list(range(first, len(nodes)))
    inverse_bind = np.tile(np.eye(4, dtype=np.float32), (len(joints), 1, 1))
    inverse_bind[:, :3, 3] = -rest
    document["skins"].append({"name": name, "joints": joints, "inverseBindMatrices": buffer.add(inverse_bind)})
    document["meshes"].append({"name": f"{name}_body", "primitives": _body(buffer, motion, rest)})
    index = len(document["skins"]) - 1
    nodes.append({"name": f"{name}_body", "mesh": index, "skin": index})
    document["scenes"][0]["nodes"] += [root, len(nodes) - 1]
    _animate(document["animations"][0], buffer, motion, times, first)
    if not track.present.all():
        _hide(document["animations"][0], buffer, track.present, times, root)


def _rest_positions(motion: Motion) -> Float[ndarray, "k 3"]:
    """World positions of the nodes in the rest pose, which stands on the floor."""
    positions = np.zeros_like(motion.offsets)
    for k, node in enumerate(motion.nodes):
        if node.parent >= 0:
            positions[k] = positions[node.parent] + motion.offsets[k]
    return positions - (0.0, positions[:, 1].min(), 0.0)


def _body(buffer: Buffer, motion: Motion, rest: Float[ndarray, "k 3"]) -> list[dict[str, Any]]:
    """An octahedron per bone, bound to the node that rotates the bone; a primitive per side of the body."""
    vertices, owners = [], []
    faces: dict[str, list[ndarray]] = {side: [] for side in _SIDES}
    for k, node in enumerate(motion.nodes):
        if node.ends is not None:
            faces[H36M17.side(H36M17.index(node.ends))].append(_FACES + 6 * len(vertices))
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
    quaternions = _quaternions(motion.rotations)
    for k in sorted({node.parent for node in motion.nodes} - {-1}):
        _add_channel(animation, buffer, quaternions[:, k], times, first + k, "rotation")


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


def _quaternions(rotations: Float[ndarray, "t k 3 3"]) -> Float[ndarray, "t k 4"]:
    """Quaternions x, y, z, w whose signs do not jump between frames."""
    flat = Rotation.from_matrix(rotations.reshape(-1, 3, 3)).as_quat()
    quaternions = flat.reshape(*rotations.shape[:2], 4)
    flips = np.where((quaternions[1:] * quaternions[:-1]).sum(-1) < 0, -1.0, 1.0)
    quaternions[1:] *= np.cumprod(flips, axis=0)[..., None]
    return quaternions
