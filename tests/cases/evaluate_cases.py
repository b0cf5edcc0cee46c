"""Cases for tests of the evaluation: a run of few network calls, and arrays as a lifted result."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from zedo_core.evaluate import EvalRequest
from zedo_core.types import Lifted

# Enough for three chunks, with few network calls.
QUICK = EvalRequest(every=2, hypotheses=(1, 2), iterations=3)
SHORT = replace(QUICK, every=20)  # 30 samples


def lifted(joints: Any, origin: Any = None) -> Lifted:
    n, h = joints.shape[:2]
    return Lifted(
        joints=joints.astype(np.float32),
        origin=np.asarray(joints[:, :, 0] if origin is None else origin, np.float32),
        score=np.zeros((n, h), np.float32),
        spread=np.zeros((n, 17), np.float32),
    )
