"""Finding people in pictures and following them: detectors, the tracker, and the store of detections.

MoveNet comes with zedo. Models in files are read by backends: modules here, named in `BACKENDS`, with `FORM`,
`reads(path)` and `load(path, device)`.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from zedo_core.detection.matching import Tracker
from zedo_core.detection.movenet import NAMES, MovenetDetector
from zedo_core.detection.protocol import SEEN_BEFORE, DetectedFrame, Detections, Detector
from zedo_core.detection.tracking import CONFIDENCE, as_keypoints, follow
from zedo_core.errors import WeightsError
from zedo_core.weights import find_weights

__all__ = [
    "BACKENDS",
    "CONFIDENCE",
    "SEEN_BEFORE",
    "DetectedFrame",
    "Detections",
    "Detector",
    "Tracker",
    "as_keypoints",
    "check_detector",
    "follow",
    "load_detector",
]

BACKENDS = ("onnx", "ultralytics")


def check_detector(name_or_path: str | Path) -> None:
    """WeightsError for a detector that is not installed; nothing is loaded."""
    if str(name_or_path) not in NAMES:
        find_weights(name_or_path, "detector")


def load_detector(name_or_path: str | Path, device: str = "cpu") -> Detector:
    """The detector of a name, or of a file or folder by its form.

    WeightsError when it is not installed or of no known form. Models are read here or with the first `detect`: there,
    WeightsError when one is damaged or no pose model, MissingExtraError when its runtime is not installed.
    """
    if str(name_or_path) in NAMES:
        return MovenetDetector(str(name_or_path), device)
    path = find_weights(name_or_path, "detector")
    forms = []
    for name in BACKENDS:
        backend = import_module(f"{__name__}.{name}")  # no further than needed: one of them imports torch
        if backend.reads(path):
            return backend.load(path, device)
        forms.append(backend.FORM)
    found = "another folder" if path.is_dir() else f"a file that ends in '{path.suffix}'"
    raise WeightsError(f"{path}: expected {' or '.join(forms)}, got {found}")
