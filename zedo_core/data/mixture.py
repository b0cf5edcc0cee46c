"""A mixture of data sets: the frames of all of them in one joint set, and how often each data set is drawn."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from zedo_core.data.mocap import Motions
from zedo_core.errors import InputError
from zedo_core.skeleton import Skeleton

if TYPE_CHECKING:
    from zedo_core.data.shards import Stream


@dataclass(frozen=True, kw_only=True)
class Mixture:
    """Frames of several data sets; frame i belongs to data set `part[i]`, whose weight sets how often it is drawn."""

    motions: Motions
    part: Int[ndarray, " n"]
    weights: tuple[float, ...]
    stream: Stream | None = None  # of which these frames are a part

    @classmethod
    def from_parts(cls, parts: Sequence[Motions], weights: Sequence[float] | None = None) -> Mixture:
        """Combine data sets of one joint set, by default with equal weights; InputError when they do not match."""
        weights = tuple(weights or [1.0] * len(parts))
        if not parts or len(weights) != len(parts) or not all(0 < weight < np.inf for weight in weights):
            raise InputError(f"expected a weight above 0 for each of {len(parts)} data sets, got {list(weights)}")
        if len({part.skeleton for part in parts}) > 1:
            raise InputError(f"expected data sets of one joint set, got {', '.join(p.skeleton.name for p in parts)}")
        starts = np.cumsum([0, *(len(part.names) for part in parts)])
        motions = Motions(
            positions=np.concatenate([part.positions for part in parts]),
            sequence=np.concatenate([part.sequence + start for part, start in zip(parts, starts, strict=False)]),
            names=tuple(name for part in parts for name in part.names),
            sources=tuple(source for part in parts for source in part.sources),
            fps=tuple(fps for part in parts for fps in part.fps),
            skeleton=parts[0].skeleton,
        )
        return cls(motions=motions, part=np.repeat(np.arange(len(parts)), [len(p) for p in parts]), weights=weights)

    def __len__(self) -> int:
        return len(self.motions)

    @property
    def positions(self) -> Float[ndarray, "n j 3"]:
        """All frames, in metres with y up."""
        return self.motions.positions

    @property
    def skeleton(self) -> Skeleton:
        """The joint set of all data sets."""
        return self.motions.skeleton

    @property
    def sha256(self) -> str:
        """SHA-256 of everything that training depends on."""
        if self.stream:
            return self.stream.sha256
        digest = hashlib.sha256(repr((self.skeleton, self.weights)).encode())
        for array in (self.motions.positions, self.motions.sequence.astype("<i8"), self.part.astype("<i8")):
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()

    def take(self, rows: Int[ndarray, " m"]) -> Mixture:
        """A subset of the frames."""
        return replace(self, motions=self.motions.take(rows), part=self.part[rows])


def hold_out(mixture: Mixture, share: float, seed: int) -> tuple[Mixture, Mixture]:
    """Frames to train on, and held-out frames: those of a random `share`, at least one, of each data set's sequences.

    In a data set with a single sequence, the last frames are held out. If there is only one frame, it is in both.
    Of a stream, the frames are those of the first block.
    """
    if mixture.stream:
        return replace(mixture.stream, share=share, seed=seed).block(0)
    training, held = held_out_frames(mixture.part, mixture.motions.sequence, share, seed)
    return mixture.take(training), mixture.take(held)


def held_out_frames(
    part: Int[ndarray, " n"], sequence: Int[ndarray, " n"], share: float, seed: int
) -> tuple[Int[ndarray, " a"], Int[ndarray, " b"]]:
    """`hold_out` as row numbers, from the data set and the sequence of each frame."""
    rng = np.random.default_rng(seed)
    held = np.zeros(len(part), bool)
    for rows in (np.flatnonzero(part == each) for each in range(int(part.max()) + 1)):
        sequences = np.unique(sequence[rows])
        if len(sequences) > 1:
            count = max(1, round(share * len(sequences)))
            held[rows] = np.isin(sequence[rows], rng.permutation(sequences)[:count])
        elif len(rows) > 1:
            held[rows[-max(1, round(share * len(rows))) :]] = True
    training = ~held
    if not held.any():
        training = held = np.ones(len(part), bool)
    return np.flatnonzero(training), np.flatnonzero(held)
