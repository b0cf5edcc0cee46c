"""Training sequences: windows of motion capture in front of cameras that may move, at any frame rate."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import roma
import torch
from jaxtyping import Bool, Float, Int
from torch import Generator, Tensor

from zedo_core.data.mixture import Mixture
from zedo_core.errors import InputError
from zedo_core.nets.constants import constant
from zedo_core.skeleton import Skeleton
from zedo_core.train.augment import (
    AugmentOptions,
    exchange_limbs,
    flip,
    frame_weights,
    vary_lengths,
    views_from_world,
    without_unsupported,
)
from zedo_core.train.bodies import Bodies, put_together, take_apart
from zedo_core.train.views import ViewOptions, random_places

_NEAR_M = 0.5  # least depth of a joint: closer people are moved away


@dataclass(frozen=True, kw_only=True)
class SequenceOptions:
    """Windows of sequences and the motion of their cameras."""

    lowest_hz: float = 12.0  # frame rates are spread evenly in their logarithm
    highest_hz: float = 32.0
    moving: float = 0.3  # fraction of the windows with a moving camera
    turn_deg_s: float = 10.0  # standard deviation of its angular velocity about each axis
    shift_m_s: float = 0.3  # standard deviation of its velocity along each axis

    def __post_init__(self) -> None:
        if not 0 < self.lowest_hz <= self.highest_hz < math.inf:
            raise InputError(f"expected frame rates above 0, got {self.lowest_hz:g} to {self.highest_hz:g}")
        if not (0 <= self.moving <= 1 and self.turn_deg_s >= 0 and self.shift_m_s >= 0):
            raise InputError("expected moving from 0 to 1, and turn_deg_s and shift_m_s of at least 0")


@dataclass(frozen=True)
class Windows:
    """Sequences in camera axes: poses relative to the root in metres, slopes of the rays through all joints, which
    frames exist (sequences may end within a window), and the time between frames in seconds."""

    poses: Float[Tensor, "b t j 3"]
    slopes: Float[Tensor, "b t j 2"]
    known: Bool[Tensor, "b t"]
    step_s: Float[Tensor, " b"]


@dataclass(frozen=True)
class SequenceSource:
    """Draws augmented windows; everything stays on one device.

    `first` and `last` are the ends of each frame's sequence, `fps` its frame rate, `cumulative` the cumulative weights
    of the frames, up to 1.
    """

    positions: Float[Tensor, "n j 3"]
    first: Int[Tensor, " n"]
    last: Int[Tensor, " n"]
    fps: Float[Tensor, " n"]
    cumulative: Float[Tensor, " n"]
    skeleton: Skeleton
    frames: int
    options: SequenceOptions
    augment: AugmentOptions
    views: ViewOptions

    @classmethod
    def from_mixture(
        cls,
        mixture: Mixture,
        frames: int,
        options: SequenceOptions,
        augment: AugmentOptions,
        views: ViewOptions,
        device: torch.device,
        seed: int = 0,
    ) -> SequenceSource:
        """Windows of `frames` frames, whose middle ones are drawn by data set and rarity."""
        sequence = mixture.motions.sequence
        starts = np.flatnonzero(np.diff(sequence, prepend=-1))
        ends = np.append(starts[1:], len(sequence)) - 1
        index = np.cumsum(np.diff(sequence, prepend=-1) != 0) - 1
        fps = np.array(mixture.motions.fps, np.float32)[sequence]
        weights = torch.from_numpy(frame_weights(mixture, augment.rarity, seed))
        dtype = torch.float32 if device.type == "mps" else torch.float64
        first, last, rates = (torch.from_numpy(values).to(device) for values in (starts[index], ends[index], fps))
        return cls(
            torch.from_numpy(mixture.positions).to(device),
            first,
            last,
            rates,
            weights.cumsum(0).to(device, dtype),
            mixture.skeleton,
            frames,
            options,
            without_unsupported(augment, mixture.skeleton),
            views,
        )

    @property
    def device(self) -> torch.device:
        """Device of the windows."""
        return self.cumulative.device

    def draw(self, count: int, generator: Generator) -> Windows:
        """`count` windows."""
        o, a, device, frames = self.options, self.augment, self.device, self.frames
        u = torch.rand(2 * count, generator=generator, device=device, dtype=self.cumulative.dtype)
        rows = torch.searchsorted(self.cumulative, u * self.cumulative[-1], right=True).clamp_max(len(self.fps) - 1)
        rate = torch.rand(count, generator=generator, device=device)
        step_s = 1 / (o.lowest_hz * (o.highest_hz / o.lowest_hz) ** rate)
        positions, known = self._resampled(rows[:count], step_s)
        donors, _ = self._resampled(rows[count:], step_s)
        bodies = take_apart(positions.flatten(0, 1), self.skeleton)
        before = bodies
        bodies = exchange_limbs(
            bodies, take_apart(donors.flatten(0, 1), self.skeleton), a.limb_exchange, generator, frames
        )
        bodies = vary_lengths(bodies, a.stature, a.lengths, generator, frames)
        root = positions[:, :, self.skeleton.root]
        middle = slice(frames // 2, frames // 2 + 1)
        grown = (_size(bodies) / _size(before)).view(count, frames)[:, middle, None]
        root = (root - root[:, middle]) * grown
        chosen = (torch.rand(count, generator=generator, device=device) < a.flip).float()
        poses = flip(put_together(bodies), chosen.repeat_interleave(frames), self.skeleton).view_as(positions)
        root = root * torch.where(chosen[:, None] > 0, constant((-1.0, 1.0, 1.0), device), 1.0)[:, None]
        return self._seen(poses, root, known, step_s, generator)

    def _resampled(
        self, rows: Int[Tensor, " b"], step_s: Float[Tensor, " b"]
    ) -> tuple[Float[Tensor, "b t j 3"], Bool[Tensor, "b t"]]:
        """Positions around the rows' frames, on cubics through four frames each; the ends of sequences stay still."""
        frames = self.frames
        first, last = self.first[rows, None], self.last[rows, None]
        offset = torch.arange(frames, device=self.device) - frames // 2
        place = rows[:, None] + offset * (self.fps[rows] * step_s)[:, None].to(self.cumulative.dtype)
        known = (place >= first) & (place <= last)
        place = torch.minimum(torch.maximum(place, first), last)
        before = place.floor().long()
        u = (place - before)[..., None, None].float()
        a, b, c, d = (self.positions[torch.minimum(torch.maximum(before + k, first), last)] for k in (-1, 0, 1, 2))
        # Catmull and Rom 1974
        cubic = b + u / 2 * (c - a + u * (2 * a - 5 * b + 4 * c - d + u * (3 * (b - c) + d - a)))
        return cubic, known

    def _seen(
        self,
        poses: Float[Tensor, "b t j 3"],
        root: Float[Tensor, "b t 3"],
        known: Bool[Tensor, "b t"],
        step_s: Float[Tensor, " b"],
        generator: Generator,
    ) -> Windows:
        """The windows in the axes of random cameras, from poses and roots in world axes."""
        o, count, frames = self.options, len(poses), self.frames
        R = views_from_world(count, self.augment, generator, self.device)
        T = random_places(count, self.views, generator, self.device)
        motion = torch.randn(2, count, 1, 3, generator=generator, device=self.device)
        moves = torch.rand(count, 1, 1, generator=generator, device=self.device) < o.moving
        offset = torch.arange(frames, device=self.device) - frames // 2
        time_s = (offset * step_s[:, None])[..., None] * moves
        turn = roma.rotvec_to_rotmat(math.radians(o.turn_deg_s) * motion[0] * time_s)
        poses, root = poses @ R[:, None].mT, root @ R.mT + o.shift_m_s * motion[1] * time_s + T[:, None]
        depth = (poses + root[:, :, None])[..., 2].amin((1, 2))
        root = root + torch.nn.functional.pad((_NEAR_M - depth).clamp_min(0)[:, None, None], (2, 0))
        poses, points = poses @ turn.mT, (poses + root[:, :, None]) @ turn.mT
        slopes = points[..., :2] / points[..., 2:].clamp_min(_NEAR_M / 2)
        return Windows(poses, slopes, known, step_s)


def _size(bodies: Bodies) -> Float[Tensor, " n"]:
    """Sum of the lengths of the bones."""
    return bodies.bones.norm(dim=-1).sum(-1)
