"""Rows of two people: keypoints, and poses with three hypotheses, whose fields a test may replace."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy import ndarray

from zedo_core.camera import Camera
from zedo_core.skeleton import COCO17, H36M17
from zedo_core.types import Keypoints, Poses, Provenance

PINHOLE = Camera(fx=1100.0, fy=1050.0, cx=640.5, cy=355.0, size=(1280, 720))
DISTORTED = replace(PINHOLE, distortion=(-0.12, 0.05, 0.001, -0.002, 0.01))


def make_keypoints(**fields: Any) -> Keypoints:
    """Persons 4 and 9 in frames 10 to 12, the second absent from the first: rows 4@10, 4@11, 4@12, 9@11, 9@12."""
    rng = np.random.default_rng(0)
    defaults = {
        "frame": np.array([0, 1, 2, 1, 2]),
        "track": np.array([4, 4, 4, 9, 9]),
        "xy": rng.uniform(0, 700, size=(5, len(COCO17), 2)),
        "confidence": rng.uniform(0.1, 1, size=(5, len(COCO17))),
        "skeleton": COCO17,
        "frame_numbers": np.arange(3) + 10,
    }
    return Keypoints(**(defaults | fields))


def make_poses(**fields: Any) -> Poses:
    """The same people with three hypotheses each, the last one chosen; the pose of row 3 was filled in."""
    rng = np.random.default_rng(0)
    defaults = {
        "frame": np.array([0, 1, 2, 1, 2]),
        "track": np.array([4, 4, 4, 9, 9]),
        "joints": rng.normal((0, 0, 6), size=(5, 3, len(H36M17), 3)),
        "score": np.tile([-0.02, -0.03, -0.04], (5, 1)),
        "chosen": np.full(5, 2),
        "spread": np.full((5, len(H36M17)), 0.03),
        "filled": np.arange(5) == 3,
        "skeleton": H36M17,
        "cameras": (PINHOLE,),
        "frame_numbers": np.arange(3) + 10,
        "provenance": Provenance(method="m", weights="w", weights_sha256="0", version="0"),
    }
    return Poses(**(defaults | fields))


def with_value(array: ndarray, value: float) -> ndarray:
    """A copy with another value for the left knee of person 9 in frame 11."""
    copy = array.copy()
    copy[3, COCO17.index("left_knee")] = value
    return copy
