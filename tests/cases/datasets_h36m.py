"""Human3.6M in each of its forms, made of bodies and cameras; what a reader must find is projected by OpenCV."""

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

# Where the 32 joints of the data set have the 17, in the order of H36M-17 (numbers of the data set's skeleton).
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
# Place of each joint in detections of the hourglass; None is the upper neck, no joint of H36M-17.
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
    """A camera: x_cam = R (x - place), lengths in mm, pixels, OpenCV's lens model."""

    R: ndarray
    place: ndarray
    f: tuple[float, float]
    c: tuple[float, float]
    k: tuple[float, float, float]
    p: tuple[float, float]

    @property
    def matrix(self) -> ndarray:
        return np.array([[self.f[0], 0, self.c[0]], [0, self.f[1], self.c[1]], [0, 0, 1]])

    def joints_cam(self, points: ndarray) -> ndarray:
        """Metres in camera axes."""
        return np.einsum("ij,...j->...i", self.R, points - self.place) / 1000

    def pixels(self, points: ndarray, distorted: bool = True) -> ndarray:
        k1, k2, k3 = self.k
        lens = np.array([k1, k2, *self.p, k3]) * distorted
        rotation, _ = cv2.Rodrigues(self.R)
        flat, _ = cv2.projectPoints(points.reshape(-1, 3), rotation, -self.R @ self.place, self.matrix, lens)
        return flat.reshape(*points.shape[:-1], 2)


def lens(place: tuple[float, float, float], seed: int) -> Lens:
    """A camera in the studio that looks at people about its middle, its x axis level, as real ones nearly are."""
    rng = np.random.default_rng(seed)
    at = np.array(place) + rng.normal(0, 50, 3)
    z = np.array([0, 0, 950]) + rng.normal(0, 60, 3) - at
    z /= np.linalg.norm(z)
    x = np.cross(z, (0, 0, 1))
    x /= np.linalg.norm(x)
    return Lens(
        R=np.stack([x, np.cross(z, x), z]),
        place=at,
        f=(1145 + rng.normal(0, 3), 1144 + rng.normal(0, 3)),
        c=(512 + rng.normal(0, 5), 508 + rng.normal(0, 5)),
        k=(-0.2 + rng.normal(0, 0.005), 0.24 + rng.normal(0, 0.005), -0.003),
        p=(-0.0016 + rng.normal(0, 1e-4), -0.0027),
    )


def lenses(subjects: tuple[str, ...]) -> dict[str, dict[str, Lens]]:
    places = ((1900, 4950, 1560), (1900, -5100, 1600), (-1700, 5200, 1500), (-1700, -3800, 1570))
    return {
        subject: {
            number: lens(place, 10 * i + j) for j, (number, place) in enumerate(zip(NUMBERS, places, strict=True))
        }
        for i, subject in enumerate(subjects)
    }


def random_bodies(count: int, seed: int = 0) -> ndarray:
    """(count, 17, 3) mm, z up: joints at their usual heights, scattered."""
    rng = np.random.default_rng(seed)
    heights = [950, 950, 500, 80, 950, 500, 80, 1200, 1430, 1550, 1680, 1400, 1150, 1000, 1400, 1150, 1000]
    return np.stack([*rng.normal(0, 180, (2, count, 17)), heights + rng.normal(0, 30, (count, 17))], axis=-1)


def of_mocap(positions: ndarray) -> ndarray:
    """Metres with y up to mm with z up, on the floor near the middle of the studio."""
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
        """(t, 32, 3) mm; joints that are not asked for stand anywhere."""
        points = np.random.default_rng(5).normal(0, 3000, (len(self.takes[take]), 32, 3))
        points[:, list(SLOTS.values())] = self.takes[take]
        return points

    def seen(self, subject: str, take: str, number: str, input: str = "gt") -> ndarray:
        """Pixels (t, 17, 2) with distortion; detections err."""
        pixels = self.lenses[subject][number].pixels(self.takes[subject, take])
        return pixels if input == "gt" else pixels + self.noise(subject, take, number)

    def noise(self, subject: str, take: str, number: str) -> ndarray:
        seed = [ord(letter) for letter in f"{subject}{take}{number}"]
        return np.random.default_rng(seed).normal(0, 4, (len(self.takes[subject, take]), 17, 2))

    def undistorted(self, subject: str, take: str, number: str, input: str = "gt") -> ndarray:
        """What a reader must make of `seen`."""
        at = self.lenses[subject][number]
        if input == "gt":
            return at.pixels(self.takes[subject, take], distorted=False)
        seen = self.seen(subject, take, number, input)
        k1, k2, k3 = at.k
        rays = cv2.undistortPoints(seen.reshape(-1, 1, 2), at.matrix, np.array([k1, k2, *at.p, k3]))
        return (cv2.convertPointsToHomogeneous(rays)[:, 0] @ at.matrix.T)[:, :2].reshape(seen.shape)


def studio(split: str = "test", frames: int = 6, bodies: ndarray | None = None) -> Studio:
    """A few takes; of S11 also the one that results leave out."""
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
    folder: Path, made: Studio, *, inputs: tuple[str, ...] = ("gt", "detected"), extra_frames: int = 3
) -> None:
    """data_3d_h36m.npz and data_2d_h36m_*.npz."""
    np.savez_compressed(folder / "data_3d_h36m.npz", positions_3d=nested(made, lambda take: made.all32(take) / 1000))
    for input in inputs:
        name = {"gt": "gt", "detected": "cpn_ft_h36m_dbb"}[input]
        write_2d(folder / f"data_2d_h36m_{name}.npz", views(made, input, extra_frames))


def nested(made: Studio, value: Any) -> Any:
    table: dict[str, dict[str, Any]] = {}
    for subject, take in made.takes:
        table.setdefault(subject, {})[take] = value((subject, take))
    return np.array(table, object)


def views(made: Studio, input: str, extra_frames: int = 0) -> dict[str, dict[str, list[ndarray]]]:
    def all_cameras(take: tuple[str, str]) -> list[ndarray]:
        seen = [made.seen(*take, number, input) for number in NUMBERS]
        return [np.concatenate([pixels, np.zeros((extra_frames, 17, 2))]).astype(np.float64) for pixels in seen]

    return nested(made, all_cameras).item()


def write_2d(path: Path, table: Any, layout: str | None = None) -> None:
    metadata: dict[str, Any] = {"num_joints": 17, "keypoints_symmetry": [[4, 5, 6], [1, 2, 3]]}
    metadata |= {} if layout is None else {"layout_name": layout}
    np.savez_compressed(path, positions_2d=np.array(table, object), metadata=np.array(metadata, object))


def write_json_cameras(path: Path, made: Studio, *, metres: bool = False, quaternion: bool = True) -> None:
    path.write_text(
        json.dumps(
            {s: {n: json_camera(at, metres, quaternion) for n, at in row.items()} for s, row in made.lenses.items()}
        )
    )


def json_camera(at: Lens, metres: bool, quaternion: bool) -> dict[str, Any]:
    return {
        **({"orientation": quaternion_of(at.R.T)} if quaternion else {"R": at.R.tolist()}),
        "translation": (at.place / (1000 if metres else 1)).tolist(),
        "center": at.c,
        "focal_length": at.f,
        "radial_distortion": at.k,
        "tangential_distortion": at.p,
        "res_w": 1000,
        "res_h": 1002,
    }


def quaternion_of(R: ndarray) -> list[float]:
    """w, x, y, z by way of the rotation vector."""
    vector = cv2.Rodrigues(R)[0].ravel()
    angle = float(np.linalg.norm(vector))
    return [float(np.cos(angle / 2)), *(np.sin(angle / 2) * vector / angle).tolist()]


def write_h5_cameras(path: Path, made: Studio, *, by_columns: bool = True) -> None:
    """As the file of the early work has it: matrices column by column, the name in character codes."""
    with h5py.File(path, "w") as file:
        for subject, row in made.lenses.items():
            for i, (number, at) in enumerate(row.items()):
                group = file.create_group(f"subject{subject[1:]}/camera{i + 1}")
                group["R"] = at.R.T if by_columns else at.R
                for name, values in {"T": at.place, "f": at.f, "c": at.c, "k": at.k, "p": at.p}.items():
                    group[name] = np.reshape(values, (-1, 1))
                group["Name"] = np.array([[ord(letter)] for letter in number], np.uint16)


def write_hdf5(folder: Path, made: Studio, *, per_camera: bool = False, by_rows: bool = False) -> None:
    """S*/MyPoses/3D_positions/*.h5, S*/StackedHourglass/*.h5 and cameras.h5."""
    for subject, take in made.takes:
        positions = made.all32((subject, take)).reshape(-1, 96)
        for number in NUMBERS:
            name = f"{take}.{number}.h5" if per_camera else f"{take}.h5"
            path = folder / subject / "MyPoses" / "3D_positions" / name
            write_array(path, "3D_positions", positions if by_rows else positions.T)
            if (subject, take) != ("S11", "Directions"):  # not there in the data set either
                path = folder / subject / "StackedHourglass" / f"{take.replace(' ', '_')}.{number}.h5"
                write_array(path, "poses", mpii(made.seen(subject, take, number, "detected")))
    write_h5_cameras(folder / "cameras.h5", made)


def write_array(path: Path, name: str, array: ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        file[name] = array


def mpii(pixels: ndarray) -> ndarray:
    """(t, 17, 2) to the hourglass's (t, 16, 2)."""
    poses = np.full((len(pixels), 16, 2), 777.0)
    for place, joint in enumerate(MPII):
        if joint is not None:
            poses[:, place] = pixels[:, JOINTS.index(joint)]
    return poses


def entries(made: Studio, *, arrays: bool = True) -> list[dict[str, Any]]:
    """Samples of the official pickle."""
    rows = []
    for subject, take in made.takes:
        action, _, part = take.partition(" ")
        for j, number in enumerate(NUMBERS):
            at = made.lenses[subject][number]
            joints_cam = at.joints_cam(made.takes[subject, take]) * 1000
            xy = at.pixels(made.takes[subject, take], distorted=False)
            values = dict(zip(("fx", "fy", "cx", "cy"), (*at.f, *at.c), strict=True))
            camera = {key: np.array([value]) if arrays else value for key, value in values.items()}
            folder = f"s_{int(subject[1:]):02d}_act_{ACTS[action]:02d}_subact_{int(part or 0) + 1:02d}_ca_{j + 1:02d}"
            for t in range(len(xy)):
                rows.append(
                    {
                        "videoid": 0,
                        "camera_param": {**camera, "R": at.R, "name": number},
                        "image_path": f"{folder}/{folder}_{t + 1:06d}.jpg",
                        "joint_3d_image": np.concatenate([xy[t], joints_cam[t, :, 2:]], axis=-1),
                        "joint_3d_camera": joints_cam[t],
                        "subject": int(subject[1:]),
                        "action": ACTS[action],
                    }
                )
    return rows


def detections(rows: list[dict[str, Any]], seed: int = 3) -> dict[str, ndarray]:
    """What goes with the samples of a pickle: 2D off by some pixels, and confidences."""
    rng = np.random.default_rng(seed)
    image = np.array([row["joint_3d_image"] for row in rows])
    return {
        "joint3d_image": image + rng.normal(0, 4, image.shape),
        "confidence": rng.uniform(0.1, 1, (len(rows), 17, 1)),
    }


def dump(path: Path, content: Any, protocol: int = 4) -> None:
    with open(path, "wb") as file:
        pickle.dump(content, file, protocol=protocol)
