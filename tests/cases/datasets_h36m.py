"""Human3.6M in each of its formats, generated from bodies and cameras; expected values are projected by OpenCV."""

from __future__ import annotations

import json
import pickle
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import h5py
import numpy as np
from numpy import ndarray

NUMBERS = ("54138969", "55011271", "58860488", "60457274")
SUBJECTS = {"test": ("S9", "S11"), "train": ("S1", "S5", "S6", "S7", "S8")}

# Indices of the 17 joints, in the order of H36M-17, among the 32 of the data set.
SLOTS = {
    "pelvis": 0,
    "right_hip": 1,
    "right_knee": 2,
    "right_ankle": 3,
    "left_hip": 6,
    "left_knee": 7,
    "left_ankle": 8,
    "spine": 12,
    "thorax": 13,
    "neck_nose": 14,
    "head_top": 15,
    "left_shoulder": 17,
    "left_elbow": 18,
    "left_wrist": 19,
    "right_shoulder": 25,
    "right_elbow": 26,
    "right_wrist": 27,
}
JOINTS = tuple(SLOTS)
# The joints of hourglass detections; None is the upper neck, which H36M-17 does not have.
MPII = (
    *("right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle"),
    *("pelvis", "thorax", None, "head_top", "right_wrist", "right_elbow", "right_shoulder"),
    *("left_shoulder", "left_elbow", "left_wrist"),
)
# Numbers of the actions in file names, as in the metadata of the data set.
ACTS = {
    "Directions": 2,
    "Discussion": 3,
    "Eating": 4,
    "Greeting": 5,
    "Phoning": 6,
    "Posing": 7,
    "Purchases": 8,
    "Sitting": 9,
    "SittingDown": 10,
    "Smoking": 11,
    "Photo": 12,
    "Waiting": 13,
    "Walking": 14,
    "WalkDog": 15,
    "WalkTogether": 16,
}


@dataclass(frozen=True, kw_only=True)
class Lens:
    """A camera: x_cam = R (x - position), lengths in mm, pixels, OpenCV's lens model."""

    R: ndarray
    position: ndarray
    f: tuple[float, float]
    c: tuple[float, float]
    k: tuple[float, float, float]
    p: tuple[float, float]

    @property
    def matrix(self) -> ndarray:
        return np.array([[self.f[0], 0, self.c[0]], [0, self.f[1], self.c[1]], [0, 0, 1]])

    def joints_cam(self, points: ndarray) -> ndarray:
        """Points in camera axes, in metres."""
        return np.einsum("ij,...j->...i", self.R, points - self.position) / 1000

    def pixels(self, points: ndarray, distorted: bool = True) -> ndarray:
        k1, k2, k3 = self.k
        lens = np.array([k1, k2, *self.p, k3]) * distorted
        rotation, _ = cv2.Rodrigues(self.R)
        flat, _ = cv2.projectPoints(points.reshape(-1, 3), rotation, -self.R @ self.position, self.matrix, lens)
        return flat.reshape(*points.shape[:-1], 2)


def lens(position: tuple[float, float, float], seed: int) -> Lens:
    """A camera in the studio that looks at people near its centre, with a level x axis, nearly as in the data set."""
    rng = np.random.default_rng(seed)
    centre = np.array(position) + rng.normal(0, 50, 3)
    z = np.array([0, 0, 950]) + rng.normal(0, 60, 3) - centre
    z /= np.linalg.norm(z)
    x = np.cross(z, (0, 0, 1))
    x /= np.linalg.norm(x)
    return Lens(
        R=np.stack([x, np.cross(z, x), z]),
        position=centre,
        f=(1145 + rng.normal(0, 3), 1144 + rng.normal(0, 3)),
        c=(512 + rng.normal(0, 5), 508 + rng.normal(0, 5)),
        k=(-0.2 + rng.normal(0, 0.005), 0.24 + rng.normal(0, 0.005), -0.003),
        p=(-0.0016 + rng.normal(0, 1e-4), -0.0027),
    )


def lenses(subjects: tuple[str, ...]) -> dict[str, dict[str, Lens]]:
    positions = ((1900, 4950, 1560), (1900, -5100, 1600), (-1700, 5200, 1500), (-1700, -3800, 1570))
    return {
        subject: {
            number: lens(position, 10 * i + j)
            for j, (number, position) in enumerate(zip(NUMBERS, positions, strict=True))
        }
        for i, subject in enumerate(subjects)
    }


def random_bodies(count: int, seed: int = 0) -> ndarray:
    """Bodies (count, 17, 3) in mm, z up: joints at their usual heights, scattered."""
    rng = np.random.default_rng(seed)
    heights = [950, 950, 500, 80, 950, 500, 80, 1200, 1430, 1550, 1680, 1400, 1150, 1000, 1400, 1150, 1000]
    return np.stack([*rng.normal(0, 180, (2, count, 17)), heights + rng.normal(0, 30, (count, 17))], axis=-1)


def from_mocap(positions: ndarray) -> ndarray:
    """Convert metres with y up to mm with z up, on the floor near the centre of the studio."""
    x, y, z = np.moveaxis(positions.astype(float), -1, 0)
    world = np.stack([x, -z, y], axis=-1) * 1000
    world[..., :2] -= world[:, :1, :2]
    world[..., 2] -= world[..., 2].min(axis=-1, keepdims=True) - 50
    return world


@dataclass(frozen=True, kw_only=True)
class Studio:
    """Takes by subject and name: (t, 17, 3) mm in world axes, z up; cameras by subject and number."""

    takes: dict[tuple[str, str], ndarray]
    lenses: dict[str, dict[str, Lens]]
    noise_px: dict[tuple[str, str, str], ndarray] = field(default_factory=dict)

    def all32(self, take: tuple[str, str]) -> ndarray:
        """All joints (t, 32, 3) in mm; those that are not used have random positions."""
        points = np.random.default_rng(5).normal(0, 3000, (len(self.takes[take]), 32, 3))
        points[:, list(SLOTS.values())] = self.takes[take]
        return points

    def pixels(self, subject: str, take: str, number: str, input: str = "gt") -> ndarray:
        """Pixels (t, 17, 2) with distortion; detections have noise."""
        pixels = self.lenses[subject][number].pixels(self.takes[subject, take])
        return pixels if input == "gt" else pixels + self.noise(subject, take, number)

    def noise(self, subject: str, take: str, number: str) -> ndarray:
        seed = [ord(letter) for letter in f"{subject}{take}{number}"]
        return np.random.default_rng(seed).normal(0, 4, (len(self.takes[subject, take]), 17, 2))

    def undistorted(self, subject: str, take: str, number: str, input: str = "gt") -> ndarray:
        """The undistorted pixels that a reader must compute from `pixels`."""
        camera = self.lenses[subject][number]
        if input == "gt":
            return camera.pixels(self.takes[subject, take], distorted=False)
        pixels = self.pixels(subject, take, number, input)
        k1, k2, k3 = camera.k
        rays = cv2.undistortPoints(pixels.reshape(-1, 1, 2), camera.matrix, np.array([k1, k2, *camera.p, k3]))
        return (cv2.convertPointsToHomogeneous(rays)[:, 0] @ camera.matrix.T)[:, :2].reshape(pixels.shape)


def make_studio(split: str = "test", frames: int = 6, bodies: ndarray | None = None) -> Studio:
    """A few takes; of S11 also the one that published results exclude."""
    subjects = SUBJECTS[split]
    names = {subject: ["Walking 1", "Directions 1", "Photo"] for subject in subjects} | {
        "S11": ["WalkDog", "Directions"]
    }
    takes = {}
    for subject in subjects:
        for i, name in enumerate(names[subject]):
            t = frames + i
            start = 40 * len(takes)
            takes[subject, name] = random_bodies(t, start) if bodies is None else bodies[start : start + t]
    return Studio(takes=takes, lenses=lenses(subjects))


def write_videopose(
    folder: Path, studio: Studio, *, inputs: tuple[str, ...] = ("gt", "detected"), extra_frames: int = 3
) -> None:
    """data_3d_h36m.npz and data_2d_h36m_*.npz."""
    np.savez_compressed(
        folder / "data_3d_h36m.npz", positions_3d=nested(studio, lambda take: studio.all32(take) / 1000)
    )
    for input in inputs:
        name = {"gt": "gt", "detected": "cpn_ft_h36m_dbb"}[input]
        write_2d(folder / f"data_2d_h36m_{name}.npz", views(studio, input, extra_frames))


def nested(studio: Studio, value: Any) -> Any:
    table: dict[str, dict[str, Any]] = {}
    for subject, take in studio.takes:
        table.setdefault(subject, {})[take] = value((subject, take))
    return np.array(table, object)


def views(studio: Studio, input: str, extra_frames: int = 0) -> dict[str, dict[str, list[ndarray]]]:
    def all_cameras(take: tuple[str, str]) -> list[ndarray]:
        padding = np.zeros((extra_frames, 17, 2))
        return [np.concatenate([studio.pixels(*take, number, input), padding]) for number in NUMBERS]

    return nested(studio, all_cameras).item()


def write_2d(path: Path, table: Any, layout: str | None = None) -> None:
    metadata: dict[str, Any] = {"num_joints": 17, "keypoints_symmetry": [[4, 5, 6], [1, 2, 3]]}
    metadata |= {} if layout is None else {"layout_name": layout}
    np.savez_compressed(path, positions_2d=np.array(table, object), metadata=np.array(metadata, object))


def write_json_cameras(path: Path, studio: Studio, *, metres: bool = False, quaternion: bool = True) -> None:
    path.write_text(
        json.dumps(
            {s: {n: json_camera(cam, metres, quaternion) for n, cam in row.items()} for s, row in studio.lenses.items()}
        )
    )


def json_camera(camera: Lens, metres: bool, quaternion: bool) -> dict[str, Any]:
    return {
        **({"orientation": quaternion_from_matrix(camera.R.T)} if quaternion else {"R": camera.R.tolist()}),
        "translation": (camera.position / (1000 if metres else 1)).tolist(),
        "center": camera.c,
        "focal_length": camera.f,
        "radial_distortion": camera.k,
        "tangential_distortion": camera.p,
        "res_w": 1000,
        "res_h": 1002,
    }


def quaternion_from_matrix(R: ndarray) -> list[float]:
    """w, x, y, z, computed from the rotation vector."""
    vector = cv2.Rodrigues(R)[0].ravel()
    angle = float(np.linalg.norm(vector))
    return [float(np.cos(angle / 2)), *(np.sin(angle / 2) * vector / angle).tolist()]


def write_h5_cameras(path: Path, studio: Studio, *, by_columns: bool = True) -> None:
    """As in the file of earlier work: matrices in column-major order, the name as character codes."""
    with h5py.File(path, "w") as file:
        for subject, row in studio.lenses.items():
            for i, (number, cam) in enumerate(row.items()):
                group = file.create_group(f"subject{subject[1:]}/camera{i + 1}")
                group["R"] = cam.R.T if by_columns else cam.R
                for name, values in {"T": cam.position, "f": cam.f, "c": cam.c, "k": cam.k, "p": cam.p}.items():
                    group[name] = np.reshape(values, (-1, 1))
                group["Name"] = np.array([[ord(letter)] for letter in number], np.uint16)


def write_hdf5(folder: Path, studio: Studio, *, per_camera: bool = False, by_rows: bool = False) -> None:
    """S*/MyPoses/3D_positions/*.h5, S*/StackedHourglass/*.h5 and cameras.h5."""
    for subject, take in studio.takes:
        positions = studio.all32((subject, take)).reshape(-1, 96)
        for number in NUMBERS:
            name = f"{take}.{number}.h5" if per_camera else f"{take}.h5"
            path = folder / subject / "MyPoses" / "3D_positions" / name
            write_array(path, "3D_positions", positions if by_rows else positions.T)
            if (subject, take) != ("S11", "Directions"):  # missing in the data set as well
                path = folder / subject / "StackedHourglass" / f"{take.replace(' ', '_')}.{number}.h5"
                write_array(path, "poses", mpii(studio.pixels(subject, take, number, "detected")))
    write_h5_cameras(folder / "cameras.h5", studio)


def write_array(path: Path, name: str, array: ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        file[name] = array


def mpii(pixels: ndarray) -> ndarray:
    """Pixels (t, 17, 2) as hourglass detections (t, 16, 2)."""
    poses = np.full((len(pixels), 16, 2), 777.0)
    for i, joint in enumerate(MPII):
        if joint is not None:
            poses[:, i] = pixels[:, JOINTS.index(joint)]
    return poses


def entries(studio: Studio, *, arrays: bool = True) -> list[dict[str, Any]]:
    """Samples of the official pickle."""
    rows = []
    for subject, take in studio.takes:
        action, _, part = take.partition(" ")
        for j, number in enumerate(NUMBERS):
            lens = studio.lenses[subject][number]
            joints_cam = lens.joints_cam(studio.takes[subject, take]) * 1000
            xy = lens.pixels(studio.takes[subject, take], distorted=False)
            values = dict(zip(("fx", "fy", "cx", "cy"), (*lens.f, *lens.c), strict=True))
            camera = {key: np.array([value]) if arrays else value for key, value in values.items()}
            folder = f"s_{int(subject[1:]):02d}_act_{ACTS[action]:02d}_subact_{int(part or 0) + 1:02d}_ca_{j + 1:02d}"
            for t in range(len(xy)):
                rows.append(
                    {
                        "videoid": 0,
                        "camera_param": {**camera, "R": lens.R, "name": number},
                        "image_path": f"{folder}/{folder}_{t + 1:06d}.jpg",
                        "joint_3d_image": np.concatenate([xy[t], joints_cam[t, :, 2:]], axis=-1),
                        "joint_3d_camera": joints_cam[t],
                        "subject": int(subject[1:]),
                        "action": ACTS[action],
                    }
                )
    return rows


def detections(rows: list[dict[str, Any]], seed: int = 3) -> dict[str, ndarray]:
    """Detections for the samples of a pickle: 2D with some pixels of noise, and confidences."""
    rng = np.random.default_rng(seed)
    image = np.array([row["joint_3d_image"] for row in rows])
    return {
        "joint3d_image": image + rng.normal(0, 4, image.shape),
        "confidence": rng.uniform(0.1, 1, (len(rows), 17, 1)),
    }


def dump(path: Path, content: Any, protocol: int = 4) -> None:
    with open(path, "wb") as file:
        pickle.dump(content, file, protocol=protocol)
