"""What every data set for evaluation is read into: people in pictures with known 3D."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from zedo_core.errors import FormatError
from zedo_core.skeleton import H36M17


@dataclass(frozen=True, kw_only=True)
class Samples:
    """Single people in single frames, in the joints of H36M-17, sequence after sequence in the order of time.

    `joints_cam` in metres in camera axes, with the root's translation; `xy` in undistorted pixels,
    with confidence 0 where a joint is not given. Sample i belongs to sequence `sequence[i]` and action
    `action[i]`, whose names stand in the tuples, and is frame `frame[i]` of its sequence. `evaluated`
    are the joints whose truth the data set knows (all others may hold anything finite); `left_out`
    counts the samples that were dropped because a value was not finite.
    """

    name: str
    joints_cam: Float[ndarray, "n 17 3"]
    xy: Float[ndarray, "n 17 2"]
    confidence: Float[ndarray, "n 17"]
    K: Float[ndarray, "n 3 3"]
    sequence: Int[ndarray, " n"]
    sequences: tuple[str, ...]
    frame: Int[ndarray, " n"]
    action: Int[ndarray, " n"]
    actions: tuple[str, ...]
    evaluated: tuple[str, ...] = H36M17.joints
    left_out: int = 0

    def __post_init__(self) -> None:
        n = len(self.joints_cam)
        shapes = {
            "joints_cam": (self.joints_cam, (n, 17, 3)),
            "xy": (self.xy, (n, 17, 2)),
            "confidence": (self.confidence, (n, 17)),
            "K": (self.K, (n, 3, 3)),
            "sequence": (self.sequence, (n,)),
            "frame": (self.frame, (n,)),
            "action": (self.action, (n,)),
        }
        for name, (array, expected) in shapes.items():
            if array.shape != expected:
                raise FormatError(f"{self.name}: expected {name} of shape {expected}, got {array.shape}")

    def __len__(self) -> int:
        return len(self.joints_cam)

    def take(self, rows: Int[ndarray, " m"] | slice) -> Samples:
        """Some of the samples."""
        return replace(
            self,
            joints_cam=self.joints_cam[rows],
            xy=self.xy[rows],
            confidence=self.confidence[rows],
            K=self.K[rows],
            sequence=self.sequence[rows],
            frame=self.frame[rows],
            action=self.action[rows],
        )

    def finite(self) -> Samples:
        """Without the samples in which an evaluated joint, a keypoint or K is not finite; they are counted."""
        truth = self.joints_cam[:, list(H36M17.indices(self.evaluated))]
        good = np.isfinite(truth).all((1, 2)) & np.isfinite(self.xy).all((1, 2)) & np.isfinite(self.K).all((1, 2))
        good &= np.isfinite(self.confidence).all(1)
        if not good.any():
            raise FormatError(f"{self.name}: expected samples with finite values, found none among {len(self)}")
        kept = self.take(np.flatnonzero(good))
        joints_cam = np.where(np.isfinite(kept.joints_cam), kept.joints_cam, 0.0)
        return replace(kept, joints_cam=joints_cam, left_out=self.left_out + int((~good).sum()))


def pinhole(f: Float[ndarray, "n 2"], c: Float[ndarray, "n 2"]) -> Float[ndarray, "n 3 3"]:
    """Matrices K of focal lengths and principal points in pixels."""
    K = np.zeros((len(f), 3, 3))
    K[:, [0, 1], [0, 1]], K[:, :2, 2], K[:, 2, 2] = f, c, 1.0
    return K


def projected(points_cam: Float[ndarray, "n j 3"], K: Float[ndarray, "n 3 3"]) -> Float[ndarray, "n j 2"]:
    """Pixels of points before their cameras."""
    homogeneous = points_cam @ np.swapaxes(K, 1, 2)
    return homogeneous[..., :2] / homogeneous[..., 2:]


def numbered(labels: list[str]) -> tuple[Int[ndarray, " n"], tuple[str, ...]]:
    """The number of every label among the different ones, and these in the order of their first appearance."""
    names = tuple(dict.fromkeys(labels))
    number = {name: i for i, name in enumerate(names)}
    return np.array([number[label] for label in labels], int), names
