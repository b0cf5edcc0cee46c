"""Overlapping windows over motions: their frames, their noise, and the blend of what is found in them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from torch import Generator, Tensor

from zedo_core.methods.diff3dhpe.grid import Grid

_NOISE_FRAMES = 509  # after as many frames the noise of a motion repeats


@dataclass(frozen=True)
class Windows:
    """Windows over the frames of several grids, which are numbered through.

    `frame` are the frames of each window, some of them outside of its motion, where `inside` is False; `number` is
    their number in the motion, and `weight` that of each frame in the blend.
    """

    frame: Int[ndarray, "w t"]
    inside: Bool[ndarray, "w t"]
    number: Int[ndarray, "w t"]
    step_s: Float[ndarray, " w"]
    weight: Float[ndarray, " t"]

    @classmethod
    def over(cls, grids: Sequence[Grid], frames: int, stride: int) -> Windows:
        """Windows around every `stride`-th frame of each grid and around the last one.

        A frame's weight falls from the middle of a window to 0 at the middles of the next ones.
        """
        offset = np.arange(frames) - frames // 2
        starts = np.cumsum([0, *(len(grid) for grid in grids)])
        number, frame, inside, step_s = [], [], [], []
        for grid, start in zip(grids, starts, strict=False):
            middles = np.unique(np.append(np.arange(0, len(grid), stride), len(grid) - 1))
            own = middles[:, None] + offset
            number.append(own)
            inside.append((own >= 0) & (own < len(grid)))
            frame.append(start + own.clip(0, len(grid) - 1))
            step_s.append(np.full(len(own), grid.step_s))
        weight = (1 - np.abs(offset) / stride).clip(0)
        return cls(
            np.concatenate(frame), np.concatenate(inside), np.concatenate(number), np.concatenate(step_s), weight
        )

    def __len__(self) -> int:
        return len(self.frame)

    def batches(self, size: int) -> Iterator[Windows]:
        """Parts of the windows."""
        for start in range(0, len(self), size):
            part = slice(start, start + size)
            yield Windows(self.frame[part], self.inside[part], self.number[part], self.step_s[part], self.weight)


@dataclass(frozen=True)
class Blend:
    """Sums of values and weights of every frame."""

    values: Float[ndarray, "g *d"]
    weights: Float[ndarray, " g"]

    @classmethod
    def of(cls, frames: int, shape: tuple[int, ...]) -> Blend:
        """Without values yet."""
        return cls(np.zeros((frames, *shape), np.float32), np.zeros(frames, np.float32))

    def add(self, windows: Windows, found: Float[ndarray, "w s *d"]) -> None:
        """Add what was found in windows, in all their frames or in the middle one."""
        middle = windows.frame.shape[1] // 2
        used = slice(None) if found.shape[1] > 1 else slice(middle, middle + 1)
        weight = (windows.weight * windows.inside)[:, used].astype(np.float32)
        np.add.at(self.weights, windows.frame[:, used], weight)
        spread = weight.reshape(*weight.shape, *(1 for _ in found.shape[2:]))
        np.add.at(self.values, windows.frame[:, used], found * spread)

    @property
    def mean(self) -> Float[ndarray, "g *d"]:
        """The weighted mean of each frame."""
        shape = (-1, *(1 for _ in self.values.shape[1:]))
        return self.values / np.maximum(self.weights, 1e-9).reshape(shape)


def noise_bank(count: int, joints: int, seed: int) -> Float[Tensor, "h f j 3"]:
    """Noise of each hypothesis for frames by their number: the same in all windows, which then find the same motion."""
    return torch.randn(count, _NOISE_FRAMES, joints, 3, generator=Generator().manual_seed(seed))


def noise_of(bank: Float[Tensor, "f j 3"], windows: Windows, outputs: int) -> Float[Tensor, "w s j 3"]:
    """The noise of the windows' frames, or of the middle ones."""
    number = windows.number if outputs > 1 else windows.number[:, [windows.number.shape[1] // 2]]
    return bank[torch.from_numpy(number % _NOISE_FRAMES)]
