"""Poses for the tests of the exports: motion capture, seen by a camera of known place."""

from __future__ import annotations

import numpy as np
from numpy import ndarray

from zedo_core.camera import Camera
from zedo_core.data import mocap_clips
from zedo_core.skeleton import H36M17
from zedo_core.types import Poses, Provenance

CAMERA = Camera(fx=1000.0, fy=1000.0, cx=500.0, cy=400.0)
MADE_BY = Provenance(method="zedo", weights="", weights_sha256="", version="0")
# Camera axes of a level camera that looks against z of a world with y up.
LEVEL = np.diag((1.0, -1.0, -1.0))


def world_clip(sequence: int = 0, frames: int = 25) -> ndarray:
    """Joints (t, j, 3) of motion capture in metres in a world with y up; bone lengths are constant."""
    motions = mocap_clips.motions(None, "test")
    found = motions.positions[np.flatnonzero(motions.sequence == np.unique(motions.sequence)[sequence])]
    return found[:frames].astype(float)


def seen(world: ndarray, R_cam_from_world: ndarray = LEVEL, t_cam_from_world=(0.0, 0.0, 5.0)) -> ndarray:
    """World points in camera axes."""
    return np.einsum("ab,...b->...a", R_cam_from_world, world) + np.asarray(t_cam_from_world)


def poses_of(joints_cam: ndarray, **fields) -> Poses:
    """Poses of joints (t, p, j, 3), NaN where absent, as one hypothesis."""
    t, p = joints_cam.shape[:2]
    there = np.isfinite(joints_cam).any((2, 3))
    defaults = {
        "score": np.where(there, -0.05, np.nan)[..., None],
        "chosen": np.where(there, 0, -1),
        "spread": np.where(np.expand_dims(there, -1), 0.01, np.full(len(H36M17), np.nan)),
        "skeleton": H36M17,
        "cameras": (CAMERA,),
        "frame_numbers": np.arange(t),
        "track_ids": np.arange(p) + 1,
        "provenance": MADE_BY,
        "fps": 25.0,
    }
    return Poses(joints=joints_cam[:, :, None], **(defaults | fields))


def clip(sequence: int = 0, **fields) -> Poses:
    """One person of motion capture before a level camera."""
    return poses_of(seen(world_clip(sequence))[:, None], **fields)


def couple_with_gaps(frames: int = 25) -> Poses:
    """Tracks 3 and 8: the first lacks frames 5 to 8, and its head in frame 10; the second is there in frame 12 only."""
    joints = np.stack(
        [seen(world_clip(0, frames)), seen(world_clip(3, frames), t_cam_from_world=(1.0, 0.0, 5.0))], axis=1
    )
    joints[5:9, 0] = np.nan
    joints[10, 0, H36M17.index("head_top")] = np.nan
    joints[np.arange(frames) != 12, 1] = np.nan
    return poses_of(joints, track_ids=np.array((3, 8)))


def t_pose() -> ndarray:
    """A person (j, 3) in metres, y up, who stands in a T-pose and looks along z."""
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


def chain_errors(points: ndarray) -> ndarray:
    """How far (t, j) bones fixed at their median length can put each joint from its place: those on the way to it."""
    lengths = {child: np.linalg.norm(points[:, child] - points[:, parent], axis=-1) for child, parent in H36M17.edges}
    bound = np.zeros(points.shape[:2])
    for joint in range(len(H36M17)):
        above = joint
        while H36M17.parents[above] >= 0:
            bound[:, joint] += abs(lengths[above] - np.nanmedian(lengths[above]))
            above = H36M17.parents[above]
    return bound
