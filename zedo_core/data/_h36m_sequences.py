"""Human3.6M: its names, and what one camera sees of one take."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from zedo_core.camera import Camera
from zedo_core.data._samples import Samples, projected
from zedo_core.errors import FormatError
from zedo_core.skeleton import H36M17

NAME = "h36m"
SPLITS = {"test": ("S9", "S11"), "train": ("S1", "S5", "S6", "S7", "S8")}
INPUTS = ("gt", "detected")

# In the order of the data set's own numbers, that of its metadata and of names such as s_09_act_02.
ACTIONS = (
    *("Directions", "Discussion", "Eating", "Greeting", "Phoning", "Posing", "Purchases", "Sitting", "SittingDown"),
    *("Smoking", "Photo", "Waiting", "Walking", "WalkDog", "WalkTogether"),
)
FIRST_ACTION = 2  # the number of Directions
_SPELLINGS = {"takingphoto": "Photo", "walkingdog": "WalkDog", "walkingtogether": "WalkTogether"} | {
    action.lower(): action for action in ACTIONS
}
# The video of this take is damaged: published results leave it out, and one camera's detections do not exist.
_LEFT_OUT = {("S11", "Directions")}

# Official table: joint i of H36M-17 is joint JOINTS[i] of the 32.
JOINTS = (0, 1, 2, 3, 6, 7, 8, 12, 13, 14, 15, 17, 18, 19, 25, 26, 27)
ALL_JOINTS = 32

# Half of all keypoints of a sequence are nearer than this to the truth: more than lens models differ by, and more
# than detections err by; less than what wrong cameras, joints or units cause.
_AGREE_PX = {"gt": 3.0, "detected": 50.0}
_SEEN_AGAIN_PX = 0.01  # largest error of an undistorted pixel, distorted again
_STEPS = 20  # of OpenCV's undistortion; these lenses need about six


@dataclass(frozen=True, kw_only=True)
class Sequence:
    """One take of one subject as one camera sees it, frame after frame; fields as in Samples."""

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


def take_of(where: Path | str, subject: str, name: str) -> Take:
    """The take that a file or a key of this name is about (`Directions`, `TakingPhoto 1`, `WalkDog_1`).

    FormatError when it begins with no action of Human3.6M.
    """
    word, *rest = re.split(r"[ _]+", name.strip(), maxsplit=1)
    action = _SPELLINGS.get(word.lower())
    if action is None:
        raise FormatError(f"{where}: expected a name that begins with one of {', '.join(ACTIONS)}, found '{name}'")
    return Take(subject=subject, name=" ".join([action, *rest]), action=ACTIONS.index(action))


def in_order(takes: Iterable[Take]) -> list[Take]:
    """Sorted by subject, action and name, without the take whose video is damaged."""
    subjects = [subject for split in SPLITS.values() for subject in split]
    kept = [take for take in takes if (take.subject, take.name) not in _LEFT_OUT]
    return sorted(kept, key=lambda take: (subjects.index(take.subject), take.action, take.name))


def true_sequence(take: Take, number: str, camera: Camera, points_m: Float[ndarray, "t 17 3"]) -> Sequence:
    """A sequence whose keypoints are the projection of the points (world axes, metres)."""
    R, t = np.array(camera.R_cam_from_world), np.array(camera.t_cam_from_world)
    joints_cam = points_m @ R.T + t
    K = camera.matrix
    return Sequence(
        name=f"{take.subject}/{take.name}/{number}",
        action=take.action,
        joints_cam=joints_cam.astype(np.float32),
        xy=projected(joints_cam, np.broadcast_to(K, (len(joints_cam), 3, 3))).astype(np.float32),
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
    """The sequence with keypoints as a picture of the camera shows them, lens distortion included.

    FormatError when they are not those of this sequence: farther from the truth than any detector errs.
    """
    given = confidence > 0
    xy = np.zeros(pixels.shape)
    xy[:, given] = undistorted(camera, pixels[:, given])
    off = np.linalg.norm(xy[:, given] - true.xy[:, given], axis=-1)
    off = off[np.isfinite(off)]
    if off.size and np.median(off) > _AGREE_PX[input]:
        raise FormatError(
            f"{where}: expected keypoints of {true.name} near its 3D joints ({_AGREE_PX[input]:g} px), found them "
            f"{np.median(off):.0f} px off; check that cameras, 3D (metres) and 2D (pixels) belong together"
        )
    return Sequence(
        name=true.name,
        action=true.action,
        joints_cam=true.joints_cam,
        xy=xy.astype(np.float32),
        confidence=confidence.astype(np.float32),
        K=true.K,
    )


def undistorted(camera: Camera, pixels: Float[ndarray, "t j 2"]) -> Float[ndarray, "t j 2"]:
    """As Camera.undistort, which takes a quarter of an hour for the whole test set; here it has the last word."""
    import cv2  # here, since it loads slowly

    if not camera.is_distorted or not pixels.size:
        return pixels.astype(float)
    K, distortion = camera.matrix, np.array(camera.distortion)
    points = pixels.reshape(-1, 2).astype(float)
    criteria = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, _STEPS, 1e-9)
    solution = cv2.undistortImagePoints(points[:, None], K, distortion, None, criteria).reshape(-1, 2)
    rays = (solution - K[:2, 2]) / K.diagonal()[:2]
    seen_again = camera.project(np.concatenate([rays, np.ones((len(rays), 1))], axis=1))
    error = np.linalg.norm(seen_again - points, axis=1)
    doubtful = ~(error < _SEEN_AGAIN_PX) & np.isfinite(points).all(1)
    solution[doubtful] = camera.undistort(points[doubtful])
    solution[~np.isfinite(points).all(1)] = np.nan
    return solution.reshape(pixels.shape)


def assembled(sequences: list[Sequence]) -> Samples:
    """The samples of some sequences, in their order; frames count from 0."""
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
    ).finite()


def split_word(split: str) -> str:
    """A split with its subjects, for an error."""
    return f"the {split} split ({', '.join(SPLITS[split])})"
