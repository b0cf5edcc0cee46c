"""Helpers of the tests of keypoint files: a person, and the same person in the various formats."""

from __future__ import annotations

from typing import Any

import numpy as np

from zedo_core.skeleton import COCO17, Skeleton
from zedo_core.types import Keypoints


def pose(skeleton: Skeleton = COCO17, x: float = 100.0, confidence: float = 0.5) -> np.ndarray:
    """A person (j, 3) whose joints have different positions, about 30 px from their parents."""
    steps = np.random.default_rng(0).uniform(10, 30, size=(len(skeleton), 2)).round(3)
    xy = np.array([x, 50.0]) + steps
    for joint in range(len(skeleton)):
        ancestor = joint
        while (ancestor := skeleton.parents[ancestor]) >= 0:
            xy[joint] += steps[ancestor]
    return np.column_stack([xy, np.full(len(skeleton), confidence)])


def flat(person: np.ndarray) -> list[float]:
    """A person's values as a flat list, as in most files."""
    return person.ravel().tolist()


def coco_entry(image_id: Any, person: np.ndarray | None = None, **fields: Any) -> dict[str, Any]:
    """One result in COCO's format."""
    person = pose() if person is None else person
    return {"image_id": image_id, "category_id": 1, "keypoints": flat(person), "score": 1.0, **fields}


def openpose_frame(*people: np.ndarray) -> dict[str, Any]:
    """One frame in OpenPose's format."""
    entries = [{"person_id": [-1], "pose_keypoints_2d": flat(person), "face_keypoints_2d": []} for person in people]
    return {"version": 1.3, "people": entries}


def two_frames() -> Keypoints:
    """One COCO person in two frames."""
    values = np.stack([pose(), pose(x=110)])[:, None]
    return Keypoints.from_dense(values[..., :2], values[..., 2], COCO17, track_ids=np.array([1]))


SIZE = (640, 480)  # px, of the pictures of the normalised formats


def cmu_frame(*people: np.ndarray) -> dict[str, Any]:
    """One frame in AlphaPose's format `cmu`."""
    return {"version": "AlphaPose v0.3", "bodies": [{"joints": flat(person)} for person in people]}


def mmpose_instance(person: np.ndarray) -> dict[str, Any]:
    """One prediction of MMPose, whose box has an additional level of nesting."""
    return {
        "keypoints": person[:, :2].tolist(),
        "keypoint_scores": person[:, 2].tolist(),
        "bbox": [[0.0, 0.0, 50.0, 90.0]],
        "bbox_score": 0.9,
    }


def label_row(person: np.ndarray, *end: float) -> str:
    """A person's row in Ultralytics' label txt, with optional values at the end."""
    normalised = person / (*SIZE, 1.0)
    return " ".join(f"{value:.9g}" for value in (0, 0.5, 0.5, 0.2, 0.4, *normalised.ravel(), *end))


def landmarks(person: np.ndarray) -> np.ndarray:
    """A person in MediaPipe's format: coordinates relative to the picture's edge, half a pixel from (0, 0)."""
    normalised = (person[:, :2] + 0.5) / SIZE
    return np.column_stack([normalised, np.full(len(person), -0.1), person[:, 2]])
