"""BVH and glTF read by independent readers: bvhio, and pygltflib with animation as in the specification."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pygltflib
import pytest
from numpy import ndarray
from scipy.spatial.transform import Rotation

from zedo_core.export import save
from zedo_core.skeleton import H36M17
from zedo_core.types import Poses

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # bvhio imports PyGLM under a deprecated name
    import bvhio


# The bones of Mixamo that begin at the joints of H36M-17.
MIXAMO = {
    "pelvis": "Spine",
    "spine": "Spine1",
    "thorax": "Neck",
    "neck_nose": "Head",
    "head_top": "HeadTop_End",
    **{
        f"{side}_{joint}": side.title() + bone
        for side in ("left", "right")
        for joint, bone in {
            "hip": "UpLeg",
            "knee": "Leg",
            "ankle": "Foot",
            "shoulder": "Arm",
            "elbow": "ForeArm",
            "wrist": "Hand",
        }.items()
    },
}
BONES = {joint: f"mixamorig:{bone}" for joint, bone in MIXAMO.items()}
OWN = {joint: joint for joint in H36M17.joints}


def bvh_joints(path: Path, bones: Mapping[str, str] = BONES) -> ndarray:
    """Joints (t, j, 3) in metres, by bvhio's own forward kinematics; `bones` begin at them."""
    root = bvhio.readAsHierarchy(str(path))
    nodes = {node.Name: node for node, _, _ in root.layout()}
    frames = []
    for frame in range(bvhio.readAsBvh(str(path)).FrameCount):
        root.loadPose(frame)
        frames.append([list(nodes[bones[joint]].PositionWorld) for joint in H36M17.joints])
    return np.array(frames) / 100


@dataclass
class BvhMotion:
    """A BVH file as text says it, in double precision: metres in the file's axes, by the names of joints."""

    parents: dict[str, str | None]
    offsets: dict[str, ndarray]
    ends: dict[str, ndarray]
    orders: dict[str, str]
    angles: ndarray  # (t, k, 3) degrees
    positions: dict[str, ndarray]  # (t, 3) in the world
    axes: dict[str, ndarray]  # (t, 3, 3) in the world


def read_bvh(path: Path) -> BvhMotion:
    """Forward kinematics as the format describes them; the positions of the root replace its offset."""
    head, _, tail = path.read_text().partition("MOTION\n")
    parents, offsets, ends, orders = {}, {}, {}, {}
    open_nodes: list[str] = []
    for words in (line.split() for line in head.splitlines()):
        if words[0] in ("ROOT", "JOINT"):
            parents[words[1]] = open_nodes[-1] if open_nodes else None
            name = words[1]
        elif words[0] == "End":
            name = ""
        elif words[0] == "{":
            open_nodes.append(name)
        elif words[0] == "}":
            open_nodes.pop()
        elif words[0] == "OFFSET":
            offset = np.array([float(word) for word in words[1:]]) / 100
            (offsets if open_nodes[-1] else ends)[open_nodes[-1] or open_nodes[-2]] = offset
        elif words[0] == "CHANNELS":
            orders[open_nodes[-1]] = "".join(word[0] for word in words if word.endswith("rotation"))
    rows = np.array([[float(cell) for cell in line.split(" ")] for line in tail.splitlines()[2:]])
    angles = rows[:, 3:].reshape(len(rows), -1, 3)
    positions, axes = {}, {}
    for k, (name, parent) in enumerate(parents.items()):
        turn = Rotation.from_euler(orders[name], angles[:, k], degrees=True).as_matrix()
        positions[name] = rows[:, :3] / 100 if parent is None else positions[parent] + axes[parent] @ offsets[name]
        axes[name] = turn if parent is None else axes[parent] @ turn
    return BvhMotion(parents, offsets, ends, orders, angles, positions, axes)


WIDTHS = {"SCALAR": (), "VEC3": (3,), "VEC4": (4,), "MAT4": (4, 4)}
TYPES = {5126: "<f4", 5121: "u1", 5123: "<u2"}


class Glb:
    """A glTF read by pygltflib, animated as in the specification."""

    def __init__(self, path: Path) -> None:
        loaded = pygltflib.GLTF2().load(str(path))
        assert loaded is not None
        self.file: Any = loaded

    def array(self, accessor: Any) -> ndarray:
        entry = self.file.accessors[accessor]
        view = self.file.bufferViews[entry.bufferView]
        blob = self.file.binary_blob()
        assert blob is not None
        content = blob[view.byteOffset : view.byteOffset + view.byteLength]
        array = np.frombuffer(content, TYPES[entry.componentType]).reshape(-1, *WIDTHS[entry.type])
        assert len(array) == entry.count
        if entry.min:
            np.testing.assert_allclose(np.atleast_1d(array.min(0)), entry.min)
            np.testing.assert_allclose(np.atleast_1d(array.max(0)), entry.max)
        return array.swapaxes(1, 2) if array.ndim == 3 else array  # matrices are stored by columns

    def world(self, frame: int | None) -> list[ndarray]:
        """Matrices (4, 4) of all nodes, at a key frame or (None) in the rest pose."""
        local = [self.local(i, frame) for i in range(len(self.file.nodes))]
        parents = {child: i for i, node in enumerate(self.file.nodes) for child in node.children or ()}

        def matrix(i: int) -> ndarray:
            return matrix(parents[i]) @ local[i] if i in parents else local[i]

        return [matrix(i) for i in range(len(local))]

    def local(self, node: int, frame: int | None) -> ndarray:
        entry = self.file.nodes[node]
        values = {
            "translation": entry.translation or (0, 0, 0),
            "rotation": entry.rotation or (0, 0, 0, 1),
            "scale": (1, 1, 1),
        }
        for channel in self.file.animations[0].channels if frame is not None else ():
            if channel.target.node == node:
                output = self.array(self.file.animations[0].samplers[channel.sampler].output)
                values[channel.target.path] = output[frame]
        x, y, z, w = np.asarray(values["rotation"], dtype=float)
        assert x * x + y * y + z * z + w * w == pytest.approx(1, abs=1e-6)
        matrix = np.eye(4)
        matrix[:3, :3] = [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
        matrix[:3, :3] *= np.asarray(values["scale"], dtype=float)
        matrix[:3, 3] = values["translation"]
        return matrix

    @property
    def times(self) -> ndarray:
        return self.array(self.file.animations[0].samplers[0].input)

    def joints(self, person: int = 0) -> ndarray:
        """Joints (t, j, 3) in metres of the person with the given skin."""
        return np.array([self.pose(frame, person) for frame in range(len(self.times))])

    def pose(self, frame: int | None, person: int = 0) -> ndarray:
        nodes = {self.file.nodes[i].name: i for i in self.file.skins[person].joints}
        world = self.world(frame)
        return np.array([world[nodes[BONES[joint]]][:3, 3] for joint in H36M17.joints])

    def body(self, frame: int, person: int = 0) -> ndarray:
        """Corners (n, 6, 3) of the octahedra, skinned."""
        skin, attributes = self.file.skins[person], self.file.meshes[person].primitives[0].attributes
        corners, weights = self.array(attributes.POSITION), self.array(attributes.WEIGHTS_0)
        world, inverse_bind = self.world(frame), self.array(skin.inverseBindMatrices)
        bones = np.array([world[node] @ matrix for node, matrix in zip(skin.joints, inverse_bind, strict=True)])
        blended = np.einsum("nw,nwab->nab", weights, bones[self.array(attributes.JOINTS_0)])
        skinned = np.einsum("nab,nb->na", blended, np.concatenate([corners, np.ones((len(corners), 1))], axis=1))
        return skinned[:, :3].reshape(-1, 6, 3)


def animated(poses: Poses, folder: Path, suffix: str) -> ndarray:
    """Joints (t, j, 3) in metres of the one person, saved in a format and read back."""
    (file,) = save(poses, folder / f"poses{suffix}")
    return bvh_joints(file) if suffix == ".bvh" else Glb(file).joints()
