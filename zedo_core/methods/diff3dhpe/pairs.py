"""Training pairs: sequences of poses, and their keypoints as a detector would find them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Generator, Tensor

from zedo_core.methods.diff3dhpe.features import Guide, Window, bone_lengths
from zedo_core.methods.diff3dhpe.guide import guide_of
from zedo_core.methods.erd.weights import ErdWeights
from zedo_core.train.draws import SequenceDraws
from zedo_core.train.noise import DetectorNoise
from zedo_core.train.sequences import SequenceSource

_GAPS = 0.25  # fraction of the windows with gaps, of any size: low frame rates are gaps too


class Pairs(NamedTuple):
    """Poses relative to the root in metres in camera axes, slopes of rays and confidences, which frames are known, the
    time between frames in seconds, the guide, if any, and the lengths of the bones in metres, 0 where not known, for a
    network that sees them."""

    poses: Float[Tensor, "b t j 3"]
    slopes: Float[Tensor, "b t j 2"]
    confidence: Float[Tensor, "b t j"]
    known: Bool[Tensor, "b t"]
    step_s: Float[Tensor, " b"]
    guide: tuple[Tensor, ...] = ()
    bones_m: tuple[Tensor, ...] = ()

    @property
    def window(self) -> Window:
        """What the network sees."""
        guide = Guide(*self.guide) if self.guide else None
        bones_m = self.bones_m[0] if self.bones_m else None
        return Window.from_slopes(self.slopes, self.confidence, self.known, self.step_s, guide, bones_m)

    def part(self, rows: slice) -> Pairs:
        """Some of the windows."""
        return Pairs(
            self.poses[rows],
            self.slopes[rows],
            self.confidence[rows],
            self.known[rows],
            self.step_s[rows],
            tuple(value[rows] for value in self.guide),
            tuple(value[rows] for value in self.bones_m),
        )


@dataclass(frozen=True)
class PairSource:
    """Draws pairs; everything stays on one device.

    `erd` gives the guide. With `gaps` the person is absent from frames of some windows. `bones` is None for a network
    that does not see lengths of bones, otherwise the fraction of the windows in which they are given: in half of these
    all, in the others each with a random probability.
    """

    source: SequenceSource
    noise: DetectorNoise
    erd: ErdWeights | None = None
    gaps: bool = True
    bones: float | None = None

    def draw(self, count: int, generator: Generator) -> Pairs:
        """`count` windows, of which the middle frame is known."""
        windows = self.source.draw(count, generator)
        slopes, confidence = self.noise.of_sequences(windows.slopes, windows.step_s, generator)
        known = windows.known
        if self.gaps:
            known = known & ~self._gaps(windows.step_s, generator)
        guide = () if self.erd is None else tuple(guide_of(self.erd, slopes, confidence * known[..., None]))
        bones_m = () if self.bones is None else (self._bones(windows.poses, self.bones, generator),)
        return Pairs(windows.poses, slopes, confidence, known, windows.step_s, guide, bones_m)

    def _bones(self, poses: Float[Tensor, "b t j 3"], share: float, generator: Generator) -> Float[Tensor, "b j"]:
        count, joints, device = len(poses), poses.shape[2], poses.device
        given, all_given, rate = torch.rand(3, count, 1, generator=generator, device=device)
        each = torch.rand(count, joints, generator=generator, device=device) < rate
        return bone_lengths(poses, self.source.skeleton) * ((given < share) & ((all_given < 0.5) | each))

    def _gaps(self, step_s: Float[Tensor, " b"], generator: Generator) -> Bool[Tensor, "b t"]:
        frames = self.source.frames
        draws = SequenceDraws.from_steps(step_s, frames, generator)
        rows = len(step_s) * frames
        rate = draws.uniform(rows, held=True) ** 2 * (draws.uniform(rows, held=True) < _GAPS)
        gaps = (draws.uniform(rows) < rate).view(-1, frames)
        return gaps & (torch.arange(frames, device=gaps.device) != frames // 2)
