"""Results of `zedo batch` as a data set: how far other methods, settings or weights are from what is stored.

The stored poses take the place of the truth, so the figures are differences, not errors.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from zedo_core.data import Samples
from zedo_core.errors import InputError
from zedo_core.export import parquet
from zedo_core.skeleton import H36M17, conversion
from zedo_core.types import Keypoints, Poses, same_rows

NAME = "results"


def load(root: Path | None, input: str) -> Samples:
    """All poses below a folder of `zedo batch`, but those made up in gaps; each track of a clip is a sequence.

    `input` is `detected`, the keypoints that were lifted, or `gt`, the projections of the poses. InputError when there
    are no tables, FormatError when one is damaged.
    """
    paths = [] if root is None else [root] if root.is_file() else sorted(root.glob("**/*.parquet"))
    if not paths:
        raise InputError(f"results: expected a folder of zedo batch with --data, got {root}")
    if input not in ("gt", "detected"):
        raise InputError(f"results: expected the input gt or detected, got '{input}'")
    parts = [part for path in paths if len((part := _clip(path, input)).joints_cam)]
    if not parts:
        raise InputError(f"{root}: expected poses in the tables, found nobody in {len(paths)} clips")
    starts = np.cumsum([0, *(len(part.sequences) for part in parts)])
    return Samples(
        name=NAME,
        joints_cam=np.concatenate([part.joints_cam for part in parts]),
        xy=np.concatenate([part.xy for part in parts]),
        confidence=np.concatenate([part.confidence for part in parts]),
        K=np.concatenate([part.K for part in parts]),
        sequence=np.concatenate([part.sequence + start for part, start in zip(parts, starts, strict=False)]),
        sequences=tuple(name for part in parts for name in part.sequences),
        frame=np.concatenate([part.frame for part in parts]),
        action=np.zeros(sum(map(len, parts)), int),
        actions=("all",),
    )


def _clip(path: Path, input: str) -> Samples:
    poses = parquet.read(path)
    poses = poses.take(~poses.filled)
    keypoints = parquet.read_keypoints(path)
    if input == "detected":
        if keypoints is None:
            raise InputError(f"{path}: expected keypoints in the table, found none; use the input gt")
        lifted, seen = same_rows(poses, keypoints)
        poses, keypoints = poses.take(lifted), keypoints.take(seen)
    joints, K = _joints(poses), _matrices(poses)
    xy, confidence = _projected(joints, K) if input == "gt" or keypoints is None else _detected(keypoints, poses)
    return Samples(
        name=NAME,
        joints_cam=joints,
        xy=xy,
        confidence=confidence,
        K=K,
        sequence=np.searchsorted(poses.track_ids, poses.track),
        sequences=tuple(f"{path.stem} {track}" for track in poses.track_ids.tolist()),
        frame=poses.frame_numbers[poses.frame],
        action=np.zeros(len(poses), int),
        actions=("all",),
    )


def _joints(poses: Poses) -> Float[ndarray, "n 17 3"]:
    best = poses.best.astype(float)
    return best if poses.skeleton == H36M17 else conversion(poses.skeleton, H36M17).points(best)


def _matrices(poses: Poses) -> Float[ndarray, "n 3 3"]:
    matrices = np.array([camera.matrix for camera in poses.cameras], float)
    return matrices[poses.frame if len(matrices) > 1 else np.zeros(len(poses), int)]


def _projected(joints: Float[ndarray, "n 17 3"], K: Float[ndarray, "n 3 3"]) -> tuple[ndarray, ndarray]:
    points = joints @ np.swapaxes(K, 1, 2)
    return points[..., :2] / points[..., 2:], np.ones(joints.shape[:2])


def _detected(keypoints: Keypoints, poses: Poses) -> tuple[ndarray, ndarray]:
    converted = keypoints.undistorted(poses.cameras).to_skeleton(H36M17)
    return converted.xy, converted.confidence
