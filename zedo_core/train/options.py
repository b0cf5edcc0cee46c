"""Training settings that do not depend on the network."""

from __future__ import annotations

import math
from dataclasses import dataclass

from zedo_core.errors import InputError

PRECISIONS = ("fp32", "bf16")


@dataclass(frozen=True, kw_only=True)
class LoopOptions:
    """Training settings of any network; a method adds its own."""

    batch: int = 512  # samples per step and process
    steps: int = 20_000
    learning_rate: float = 1e-3  # peak of the schedule: warm-up, then `decay`
    warmup: int = 500  # steps
    clip: float = 1.0  # largest norm of the gradient
    ema: float = 0.9995  # decay of the averaged weights, which are the ones saved
    precision: str = "fp32"  # or bf16: matrix products in bfloat16, weights and loss in float32
    check_every: int = 2000  # steps between measurements of the task's errors, with one at the end; 0 for none
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.batch, self.steps) < 1:
            raise InputError("expected at least 1 sample per batch and 1 step")
        if min(self.warmup, self.check_every, self.seed) < 0:
            raise InputError("expected warmup, check_every and seed to be at least 0")
        if not (self.learning_rate > 0 and self.clip > 0 and 0 <= self.ema < 1):
            raise InputError("expected learning_rate and clip above 0 and ema from 0 to below 1")
        if self.precision not in PRECISIONS:
            raise InputError(f"expected a precision of {' or '.join(PRECISIONS)}, got '{self.precision}'")

    def decay(self, progress: float) -> float:
        """Factor on the learning rate after a share of the steps that follow the warm-up: a cosine down to 1 %."""
        return 0.01 + 0.99 * 0.5 * (1.0 + math.cos(math.pi * progress))
