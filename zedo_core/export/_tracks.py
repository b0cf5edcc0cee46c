"""Common parts of the motion capture formats: people over all frames with their times, upright, a file per person."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped
from numpy import ndarray

from zedo_core.errors import InputError
from zedo_core.export._timing import Timing, timing
from zedo_core.motions.timeline import DEFAULT_FPS
from zedo_core.motions.upright import upright
from zedo_core.skeleton import Skeleton
from zedo_core.types import Poses

_MAX_FRAMES_PER_FRAME = 100  # frame numbers that are sparser than this are taken as names, not times

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Track:
    """One person: `positions` (n, j, 3) in metres, y up, floor at 0, in the frames with the indices `frame` (n,)."""

    id: int
    frame: Int[ndarray, " n"]
    positions: Float[ndarray, "n j 3"]
    frames: int  # number of all frames

    @property
    def points(self) -> Float[ndarray, "t j 3"]:
        """Positions over all frames; NaN where the person or a joint is missing."""
        return over_frames(self.positions, self.frame, self.frames, np.nan)

    @property
    def known(self) -> Bool[ndarray, "t j"]:
        """Which joints are known in which frames."""
        return np.all(np.isfinite(self.points), axis=-1)

    @property
    def present(self) -> Bool[ndarray, " t"]:
        """The frames in which any joint of the person is known."""
        return np.any(self.known, axis=-1)


@dataclass(frozen=True, kw_only=True)
class Recording:
    """All people who appear, over the same frames; `up_source` is the source of the upward direction."""

    tracks: tuple[Track, ...]
    skeleton: Skeleton
    timing: Timing
    up_source: str

    @property
    def frames(self) -> int:
        """Number of frames."""
        return len(self.timing.times_s)

    def at_fixed_rate(self, path: Path) -> Timing:
        """The timing of a format with a fixed rate; says so if that needs resampling."""
        fixed = self.timing.at_fixed_rate()
        if not self.timing.even:
            _log.warning(
                "%s: the %d frames are not evenly spaced in time; resampled to %d frames at %g frames per second",
                *(path.name, self.frames, len(fixed.times_s), fixed.fps),
            )
        return fixed


def record(poses: Poses, path: Path, points: Float[ndarray, "n m 3"] | None = None) -> Recording:
    """The poses as a recording, to be written to `path`; InputError when they contain no person.

    The `points` of the rows are the joints, y up, unless given.
    """
    up = upright(poses)
    points = up.points if points is None else points
    known = np.asarray(np.isfinite(points).all(-1).any(-1))
    if not known.any():
        raise InputError(f"{path}: expected at least one person, found none in {len(poses.frame_numbers)} frames")
    index, step = _evenly_spaced(poses.frame_numbers)
    frames = int(index[-1]) + 1
    timed = timing(poses.times_s, index, (poses.fps or DEFAULT_FPS) / step)
    if poses.fps is None and (poses.times_s is None or not np.isfinite(poses.times_s).all()):
        _log.warning("%s: the frame rate is unknown; assuming %g frames per second", path.name, DEFAULT_FPS)
    return Recording(
        tracks=tuple(
            Track(id=track, frame=index[poses.frame[rows]], positions=points[rows], frames=frames)
            for track, rows in poses.tracks
            if known[rows].any()
        ),
        skeleton=poses.skeleton,
        timing=timed,
        up_source=up.source,
    )


def over_frames(
    values: Shaped[ndarray, "n *d"], frame: Int[ndarray, " n"], frames: int, absent: Any
) -> Shaped[ndarray, "t *d"]:
    """Values of one person's rows as an array over all frames, with `absent` in frames without a row."""
    dense = np.full((frames, *values.shape[1:]), absent, values.dtype)
    dense[frame] = values
    return dense


def _evenly_spaced(numbers: Int[ndarray, " t"]) -> tuple[Int[ndarray, " t"], int]:
    """The index of each frame in an evenly spaced recording, and the difference of consecutive frame numbers there."""
    steps = np.diff(numbers)
    if len(steps) == 0 or steps.min() <= 0:
        return np.arange(len(numbers)), 1
    step = int(np.gcd.reduce(steps))
    index = (numbers - numbers[0]) // step
    return (index, step) if index[-1] < _MAX_FRAMES_PER_FRAME * len(index) else (np.arange(len(numbers)), 1)


def write_each(recording: Recording, path: Path, write: Callable[[Track, Path], None]) -> tuple[Path, ...]:
    """Write a file per person and return them: `path` for a single person, otherwise with `_person3` in the name.

    Files with such names from an earlier run with other people are removed, since they would be mistaken for people
    of this one.
    """
    is_single = len(recording.tracks) == 1
    files = [path if is_single else path.with_name(f"{path.stem}_person{t.id}{path.suffix}") for t in recording.tracks]
    for track, file in zip(recording.tracks, files, strict=True):
        write(track, file)
    for old in _existing_files(path):
        if old not in files:
            _log.warning("%s: removed, left from an earlier run with other people", old.name)
            old.unlink(missing_ok=True)
    return tuple(files)


def _existing_files(path: Path) -> list[Path]:
    """Existing files with names that `write_each` uses."""
    person = re.compile(rf"{re.escape(path.stem)}(_person\d+)?{re.escape(path.suffix)}")
    return sorted(file for file in path.parent.iterdir() if person.fullmatch(file.name) and file.is_file())
