"""What the tests of keypoint files share: a person, and the person as the formats have it."""

from __future__ import annotations

from typing import Any

import numpy as np

from zedo_core.skeleton import COCO17, Skeleton
from zedo_core.types import Keypoints


def pose(skeleton: Skeleton = COCO17, x: float = 100.0, confidence: float = 0.5) -> np.ndarray:
    """A person (j, 3) whose every joint has its own place, some 30 px from its parent."""
    steps = np.random.default_rng(0).uniform(10, 30, size=(len(skeleton), 2)).round(3)
    xy = np.array([x, 50.0]) + steps
    for joint in range(len(skeleton)):
        link = joint
        while (link := skeleton.parents[link]) >= 0:
            xy[joint] += steps[link]
    return np.column_stack([xy, np.full(len(skeleton), confidence)])


def flat(person: np.ndarray) -> list[float]:
    """A person's values one after the other, as most files have them."""
    return person.ravel().tolist()


def coco_entry(image_id: Any, person: np.ndarray | None = None, **fields: Any) -> dict[str, Any]:
    """One result in the form of COCO."""
    person = pose() if person is None else person
    return {"image_id": image_id, "category_id": 1, "keypoints": flat(person), "score": 1.0, **fields}


def openpose_frame(*people: np.ndarray) -> dict[str, Any]:
    """What OpenPose writes for one frame."""
    found = [{"person_id": [-1], "pose_keypoints_2d": flat(person), "face_keypoints_2d": []} for person in people]
    return {"version": 1.3, "people": found}


def two_frames() -> Keypoints:
    """One COCO person in two frames."""
    values = np.stack([pose(), pose(x=110)])[:, None]
    return Keypoints(
        xy=values[..., :2],
        confidence=values[..., 2],
        skeleton=COCO17,
        frame_numbers=np.array([0, 1]),
        track_ids=np.array([1]),
    )


SIZE = (640, 480)  # px, of the pictures of the normalised formats


def cmu_frame(*people: np.ndarray) -> dict[str, Any]:
    """What AlphaPose writes for one frame in its form `cmu`."""
    return {"version": "AlphaPose v0.3", "bodies": [{"joints": flat(person)} for person in people]}


def mmpose_instance(person: np.ndarray) -> dict[str, Any]:
    """One prediction of MMPose, whose box is nested once more."""
    return {
        "keypoints": person[:, :2].tolist(),
        "keypoint_scores": person[:, 2].tolist(),
        "bbox": [[0.0, 0.0, 50.0, 90.0]],
        "bbox_score": 0.9,
    }


def label_row(person: np.ndarray, *end: float) -> str:
    """A person's row in Ultralytics' label txt, with what may stand at its end."""
    parts = person / (*SIZE, 1.0)
    return " ".join(f"{value:.9g}" for value in (0, 0.5, 0.5, 0.2, 0.4, *parts.ravel(), *end))


def landmarks(person: np.ndarray) -> np.ndarray:
    """A person as MediaPipe has it: parts counted from the picture's edge, which is half a pixel from (0, 0)."""
    parts = (person[:, :2] + 0.5) / SIZE
    return np.column_stack([parts, np.full(len(person), -0.1), person[:, 2]])
