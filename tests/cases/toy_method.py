"""A toy method with a single pose: every person stands upright, at the distance given by the size in the image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from gallery_cases import standing

from zedo_core.camera import Camera
from zedo_core.errors import InputError
from zedo_core.methods import Lifter, Method, OnRows, Trial, Variant
from zedo_core.skeleton import H36M17, Skeleton
from zedo_core.types import Keypoints, Lifted

MAX_HYPOTHESES = 20
_POSE = standing() - standing()[H36M17.root]  # metres, camera axes


@dataclass(frozen=True)
class ConstantLifter:
    """The same pose for every row, each hypothesis a tenth farther away, without scores."""

    weights: str = "none"
    window: int | None = None
    iterations: int = 1

    name = "constant"
    weights_sha256 = "0" * 64

    @property
    def skeleton(self) -> Skeleton:
        return H36M17

    @property
    def settings(self) -> dict[str, Any]:
        return {"iterations": self.iterations}

    def lift(
        self,
        rows: Keypoints,
        cameras: Sequence[Camera],
        hypotheses: int,
        seed: int = 0,
        on_rows: OnRows = lambda done: None,
    ) -> Lifted:
        if not 1 <= hypotheses <= MAX_HYPOTHESES:
            raise InputError(f"expected 1 to {MAX_HYPOTHESES} hypotheses, got {hypotheses}")
        joints = np.empty((len(rows), hypotheses, len(H36M17), 3), np.float32)
        for i, t in enumerate(rows.frame.tolist()):
            camera, visible = cameras[t if len(cameras) > 1 else 0], rows.confidence[i] > 0
            slopes = (rows.xy[i, visible] - (camera.cx, camera.cy)) / (camera.fx, camera.fy)
            depth_m = _spread(_POSE[visible, :2]) / max(_spread(slopes), 1e-6)
            middle = np.append(slopes.mean(0), 1.0)
            for h in range(hypotheses):
                joints[i, h] = _POSE - _POSE[visible].mean(0) * (1, 1, 0) + middle * depth_m * 1.1**h
        on_rows(len(rows))
        return Lifted(joints=joints)


def _spread(points: np.ndarray) -> float:
    return float(np.sqrt(np.square(points - points.mean(0)).sum(-1).mean()))


def _load(
    weights: str | Path,
    device: str,
    *,
    preset: str | None = None,
    iterations: int | None = None,
    window: int | None = None,
) -> Lifter:
    if preset not in (None, "default"):
        raise InputError(f"no preset '{preset}'; expected default")
    return ConstantLifter(weights=str(weights), window=window, iterations=iterations or 1)


def _variants(trial: Trial, joints: int) -> list[Variant]:
    weights = trial.weights or "none"
    return [
        Variant(name=f"S = {n}", hypotheses=n, weights=weights, settings={}, load=partial(_load, weights))
        for n in trial.hypotheses
    ]


TOY = Method(
    name="constant",
    summary="the same pose for all people",
    weights="none",
    presets=("default",),
    most_hypotheses=MAX_HYPOTHESES,
    load=_load,
    variants=_variants,
)
