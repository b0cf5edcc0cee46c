"""From the raw scores that a network gives to people with confidences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from zedo_core.detection.protocol import Detections


@dataclass(frozen=True, kw_only=True)
class Scores:
    """What the raw scores of a network's joints mean."""

    is_person: float  # least mean score of the better half of the joints: half a body is a person
    raw: tuple[float, ...]  # scores
    confidence: tuple[float, ...]  # and the confidences there, with straight lines between

    def people(self, joints: Float[ndarray, "n j 3"], shape: Sequence[int]) -> Detections:
        """Those who are people, of joints [x px, y px, raw score] in a picture of this (height, width).

        What lies outside the picture was not seen; who shows no joint is left out.
        """
        sureness = _mean_of_better_half(joints[..., 2])
        joints, sureness = joints[sureness >= self.is_person], sureness[sureness >= self.is_person]
        xy = joints[..., :2]
        confidence = np.where(inside(xy, shape), np.interp(joints[..., 2], self.raw, self.confidence), 0.0)
        seen = confidence[..., None] > 0
        boxes = [np.where(seen, xy, np.inf).min(1), np.where(seen, xy, -np.inf).max(1)]
        found = Detections(
            boxes=np.concatenate(boxes, -1),
            confidence=sureness,
            joints=np.concatenate([xy, confidence[..., None]], -1),
        )
        return found.take(np.flatnonzero(seen.any((1, 2))).tolist())


def inside(xy: Float[ndarray, "*n 2"], shape: Sequence[int]) -> Bool[ndarray, "*n"]:
    """Whether points lie in a picture of this (height, width)."""
    return np.all((xy >= -0.5) & (xy <= np.array([shape[1], shape[0]]) - 0.5), axis=-1)


def _mean_of_better_half(scores: Float[ndarray, "n j"]) -> Float[ndarray, " n"]:
    half = (scores.shape[1] + 1) // 2
    return np.sort(scores, axis=-1)[:, -half:].mean(-1)
