"""What a detector is, and what it finds in a frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from zedo_core.skeleton import Skeleton
from zedo_core.types import Frame

_DECIMALS = 3  # of pixels and confidences, so that what was stored and what was just detected give one answer
SEEN_BEFORE = 30  # frames of a video that a detector is told of when it gets the next one
# Half of the joints nearer than this part of the diagonal of the smaller box: the same person, found twice.
_SAME_PERSON = 0.12


@dataclass(frozen=True, kw_only=True, eq=False)
class Detections:
    """Who was found in a frame, the surest first: boxes (x1, y1, x2, y2) in px, joints [x px, y px, confidence]."""

    boxes: Float[ndarray, "p 4"]
    confidence: Float[ndarray, " p"]
    joints: Float[ndarray, "p j 3"]

    def __len__(self) -> int:
        return len(self.boxes)

    @classmethod
    def from_parts(cls, *parts: Detections) -> Detections:
        """All people of several detections of one frame, the surest first."""
        people = cls(
            boxes=np.concatenate([part.boxes for part in parts]),
            confidence=np.concatenate([part.confidence for part in parts]),
            joints=np.concatenate([part.joints for part in parts]),
        )
        return people.take(np.argsort(-people.confidence, kind="stable").tolist())

    @property
    def areas_px2(self) -> Float[ndarray, " p"]:
        """Areas of the boxes."""
        return np.prod(self.boxes[:, 2:] - self.boxes[:, :2], axis=-1)

    def take(self, rows: Sequence[int]) -> Detections:
        """Some of the people, in this order."""
        rows = list(rows)
        return Detections(boxes=self.boxes[rows], confidence=self.confidence[rows], joints=self.joints[rows])

    def rounded(self) -> Detections:
        """With the decimals that are stored; a joint with a value that is not finite counts as not seen."""
        joints = np.where(np.isfinite(self.joints).all(-1, keepdims=True), self.joints, 0.0)
        return Detections(
            boxes=self.boxes.round(_DECIMALS),
            confidence=self.confidence.round(_DECIMALS),
            joints=joints.round(_DECIMALS),
        )

    def without_duplicates(self) -> Detections:
        """Each person once: of those whose joints coincide, the one with the most confident joints in all.

        A box around the upper body passes the detector's own suppression by overlap and would become a track.
        """
        rows: list[int] = []
        diagonals = np.linalg.norm(self.boxes[:, 2:] - self.boxes[:, :2], axis=-1)
        for row in np.argsort(-self.joints[..., 2].sum(-1), kind="stable").tolist():
            both = np.minimum(self.joints[rows, :, 2], self.joints[row, :, 2]) > 0
            apart = np.linalg.norm(self.joints[rows, :, :2] - self.joints[row, :, :2], axis=-1)
            near = np.count_nonzero(
                both & (apart < _SAME_PERSON * np.minimum(diagonals[rows], diagonals[row])[:, None]), axis=-1
            )
            if not (2 * near > np.maximum(both.sum(-1), 3)).any():
                rows.append(row)
        return self.take(sorted(rows))


@dataclass(frozen=True, kw_only=True, eq=False)
class DetectedFrame:
    """Who was found in a frame; with its number and time in the input, and its (width, height) in px."""

    number: int
    time_s: float
    size: tuple[int, int]
    detections: Detections
    begins_shot: bool = False  # another view than in the frame before

    @classmethod
    def from_frame(cls, frame: Frame, detections: Detections) -> DetectedFrame:
        """Who was found in this frame."""
        return cls(number=frame.number, time_s=frame.time_s, size=frame.size, detections=detections)


@runtime_checkable
class Detector(Protocol):
    """A model that finds people, and all that its detections depend on."""

    name: str
    files: tuple[Path, ...]  # of the model, which is identified by their content
    skeleton: Skeleton
    image_px: int  # longer side of the pictures that the model is given
    least_confidence: float  # of a person

    def detect(self, frame: Frame, before: Sequence[DetectedFrame] = ()) -> Detections:
        """The people of a frame, each once and rounded; WeightsError when the model cannot be read.

        `before` are frames of the same video, the last one last; what comes out depends on nothing else.
        """
        ...
