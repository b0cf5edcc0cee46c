"""The common type of all data sets for evaluation: people in pictures with known 3D poses."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from zedo_core.errors import FormatError
from zedo_core.skeleton import H36M17


@dataclass(frozen=True, kw_only=True)
class Samples:
    """Single people in single frames, in the joints of H36M-17, sequence after sequence in temporal order.

    `joints_cam` in camera axes in metres, including the root's translation; `xy` in undistorted pixels, with confidence
    0 where a joint is missing. Sample i belongs to sequence `sequence[i]` and action `action[i]`, whose names are in
    the tuples, and is frame `frame[i]` of its sequence. `evaluated` are the joints for which the data set has ground
    truth (the others have arbitrary finite values); `left_out` counts the samples dropped because a value was not
    finite, `undetected` those without a detection, `failed` those without a finite result. `fps` is the rate of the
    sequences' frames in frames per second, None where it is not known.
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
    undetected: int = 0
    failed: int = 0
    fps: float | None = None

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
        """A subset of the samples."""
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

    def drop_nonfinite(self) -> Samples:
        """Without the samples in which an evaluated joint, a keypoint or K is not finite, which are counted."""
        truth = self.joints_cam[:, list(H36M17.indices(self.evaluated))]
        finite = np.isfinite(truth).all((1, 2)) & np.isfinite(self.xy).all((1, 2)) & np.isfinite(self.K).all((1, 2))
        finite &= np.isfinite(self.confidence).all(1)
        if not finite.any():
            raise FormatError(f"{self.name}: expected samples with finite values, found none among {len(self)}")
        samples = self.take(np.flatnonzero(finite))
        joints_cam = np.where(np.isfinite(samples.joints_cam), samples.joints_cam, 0.0)
        return replace(samples, joints_cam=joints_cam, left_out=self.left_out + int((~finite).sum()))


def pinhole_matrices(f: Float[ndarray, "n 2"], c: Float[ndarray, "n 2"]) -> Float[ndarray, "n 3 3"]:
    """Matrices K from focal lengths and principal points in pixels."""
    K = np.zeros((len(f), 3, 3))
    K[:, [0, 1], [0, 1]], K[:, :2, 2], K[:, 2, 2] = f, c, 1.0
    return K


def project(points_cam: Float[ndarray, "n j 3"], K: Float[ndarray, "n 3 3"]) -> Float[ndarray, "n j 2"]:
    """Pixels of points in camera axes."""
    homogeneous = points_cam @ np.swapaxes(K, 1, 2)
    return homogeneous[..., :2] / homogeneous[..., 2:]


def index_labels(labels: list[str]) -> tuple[Int[ndarray, " n"], tuple[str, ...]]:
    """The index of every label among the distinct labels, and these in the order of their first appearance."""
    names = tuple(dict.fromkeys(labels))
    index = {name: i for i, name in enumerate(names)}
    return np.array([index[label] for label in labels], int), names
