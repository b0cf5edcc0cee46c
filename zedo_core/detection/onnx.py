"""Pose models of other projects in ONNX files, told apart by what they take and give."""

from __future__ import annotations

from pathlib import Path

from zedo_core.detection import simcc, yolo
from zedo_core.detection.protocol import Detector
from zedo_core.detection.session import Model, wrong

FORM = "an ONNX model (.onnx) of RTMPose or YOLO pose"


def reads(path: Path) -> bool:
    """Whether it is an ONNX file by its name."""
    return path.suffix.lower() == ".onnx" and path.is_file()


def load(path: Path, device: str) -> Detector:
    """The detector of a model, which is read and run once to see what it is.

    WeightsError when it is no pose model that is known, MissingExtraError without onnxruntime.
    """
    model = Model(path, device)
    found = simcc.detector(model, device) or yolo.detector(model)
    if found is None:
        raise wrong(model, f"{simcc.FORM} or {yolo.FORM}", "another")
    return found
