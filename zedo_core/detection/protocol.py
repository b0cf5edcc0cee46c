"""What a detector is, and what it finds in a frame."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray

from zedo_core.skeleton import Skeleton
from zedo_core.types import Frame

_DECIMALS = 3  # of pixels and confidences, so that what was stored and what was just detected give one answer
# Half of the joints nearer than this part of the diagonal of the smaller box: the same person, found twice.
_DOUBLE = 0.12


@dataclass(frozen=True, kw_only=True, eq=False)
class Detections:
    """Who was found in a frame, the surest first: boxes (x1, y1, x2, y2) in px, joints [x px, y px, confidence]."""

    boxes: Float[ndarray, "p 4"]
    confidence: Float[ndarray, " p"]
    joints: Float[ndarray, "p j 3"]

    def __len__(self) -> int:
        return len(self.boxes)

    @property
    def areas_px2(self) -> Float[ndarray, " p"]:
        """Areas of the boxes."""
        return np.prod(self.boxes[:, 2:] - self.boxes[:, :2], axis=-1)

    def take(self, rows: Sequence[int]) -> Detections:
        """Some of the people, in this order."""
        rows = list(rows)
        return Detections(boxes=self.boxes[rows], confidence=self.confidence[rows], joints=self.joints[rows])

    def rounded(self) -> Detections:
        """As it is stored; a joint that holds what is not a finite number was not seen."""
        joints = np.where(np.isfinite(self.joints).all(-1, keepdims=True), self.joints, 0.0)
        return Detections(
            boxes=self.boxes.round(_DECIMALS),
            confidence=self.confidence.round(_DECIMALS),
            joints=joints.round(_DECIMALS),
        )

    def without_doubles(self) -> Detections:
        """Each person once: without those whose joints lie where a surer person's do.

        A box around the upper body passes the detector's own suppression by overlap and would become a track.
        """
        rows: list[int] = []
        diagonals = np.linalg.norm(self.boxes[:, 2:] - self.boxes[:, :2], axis=-1)
        for row in range(len(self)):
            apart = np.linalg.norm(self.joints[rows, :, :2] - self.joints[row, :, :2], axis=-1)
            if (np.median(apart, axis=-1) >= _DOUBLE * np.minimum(diagonals[rows], diagonals[row])).all():
                rows.append(row)
        return self.take(rows)


@dataclass(frozen=True, kw_only=True, eq=False)
class DetectedFrame:
    """Who was found in a frame: its place in the input, its (width, height) in px, and the pixels while needed."""

    number: int
    time_s: float
    size: tuple[int, int]
    detections: Detections
    image: UInt8[ndarray, "height width 3"] | None = None

    @classmethod
    def from_frame(cls, frame: Frame, detections: Detections) -> DetectedFrame:
        """A frame, with its pixels, and who was found in it."""
        place = {"number": frame.number, "time_s": frame.time_s, "size": frame.size}
        return cls(**place, detections=detections, image=frame.image)


# Which people of a frame go on or begin as tracks: row of the detections and number of the track, by number. It
# remembers the frames before; numbers grow with every new track.
Tracker = Callable[[DetectedFrame], list[tuple[int, int]]]


@runtime_checkable
class Detector(Protocol):
    """A model that finds people, and all that its detections depend on."""

    path: Path  # of the model, a file or a folder; models are told apart by its content
    skeleton: Skeleton
    image_px: int  # longer side of what the model is asked to see
    least_confidence: float  # of a box

    def detect(self, frame: Frame) -> Detections:
        """The people of a frame, each once and rounded; WeightsError when the model cannot be read."""
        ...
