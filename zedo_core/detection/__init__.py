"""Finding people in pictures and following them: detectors, the tracker, and the store of detections.

A detector is a module here with `FORM`, `reads(path)` and `load(path, device)`, named in `BACKENDS`.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from zedo_core.detection.matching import TrackIds
from zedo_core.detection.protocol import DetectedFrame, Detections, Detector, Tracker
from zedo_core.detection.tracking import CONFIDENCE, as_keypoints, check_tracker, follow, tracker_named
from zedo_core.errors import WeightsError

__all__ = [
    "BACKENDS",
    "CONFIDENCE",
    "DetectedFrame",
    "Detections",
    "Detector",
    "TrackIds",
    "Tracker",
    "as_keypoints",
    "check_tracker",
    "follow",
    "load_detector",
    "tracker_named",
]

BACKENDS = ("ultralytics",)


def load_detector(path: str | Path, device: str = "cpu") -> Detector:
    """The detector in a file or folder, by its form; the model is read when it is first asked.

    WeightsError when it is of no known form, and from the first `detect` on when it is damaged or another kind of
    model; MissingExtraError there when its runtime is not installed.
    """
    path, backends = Path(path), [import_module(f"{__name__}.{name}") for name in BACKENDS]
    for backend in backends:
        if backend.reads(path):
            return backend.load(path, device)
    expected = " or ".join(backend.FORM for backend in backends)
    if not path.exists():
        raise WeightsError(f"{path}: no such file; expected {expected}")
    found = "another folder" if path.is_dir() else f"a file that ends in '{path.suffix}'"
    raise WeightsError(f"{path}: expected {expected}, got {found}")
