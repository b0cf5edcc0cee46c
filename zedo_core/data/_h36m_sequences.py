"""Human3.6M: its names, and the sequences of a take as seen by one camera."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from zedo_core.camera import Camera
from zedo_core.data._samples import Samples, project
from zedo_core.errors import FormatError
from zedo_core.skeleton import H36M17

NAME = "h36m"
FPS = 50.0
SPLITS = {"test": ("S9", "S11"), "train": ("S1", "S5", "S6", "S7", "S8")}
INPUTS = ("gt", "detected")

# In the order of the data set's own numbers, as in its metadata and in names such as s_09_act_02.
ACTIONS = (
    *("Directions", "Discussion", "Eating", "Greeting", "Phoning", "Posing", "Purchases", "Sitting", "SittingDown"),
    *("Smoking", "Photo", "Waiting", "Walking", "WalkDog", "WalkTogether"),
)
FIRST_ACTION = 2  # the number of Directions
_SPELLINGS = {"takingphoto": "Photo", "walkingdog": "WalkDog", "walkingtogether": "WalkTogether"} | {
    action.lower(): action for action in ACTIONS
}
# The video of this take is damaged: published results exclude it, and one camera has no detections.
_EXCLUDED = {("S11", "Directions")}

# Official table: joint i of H36M-17 is joint JOINTS[i] of the data set's 32.
JOINTS = (0, 1, 2, 3, 6, 7, 8, 12, 13, 14, 15, 17, 18, 19, 25, 26, 27)
ALL_JOINTS = 32

# Largest median distance of a sequence's keypoints from the projected ground truth: above the differences of lens
# models and the errors of detections, below what wrong cameras, joints or units cause.
_MAX_MEDIAN_PX = {"gt": 3.0, "detected": 50.0}
_MAX_UNDISTORT_ERROR_PX = 0.01  # after distorting the result again
_log = logging.getLogger(__name__)
_STEPS = 20  # of OpenCV's undistortion; these lenses need about six


@dataclass(frozen=True, kw_only=True)
class Sequence:
    """All frames of a take as seen by one camera; fields as in Samples."""

    name: str
    action: int
    joints_cam: Float[ndarray, "t 17 3"]
    xy: Float[ndarray, "t 17 2"]
    confidence: Float[ndarray, "17"]
    K: Float[ndarray, "3 3"]


@dataclass(frozen=True, kw_only=True)
class Take:
    """A recording: its subject, its name such as `Photo 1`, and the number of its action in ACTIONS."""

    subject: str
    name: str
    action: int


def parse_take(where: Path | str, subject: str, name: str) -> Take:
    """The take from the name of a file or key, such as `Directions`, `TakingPhoto 1` or `WalkDog_1`.

    FormatError when the name does not begin with an action of Human3.6M.
    """
    word, *rest = re.split(r"[ _]+", name.strip(), maxsplit=1)
    action = _SPELLINGS.get(word.lower())
    if action is None:
        raise FormatError(f"{where}: expected a name that begins with one of {', '.join(ACTIONS)}, found '{name}'")
    return Take(subject=subject, name=" ".join([action, *rest]), action=ACTIONS.index(action))


def sort_takes(takes: Iterable[Take]) -> list[Take]:
    """Takes sorted by subject, action and name, without the one whose video is damaged."""
    subjects = [subject for split in SPLITS.values() for subject in split]
    included = [take for take in takes if (take.subject, take.name) not in _EXCLUDED]
    return sorted(included, key=lambda take: (subjects.index(take.subject), take.action, take.name))


def true_sequence(take: Take, number: str, camera: Camera, points_m: Float[ndarray, "t 17 3"]) -> Sequence:
    """The sequence whose keypoints are the projection of points in world axes, in metres."""
    R, t = np.array(camera.R_cam_from_world), np.array(camera.t_cam_from_world)
    joints_cam = points_m @ R.T + t
    K = camera.matrix
    return Sequence(
        name=f"{take.subject}/{take.name}/{number}",
        action=take.action,
        joints_cam=joints_cam.astype(np.float32),
        xy=project(joints_cam, np.broadcast_to(K, (len(joints_cam), 3, 3))).astype(np.float32),
        confidence=np.ones(len(H36M17), np.float32),
        K=K,
    )


def with_keypoints(
    where: str,
    true: Sequence,
    camera: Camera,
    pixels: Float[ndarray, "t 17 2"],
    confidence: Float[ndarray, "17"],
    input: str,
) -> Sequence:
    """The sequence with other keypoints, given in pixels with lens distortion.

    FormatError when they do not belong to this sequence: farther from the ground truth than the error of any detector.
    """
    given = confidence > 0
    xy = np.zeros(pixels.shape)
    xy[:, given] = undistort(camera, pixels[:, given])
    error = np.linalg.norm(xy[:, given] - true.xy[:, given], axis=-1)
    error = error[np.isfinite(error)]
    if error.size and np.median(error) > _MAX_MEDIAN_PX[input]:
        raise FormatError(
            f"{where}: expected keypoints of {true.name} near its 3D joints ({_MAX_MEDIAN_PX[input]:g} px), found them "
            f"{np.median(error):.0f} px off; check that cameras, 3D (metres) and 2D (pixels) belong together"
        )
    return Sequence(
        name=true.name,
        action=true.action,
        joints_cam=true.joints_cam,
        xy=xy.astype(np.float32),
        confidence=confidence.astype(np.float32),
        K=true.K,
    )


def undistort(camera: Camera, pixels: Float[ndarray, "t j 2"]) -> Float[ndarray, "t j 2"]:
    """As Camera.undistort, which would take 15 minutes for the test set and is only used where OpenCV's fails."""
    import cv2  # here, since it imports slowly

    if not camera.is_distorted or not pixels.size:
        return pixels.astype(float)
    K, distortion = camera.matrix, np.array(camera.distortion)
    points = pixels.reshape(-1, 2).astype(float)
    criteria = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, _STEPS, 1e-9)
    solution = cv2.undistortImagePoints(points[:, None], K, distortion, None, criteria).reshape(-1, 2)
    rays = (solution - K[:2, 2]) / K.diagonal()[:2]
    distorted = camera.project(np.concatenate([rays, np.ones((len(rays), 1))], axis=1))
    error = np.linalg.norm(distorted - points, axis=1)
    failed = ~(error < _MAX_UNDISTORT_ERROR_PX) & np.isfinite(points).all(1)
    solution[failed] = camera.undistort(points[failed])
    solution[~np.isfinite(points).all(1)] = np.nan
    return solution.reshape(pixels.shape)


def concatenate(sequences: list[Sequence]) -> Samples:
    """The samples of all sequences, in order; frames are counted from 0."""
    lengths = [len(sequence.joints_cam) for sequence in sequences]
    K = np.stack([sequence.K for sequence in sequences])
    return Samples(
        name=NAME,
        joints_cam=np.concatenate([sequence.joints_cam for sequence in sequences]),
        xy=np.concatenate([sequence.xy for sequence in sequences]),
        confidence=np.repeat(np.stack([sequence.confidence for sequence in sequences]), lengths, axis=0),
        K=np.repeat(K, lengths, axis=0),
        sequence=np.repeat(np.arange(len(sequences)), lengths),
        sequences=tuple(sequence.name for sequence in sequences),
        frame=np.concatenate([np.arange(length) for length in lengths]),
        action=np.repeat([sequence.action for sequence in sequences], lengths),
        actions=ACTIONS,
        fps=FPS,
    ).drop_nonfinite()


def warn_of_missing(where: Path, missing: list[str], split: str) -> None:
    """Say that only a part of a split is there, whose figures are not those of the whole."""
    _log.warning(
        "%s: %s of %s %s missing; the others are used, and figures are not comparable with those of the whole split",
        where, ", ".join(missing), describe_split(split), "is" if len(missing) == 1 else "are",
    )  # fmt: skip


def describe_split(split: str) -> str:
    """A split with its subjects, for an error message."""
    return f"the {split} split ({', '.join(SPLITS[split])})"
