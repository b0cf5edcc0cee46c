"""Windows of a data set's sequences with its own keypoints, for training as in the paper."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from zedo_core.data import Samples
from zedo_core.methods.diff3dhpe.pairs import Pairs
from zedo_core.methods.observations import Observations
from zedo_core.nets.constants import indices
from zedo_core.skeleton import H36M17
from zedo_core.train.augment import flip
from zedo_core.types.times import DEFAULT_FPS


@dataclass(frozen=True)
class RecordedWindows:
    """Draws windows around any frame; everything stays on one device.

    `poses` are relative to the root in metres in camera axes, `slopes` those of the rays; `number` are the frames'
    numbers in their sequences, whose first and last rows are `first` and `last`. The frames of a window are those of
    the sequence, of which a file may have only every `stride`-th.
    """

    poses: Float[Tensor, "n j 3"]
    slopes: Float[Tensor, "n j 2"]
    confidence: Float[Tensor, "n j"]
    number: Int[Tensor, " n"]
    first: Int[Tensor, " n"]
    last: Int[Tensor, " n"]
    frames: int
    stride: int
    step_s: float
    flip: float  # probability of mirroring a window

    @classmethod
    def from_samples(cls, samples: Samples, frames: int, flip: float, device: torch.device) -> RecordedWindows:
        """Windows of `frames` frames."""
        arrays = (samples.xy, samples.confidence.clip(0, 1), samples.K)
        observed = Observations.from_pixels(*(torch.from_numpy(np.asarray(a, np.float32)) for a in arrays))
        joints = torch.from_numpy(np.asarray(samples.joints_cam, np.float32))
        starts = np.flatnonzero(np.diff(samples.sequence, prepend=-1))
        lengths = np.diff(np.append(starts, len(samples)))
        steps = np.diff(samples.frame)[np.diff(samples.sequence) == 0]
        stride = max(1, int(np.median(steps))) if len(steps) else 1
        number, first, last = (
            torch.from_numpy(values)
            for values in (samples.frame, np.repeat(starts, lengths), np.repeat(starts + lengths - 1, lengths))
        )
        return cls(
            (joints - joints[:, [H36M17.root]]).to(device),
            (observed.slopes * (observed.confidence > 0)[..., None]).to(device),
            observed.confidence.to(device),
            number.to(device),
            first.to(device),
            last.to(device),
            frames,
            stride,
            stride / (samples.fps or DEFAULT_FPS),
            flip,
        )

    def __len__(self) -> int:
        return len(self.poses)

    def draw(self, count: int, generator: Generator) -> Pairs:
        """`count` windows; frames that are missing from a sequence, or beyond its ends, are not known."""
        device = self.poses.device
        middle = torch.randint(len(self), (count, 1), generator=generator, device=device)
        offset = torch.arange(self.frames, device=device) - self.frames // 2
        rows = torch.minimum(torch.maximum(middle + offset, self.first[middle]), self.last[middle])
        known = self.number[rows] - self.number[middle] == offset * self.stride
        mirrored = torch.rand(count, generator=generator, device=device) < self.flip
        joints = torch.where(
            mirrored[:, None],
            indices(H36M17.mirror, device),
            torch.arange(len(H36M17), device=device),
        )
        sign = torch.where(mirrored, -1.0, 1.0)[:, None, None]
        slopes = self.slopes[rows].gather(2, joints[:, None, :, None].expand(-1, self.frames, -1, 2))
        confidence = self.confidence[rows].gather(2, joints[:, None].expand(-1, self.frames, -1))
        poses = flip(self.poses[rows].flatten(0, 1), mirrored.float().repeat_interleave(self.frames), H36M17)
        return Pairs(
            poses.view(count, self.frames, len(H36M17), 3),
            torch.stack([slopes[..., 0] * sign, slopes[..., 1]], dim=-1),
            confidence,
            known,
            torch.full((count,), self.step_s, device=device),
        )
