"""Small versions of 3DPW, MPI-INF-3DHP and SkiPose: files in the formats of the data sets, generated from known people.

Independent of the readers: joints are ordered by the names in the data sets.
"""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy import ndarray

from zedo_core.data.mocap import load, random_views
from zedo_core.skeleton import H36M17

ROOT = H36M17.index("pelvis")

# The joints of pw3d_test.npz, of SMPL in 3DPW and of the test set of MPI-INF-3DHP, by the names of H36M-17 where it has
# them.
PW3D_NPZ = (
    *("left_knee", "right_knee", "left_ankle", "right_ankle", "left_shoulder", "right_shoulder", "left_elbow"),
    *("right_elbow", "left_wrist", "right_wrist", "right_hip", "left_hip", "thorax", "head_top", "pelvis", "spine"),
    "neck_nose",
)
SMPL_INDEX = {"thorax": 12, "head_top": 15} | {
    f"{side}_{part}": index + (side == "right")
    for part, index in (("hip", 1), ("knee", 4), ("ankle", 7), ("shoulder", 16), ("elbow", 18), ("wrist", 20))
    for side in ("left", "right")
}
MPI_TEST = (
    *("head_top", "thorax", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow"),
    *("left_wrist", "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle", "pelvis"),
    *("spine", "neck_nose"),
)


@dataclass(frozen=True)
class People:
    """People in front of a camera: joints (n, 17, 3) in camera axes in metres, pixels (n, 17, 2) and K (3, 3)."""

    joints_cam: ndarray
    xy: ndarray
    K: ndarray


def people(count: int, K: tuple[float, float, float, float], mocap: Path | None, seed: int = 0) -> People:
    """People of the test split of motion capture (random joints without it), 3 to 6 m from a camera fx, fy, cx, cy."""
    rng = np.random.default_rng(seed)
    if mocap is None:
        bodies = rng.normal(0, 0.3, (count, len(H36M17), 3))
    else:
        bodies = random_views(load(mocap, "test"), count, seed).joints_cam
    bodies = bodies - bodies[:, [ROOT]]
    joints_cam = bodies + rng.uniform((-0.5, -0.3, 3.0), (0.5, 0.3, 6.0), (count, 3))[:, None]
    fx, fy, cx, cy = K
    x, y, z = np.moveaxis(joints_cam, -1, 0)
    xy = np.stack([fx * x / z + cx, fy * y / z + cy], axis=-1)
    return People(joints_cam, xy, np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]]))


def by_names(points: ndarray, names: tuple[str, ...]) -> ndarray:
    """Points (n, 17, d) of H36M-17 in the order of these names."""
    return points[:, [H36M17.joints.index(name) for name in names]]


def write_pickle(path: Path, content: Any, protocol: int = 2) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(content, protocol))
    return path


def with_entries(content: dict[str, Any], **entries: Any) -> dict[str, Any]:
    """The content with changed entries, and without those that are None."""
    return {name: value for name, value in {**content, **entries}.items() if value is not None}


# 3DPW


def pw3d_npz(crowd: People, image_paths: list[str]) -> dict[str, Any]:
    n = len(crowd.joints_cam)
    roots = crowd.joints_cam[:, ROOT]
    relative = by_names(crowd.joints_cam - roots[:, None], PW3D_NPZ)
    f, c = np.diag(crowd.K)[:2], crowd.K[:2, 2]
    return {
        "keypoints3d17_relative": np.concatenate([relative, np.ones((n, 17, 1))], axis=-1),
        "root_cam": roots.astype(np.float32),
        "cam_param": np.array({"f": np.tile(f, (n, 1)), "c": np.tile(c, (n, 1)), "intrinsic": np.zeros((n, 3, 3))}),
        "image_width": np.full(n, 1080),
        "image_height": np.full(n, 1920),
        "image_path": np.array(image_paths),
        "config": np.array("pw3d"),
    }


def pw3d_sequence(name: str, persons: list[People], valid: list[ndarray], seed: int = 0) -> dict[str, Any]:
    """One of 3DPW's pickles, with a moving camera. Joints that are not used are far away."""
    rng = np.random.default_rng(seed)
    T = len(persons[0].joints_cam)
    cam_from_world = np.tile(np.eye(4), (T, 1, 1))
    cam_from_world[:, :3, :3] = [rotation(rng) for _ in range(T)]
    cam_from_world[:, :3, 3] = rng.normal(0, 3, (T, 3))
    positions = []
    for person in persons:
        smpl_cam = rng.normal(50, 5, (T, 24, 3))
        for joint, index in SMPL_INDEX.items():
            smpl_cam[:, index] = person.joints_cam[:, H36M17.joints.index(joint)]
        homogeneous = np.concatenate([smpl_cam, np.ones((T, 24, 1))], axis=-1)
        world = np.einsum("tij,tnj->tni", np.linalg.inv(cam_from_world), homogeneous)[..., :3]
        positions.append(world.reshape(T, 72))
    return {
        "sequence": name,
        "poses2d": [np.zeros((T, 3, 18)) for _ in persons],
        "jointPositions": positions,
        "cam_poses": cam_from_world,
        "cam_intrinsics": persons[0].K,
        "campose_valid": valid,
        "genders": ["m" for _ in persons],
    }


def rotation(rng: np.random.Generator) -> ndarray:
    """A random rotation."""
    Q, R = np.linalg.qr(rng.normal(size=(3, 3)))
    Q = Q * np.sign(np.diag(R))
    return Q * np.linalg.det(Q)


# MPI-INF-3DHP


def mpi_items(crowd: People, imageids: list[Any], actions: list[int], valid: list[int]) -> list[dict[str, Any]]:
    (fx, _, cx), (_, fy, cy), _ = crowd.K.tolist()
    return [
        {
            "joint_3d_camera": joints_cam * 1000,
            "joint_2d": np.concatenate([xy, np.ones((17, 1))], axis=-1),
            "w": 2048,
            "h": 2048,
            "camera_param": {"fx": fx, "fy": np.array([fy]), "cx": np.float64(cx), "cy": [cy]},
            "imageid": imageid,
            "valid_i": np.array([mark]),
            "action": action,
        }
        for joints_cam, xy, imageid, action, mark in zip(
            crowd.joints_cam, crowd.xy, imageids, actions, valid, strict=True
        )
    ]


def mpi_arrays(crowd: People, actions: list[int], valid: list[int]) -> dict[str, Any]:
    """The arrays of annot_data.mat as read with HDF5."""
    annot3 = by_names(crowd.joints_cam, MPI_TEST)[:, None] * 1000
    return {
        "annot2": by_names(crowd.xy, MPI_TEST)[:, None],
        "annot3": annot3,
        "univ_annot3": annot3 * 1.1,
        "valid_frame": np.array(valid, np.uint8)[:, None],
        "activity_annotation": np.array(actions, float)[:, None],
    }


def write_matlab(path: Path, arrays: dict[str, Any]) -> Path:
    """HDF5 as written by MATLAB 7.3, after a header of 512 bytes."""
    write_hdf5(path, arrays, userblock_size=512)
    header = b"MATLAB 7.3 MAT-file, Platform: GLNXA64, HDF5 schema 1.00 ."
    with open(path, "r+b") as file:
        file.write(header.ljust(512))
    return path


def write_hdf5(path: Path, arrays: dict[str, Any], **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w", **options) as file:
        for name, array in arrays.items():
            file[name] = array
    return path


# SkiPose


def ski_arrays(crowd: People, seq: ndarray, cam: ndarray, frame: ndarray) -> dict[str, Any]:
    n = len(crowd.joints_cam)
    K = crowd.K.copy()
    K[:2] /= 256
    return {
        "3D": crowd.joints_cam.reshape(n, 51).astype(np.float32),
        "2D": crowd.xy.reshape(n, 34) / 256,
        "cam_intrinsic": np.tile(K, (n, 1, 1)),
        "seq": seq.astype(float),
        "cam": cam.astype(float),
        "frame": frame.astype(float),
        "subj": np.ones(n),
    }
