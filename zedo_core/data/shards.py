"""Motion capture larger than memory: many files, or row groups of Parquet files, of which a few are read at a time."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from zedo_core.data import mocap, mocap_parquet
from zedo_core.data._h36m_files import files_in_folder
from zedo_core.data.mixture import Mixture, hold_out
from zedo_core.errors import FormatError, InputError
from zedo_core.skeleton import H36M17, Skeleton
from zedo_core.storage.files import npy_header

SUFFIXES = (".npz", ".npy", ".parquet")


@dataclass(frozen=True)
class Shard:
    """A file, or a row group of a Parquet file."""

    path: Path
    frames: int
    group: int | None = None


@dataclass(frozen=True, kw_only=True)
class Stream:
    """Blocks of motion capture, each of at most so many frames, with shards of every data set by their weights.

    `chunks[d]` are groups of shards of data set d, in random order; block i has chunk i of each, from the start again
    where there are no more. A smaller data set is in every block. `share` and `seed` say which sequences are held out,
    of each shard its own. The blocks of distributed processes are different ones.
    """

    chunks: tuple[tuple[tuple[Shard, ...], ...], ...]
    weights: tuple[float, ...]
    skeleton: Skeleton
    share: float = 0.0
    seed: int = 0
    steps: int = 1000  # of training with each block

    @classmethod
    def from_data(
        cls, data: Sequence[tuple[Path, float]], frames: int, skeleton: Skeleton = H36M17, seed: int = 0
    ) -> Stream:
        """Data sets of files with their weights, at most `frames` frames at a time; nothing but headers is read.

        FormatError for files that are not motion capture, InputError for those with more frames than that.
        """
        weights = tuple(weight for _, weight in data)
        rng = np.random.default_rng(seed)
        chunks = []
        for path, weight in data:
            shards = list(_shards(path))
            budget = int(frames * weight / sum(weights))
            if large := [shard for shard in shards if shard.frames > budget]:
                raise InputError(
                    f"{large[0].path}: expected at most {budget} frames in a file or row group, as --stream allows, "
                    f"found {large[0].frames}; write smaller ones or allow more"
                )
            chunks.append(tuple(_filled([shards[i] for i in rng.permutation(len(shards))], budget)))
        return cls(chunks=tuple(chunks), weights=weights, skeleton=skeleton)

    @property
    def blocks(self) -> int:
        """Blocks until all data was read."""
        return max(len(chunks) for chunks in self.chunks)

    @property
    def shards(self) -> tuple[Shard, ...]:
        """Those of all data sets."""
        return tuple(shard for chunks in self.chunks for chunk in chunks for shard in chunk)

    @property
    def sha256(self) -> str:
        """SHA-256 of the names and sizes of all shards; to read all of them would take too long."""
        facts = [(shard.path.name, shard.path.stat().st_size, shard.frames, shard.group) for shard in self.shards]
        return hashlib.sha256(repr((facts, self.weights, self.skeleton)).encode()).hexdigest()

    def sample(self) -> Mixture:
        """A shard of each data set, for what is known before data is held out: the joints, and that it is streamed."""
        first = [_read(chunks[0][0], self.skeleton) for chunks in self.chunks]
        return replace(Mixture.from_parts(first, self.weights), stream=self)

    def block(self, number: int) -> tuple[Mixture, Mixture]:
        """The frames of one block to train on, and those held out. FormatError when a file cannot be read."""
        parts = [[_read(shard, self.skeleton) for shard in chunks[number % len(chunks)]] for chunks in self.chunks]
        divided = [[hold_out(Mixture.from_parts([one]), self.share, self.seed) for one in part] for part in parts]
        training, held = (
            Mixture.from_parts(
                [Mixture.from_parts([pair[side].motions for pair in part]).motions for part in divided], self.weights
            )
            for side in (0, 1)
        )
        return replace(training, stream=self), held


def _shards(path: Path) -> Iterator[Shard]:
    if not path.exists():
        raise FormatError(f"{path}: no such file or folder; expected motion capture as npz, npy or Parquet")
    files = [path] if path.is_file() else files_in_folder(path, SUFFIXES)
    if not files:
        raise FormatError(f"{path}: expected motion capture as npz, npy or Parquet files to stream, found none")
    for file in files:
        if mocap_parquet.is_parquet(file):
            yield from (Shard(file, rows, group) for group, rows in enumerate(mocap_parquet.group_sizes(file)) if rows)
        else:
            yield Shard(file, _frames(file))


def _frames(path: Path) -> int:
    """The number of frames of an npz or npy, from its header."""
    try:
        if not zipfile.is_zipfile(path):
            with open(path, "rb") as file:
                return npy_header(file)[0][0]
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
            name = next(f"{key}.npy" for key in ("retargeted", "positions") if f"{key}.npy" in names)
            with archive.open(name) as file:
                return npy_header(file)[0][0]
    except (OSError, ValueError, LookupError, StopIteration, zipfile.BadZipFile):
        raise FormatError(f"{path}: expected motion capture to stream as npz, npy or Parquet, cannot read it") from None


def _filled(shards: Sequence[Shard], budget: int) -> Iterator[tuple[Shard, ...]]:
    """Groups of consecutive shards with at most `budget` frames."""
    group: list[Shard] = []
    for shard in shards:
        if group and sum(one.frames for one in group) + shard.frames > budget:
            yield tuple(group)
            group = []
        group.append(shard)
    yield tuple(group)


def _read(shard: Shard, skeleton: Skeleton) -> mocap.Motions:
    return mocap.load(shard.path, skeleton=skeleton, group=shard.group)
