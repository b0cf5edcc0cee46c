"""Choosing one hypothesis per person and frame without ground truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from zedo_core.types import Poses


def select(poses: Poses) -> Poses:
    """The same poses with the most plausible hypothesis of every person and frame chosen."""
    score = np.where(np.isfinite(poses.score), poses.score, -np.inf)
    present = np.isfinite(poses.score).any(-1)
    return replace(poses, chosen=np.where(present, score.argmax(-1), -1))
