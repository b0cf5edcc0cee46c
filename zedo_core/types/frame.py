"""One frame of an input."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import UInt8
from numpy import ndarray

FRAME_RATES = (1e-3, 1e5)  # valid frames per second; outside this range, times are too imprecise for smoothing


@dataclass(frozen=True, kw_only=True)
class Frame:
    """Upright RGB pixels, with the number and time of the frame in the input."""

    image: UInt8[ndarray, "height width 3"]
    number: int
    time_s: float
    name: str = ""

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        return self.image.shape[1], self.image.shape[0]
