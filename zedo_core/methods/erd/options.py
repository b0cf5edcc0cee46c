"""Settings of lifting by residual descent, and the presets. This module does not import torch."""

from __future__ import annotations

from dataclasses import dataclass, replace

from zedo_core.errors import InputError

MAX_HYPOTHESES = 200


@dataclass(frozen=True, kw_only=True)
class ErdOptions:
    """Settings of the lifting."""

    iterations: int | None = None  # network calls: the lifter, then as many regressors as there are; None for all
    mirror: bool = True  # average the poses of the keypoints and of their mirror image
    # By how much the logarithm of the expected error has to be smaller with left and right arms exchanged, or legs, to
    # take the detections for exchanged; None never does.
    exchange: float | None = 0.3
    # Standard deviation of the noise on the keypoints, relative to the person's size in view, for hypotheses beyond
    # the mean pose and the modes.
    jitter: float = 0.05

    def __post_init__(self) -> None:
        if self.iterations is not None and not (isinstance(self.iterations, int) and self.iterations >= 1):
            raise InputError(f"expected at least 1 iteration, got {self.iterations}")
        if self.exchange is not None and not 0 <= self.exchange < 100:
            raise InputError(f"expected exchange to be at least 0, or None, got {self.exchange}")
        if not 0 < self.jitter < 1:
            raise InputError(f"expected a jitter above 0 and below 1, got {self.jitter}")

    def with_iterations(self, iterations: int | None) -> ErdOptions:
        """Another number of network calls."""
        return replace(self, iterations=iterations)


PRESETS: dict[str, ErdOptions] = {"default": ErdOptions(), "fast": ErdOptions(mirror=False, exchange=None)}


def preset(name: str, iterations: int | None = None) -> ErdOptions:
    """The preset `name`, with another number of network calls if given; InputError when there is no such preset."""
    if name not in PRESETS:
        raise InputError(f"no preset '{name}'; expected one of {', '.join(PRESETS)}")
    return PRESETS[name].with_iterations(iterations)
