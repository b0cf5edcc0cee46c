"""Poses for the tests of exports: motion capture in front of a camera with a known pose."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy import ndarray

from zedo_core.camera import Camera
from zedo_core.data import mocap_clips
from zedo_core.skeleton import H36M17
from zedo_core.types import Poses, Provenance, in_order

CAMERA = Camera(fx=1000.0, fy=1000.0, cx=500.0, cy=400.0)
PROVENANCE = Provenance(method="zedo", weights="", weights_sha256="", version="0")
# R_cam_from_world of a level camera that looks along -z in a world with y up.
LEVEL = np.diag((1.0, -1.0, -1.0))


def world_clip(sequence: int = 0, frames: int = 25) -> ndarray:
    """Joints (t, j, 3) of motion capture in metres, y up; bone lengths are constant."""
    motions = mocap_clips.motions(None, "test")
    positions = motions.positions[np.flatnonzero(motions.sequence == np.unique(motions.sequence)[sequence])]
    return positions[:frames].astype(float)


def in_camera(world: ndarray, R_cam_from_world: ndarray = LEVEL, t_cam_from_world=(0.0, 0.0, 5.0)) -> ndarray:
    """World points in camera axes."""
    return np.einsum("ab,...b->...a", R_cam_from_world, world) + np.asarray(t_cam_from_world)


def poses_of(joints_cam: ndarray, track_ids: Sequence[int] | ndarray | None = None, **fields: Any) -> Poses:
    """Poses from joints (t, p, j, 3), or from hypotheses (t, p, h, j, 3), the first chosen; NaN for absent people.

    Fields of rows are given for all frames and people too: `score` (t, p, h), `chosen` (t, p), `spread` (t, p, j),
    `filled` (t, p), `contact`, `seen` and `feet`.
    """
    joints = joints_cam if joints_cam.ndim == 5 else joints_cam[:, :, None]
    t, p, h, j = joints.shape[:4]
    frame, person = np.isfinite(joints).any((2, 3, 4)).nonzero()
    per_row = {
        "joints": joints,
        "score": np.full((t, p, h), -0.05),
        "chosen": np.zeros((t, p), int),
        "spread": np.full((t, p, j), 0.01),
        "filled": np.zeros((t, p), bool),
    }
    per_row |= {name: fields.pop(name) for name in (*per_row, "contact", "seen", "feet") if name in fields}
    ids = np.arange(p) + 1 if track_ids is None else np.asarray(track_ids)
    defaults = {
        "skeleton": H36M17,
        "cameras": (CAMERA,),
        "frame_numbers": np.arange(t),
        "provenance": PROVENANCE,
        "fps": 25.0,
    }
    rows = in_order(frame=frame, track=ids[person], **{name: array[frame, person] for name, array in per_row.items()})
    return Poses(**rows, **(defaults | fields))


def clip(sequence: int = 0, **fields) -> Poses:
    """One person of motion capture in front of a level camera."""
    return poses_of(in_camera(world_clip(sequence))[:, None], **fields)


def couple_with_gaps(frames: int = 25) -> Poses:
    """Tracks 3 and 8: the first lacks frames 5 to 8, and its head in frame 10; the second has frame 12 only."""
    joints = np.stack(
        [in_camera(world_clip(0, frames)), in_camera(world_clip(3, frames), t_cam_from_world=(1.0, 0.0, 5.0))], axis=1
    )
    joints[5:9, 0] = np.nan
    joints[10, 0, H36M17.index("head_top")] = np.nan
    joints[np.arange(frames) != 12, 1] = np.nan
    return poses_of(joints, track_ids=(3, 8))


def t_pose() -> ndarray:
    """A person (j, 3) in metres, y up, in a T-pose facing +z."""
    places: dict[str, tuple[float, float, float]] = {
        "pelvis": (0, 0.9, 0),
        "spine": (0, 1.1, 0),
        "thorax": (0, 1.4, 0),
        "neck_nose": (0, 1.55, 0),
    }
    places["head_top"] = (0, 1.7, 0)
    for side, sign in (("left", 1), ("right", -1)):
        for part, place in {"hip": (0.1, 0.9), "knee": (0.1, 0.45), "ankle": (0.1, 0.0)}.items():
            places[f"{side}_{part}"] = (sign * place[0], place[1], 0)
        for part, x in {"shoulder": 0.2, "elbow": 0.5, "wrist": 0.75}.items():
            places[f"{side}_{part}"] = (sign * x, 1.4, 0)
    return np.array([places[joint] for joint in H36M17.joints], dtype=float)


def by_person(poses: Poses, values: ndarray) -> ndarray:
    """Values of the rows as an array (t, p, ...), NaN for absent people."""
    return poses.scatter(values, np.nan)


def chain_errors(points: ndarray) -> ndarray:
    """Bound (t, j) on the error of each joint if bones have their median length: the sum along its chain of bones."""
    lengths = {child: np.linalg.norm(points[:, child] - points[:, parent], axis=-1) for child, parent in H36M17.edges}
    bound = np.zeros(points.shape[:2])
    for joint in range(len(H36M17)):
        ancestor = joint
        while H36M17.parents[ancestor] >= 0:
            bound[:, joint] += abs(lengths[ancestor] - np.nanmedian(lengths[ancestor]))
            ancestor = H36M17.parents[ancestor]
    return bound
