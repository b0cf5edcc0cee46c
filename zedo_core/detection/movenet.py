"""MoveNet, which comes with zedo: MultiPose finds people, Thunder or the faster Lightning their joints in crops.

Source of the models and of what they take: Google, MoveNet model cards, 2021 (Apache-2.0).
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import cv2
from jaxtyping import Float, UInt8
from numpy import ndarray

from zedo_core.detection.multipose import FOLDER, SCORES
from zedo_core.detection.session import Model
from zedo_core.detection.topdown import TopDownDetector
from zedo_core.skeleton import COCO17

NAMES = {"movenet": ("thunder.onnx", 256), "movenet-fast": ("lightning.onnx", 192)}  # and the sides of their crops


class MovenetDetector(TopDownDetector):
    """MoveNet by its name, on a device; the models are read when they are first asked."""

    def __init__(self, name: str, device: str = "cpu") -> None:
        file, side_px = NAMES[name]
        super().__init__(name, SinglePose(FOLDER / file, side_px, device), device)


class SinglePose:
    """MoveNet for one person in a square crop."""

    skeleton, scores = COCO17, SCORES
    margin, interpolation = 1.25, cv2.INTER_AREA

    def __init__(self, file: Path, side_px: int, device: str) -> None:
        self.file, self.size = file, (side_px, side_px)
        self._device = device

    @cached_property
    def _model(self) -> Model:
        return Model(self.file, self._device)

    def read(self, crops: UInt8[ndarray, "n h w 3"]) -> Float[ndarray, "n 17 3"]:
        """Joints [x, y, raw score], x and y in widths and heights of the crop."""
        return self._model(crops)[0][:, 0][..., [1, 0, 2]]  # it gives y, x, score
