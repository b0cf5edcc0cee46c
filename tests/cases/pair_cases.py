"""Pairs of keypoints and 3D for training lifters."""

from __future__ import annotations

from typing import Any

import numpy as np
from train_cases import synthetic_motions

K = np.array([[1100.0, 0, 480], [0, 1120.0, 500], [0, 0, 1]])


def pair_arrays(count: int = 40) -> dict[str, Any]:
    """People 5 m away, seen exactly, as the arrays of an npz."""
    joints = synthetic_motions(count).positions.astype(float) * (1, -1, -1)
    joints += (0.2, -0.1, 5.0) - joints[:, :1]
    xy = joints[..., :2] / joints[..., 2:] * (1100, 1120) + (480, 500)
    return {"joints": joints, "keypoints": xy, "K": K}
