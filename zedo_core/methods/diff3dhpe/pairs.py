"""Training pairs: sequences of poses, and their keypoints as a detector would find them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Generator, Tensor

from zedo_core.methods.diff3dhpe.features import Guide, Window
from zedo_core.methods.diff3dhpe.guide import guide_of
from zedo_core.methods.erd.weights import ErdWeights
from zedo_core.train.draws import SequenceDraws
from zedo_core.train.noise import DetectorNoise
from zedo_core.train.sequences import SequenceSource

_GAPS = 0.25  # fraction of the windows with gaps, of any size: low frame rates are gaps too


class Pairs(NamedTuple):
    """Poses relative to the root in metres in camera axes, slopes of rays and confidences, which frames are known, the
    time between frames in seconds, and the guide, if any."""

    poses: Float[Tensor, "b t j 3"]
    slopes: Float[Tensor, "b t j 2"]
    confidence: Float[Tensor, "b t j"]
    known: Bool[Tensor, "b t"]
    step_s: Float[Tensor, " b"]
    guide: tuple[Tensor, ...] = ()

    @property
    def window(self) -> Window:
        """What the network sees."""
        guide = Guide(*self.guide) if self.guide else None
        return Window.from_slopes(self.slopes, self.confidence, self.known, self.step_s, guide)

    def part(self, rows: slice) -> Pairs:
        """Some of the windows."""
        return Pairs(
            self.poses[rows],
            self.slopes[rows],
            self.confidence[rows],
            self.known[rows],
            self.step_s[rows],
            tuple(value[rows] for value in self.guide),
        )


@dataclass(frozen=True)
class PairSource:
    """Draws pairs; everything stays on one device.

    `erd` gives the guide. With `gaps` the person is absent from frames of some windows.
    """

    source: SequenceSource
    noise: DetectorNoise
    erd: ErdWeights | None = None
    gaps: bool = True

    def draw(self, count: int, generator: Generator) -> Pairs:
        """`count` windows, of which the middle frame is known."""
        windows = self.source.draw(count, generator)
        slopes, confidence = self.noise.of_sequences(windows.slopes, windows.step_s, generator)
        known = windows.known
        if self.gaps:
            known = known & ~self._gaps(windows.step_s, generator)
        guide = () if self.erd is None else tuple(guide_of(self.erd, slopes, confidence * known[..., None]))
        return Pairs(windows.poses, slopes, confidence, known, windows.step_s, guide)

    def _gaps(self, step_s: Float[Tensor, " b"], generator: Generator) -> Bool[Tensor, "b t"]:
        frames = self.source.frames
        draws = SequenceDraws.from_steps(step_s, frames, generator)
        rows = len(step_s) * frames
        rate = draws.uniform(rows, held=True) ** 2 * (draws.uniform(rows, held=True) < _GAPS)
        gaps = (draws.uniform(rows) < rate).view(-1, frames)
        return gaps & (torch.arange(frames, device=gaps.device) != frames // 2)
