"""What the motion capture formats have in common: people over evenly spaced frames, upright, and a file for each."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from zedo_core.errors import InputError
from zedo_core.motions.upright import upright
from zedo_core.packed import packed, places
from zedo_core.skeleton import Skeleton
from zedo_core.types import Poses

ASSUMED_FPS = 30.0  # of pictures, which have no rate

_SPARSEST = 100  # frame numbers that leave more than this many empty frames per frame are names, not times

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Track:
    """One person: `points` (t, j, 3) in metres, y up, floor at 0; NaN where the person or a joint is missing."""

    id: int
    points: Float[ndarray, "t j 3"]

    @property
    def known(self) -> Bool[ndarray, "t j"]:
        """Which joints are known in which frames."""
        return np.all(np.isfinite(self.points), axis=-1)

    @property
    def present(self) -> Bool[ndarray, " t"]:
        """The frames in which anything of the person is known."""
        return np.any(self.known, axis=-1)


@dataclass(frozen=True, kw_only=True)
class Recording:
    """All people who appear, over the same evenly spaced frames; `up_source` says where upright came from."""

    tracks: tuple[Track, ...]
    skeleton: Skeleton
    fps: float
    up_source: str

    @property
    def frames(self) -> int:
        """How many frames there are, the empty ones counted too."""
        return len(self.tracks[0].points)


def record(poses: Poses, path: Path) -> Recording:
    """The poses as a recording, for the file `path`; InputError when nobody appears in them."""
    poses = packed(poses)
    found = upright(poses)
    assert poses.who is not None
    seen = np.unique(poses.who[poses.present & np.isfinite(found.points).all(-1).any(-1)]).tolist()
    if not seen:
        raise InputError(f"{path}: expected at least one person, found nobody in {len(poses.frame_numbers)} frames")
    rows, step = _rows(poses.frame_numbers)

    def points(p: int) -> Float[ndarray, "t j 3"]:
        of_person = np.full((rows[-1] + 1, len(poses.skeleton), 3), np.nan)
        t, column = places(poses, p)
        of_person[rows[t]] = found.points[t, column]
        return of_person

    if poses.fps is None:
        _log.warning("%s: the frame rate is not known; %g frames a second are assumed", path.name, ASSUMED_FPS)
    return Recording(
        tracks=tuple(Track(id=int(poses.track_ids[p]), points=points(p)) for p in seen),
        skeleton=poses.skeleton,
        fps=(poses.fps or ASSUMED_FPS) / step,
        up_source=found.source,
    )


def _rows(numbers: Int[ndarray, " t"]) -> tuple[Int[ndarray, " t"], int]:
    """The place of each frame in an evenly spaced recording, and how many frame numbers lie between two places."""
    steps = np.diff(numbers)
    if len(steps) == 0 or steps.min() <= 0:
        return np.arange(len(numbers)), 1
    step = int(np.gcd.reduce(steps))
    rows = (numbers - numbers[0]) // step
    return (rows, step) if rows[-1] < _SPARSEST * len(rows) else (np.arange(len(numbers)), 1)


def write_each(recording: Recording, path: Path, write: Callable[[Track, Path], None]) -> tuple[Path, ...]:
    """Write a file per person and say which: `path` itself for one person, else `_person3` before the suffix.

    Files that an earlier run with other people left under these names are removed, or they would pass for people of
    this one.
    """
    alone = len(recording.tracks) == 1
    files = [path if alone else path.with_name(f"{path.stem}_person{t.id}{path.suffix}") for t in recording.tracks]
    for track, file in zip(recording.tracks, files, strict=True):
        write(track, file)
    for old in _earlier(path):
        if old not in files:
            _log.warning("%s: left by an earlier run with other people, removed", old.name)
            old.unlink(missing_ok=True)
    return tuple(files)


def _earlier(path: Path) -> list[Path]:
    """The files there are under the names that `write_each` gives."""
    person = re.compile(rf"{re.escape(path.stem)}(_person\d+)?{re.escape(path.suffix)}")
    return sorted(file for file in path.parent.iterdir() if person.fullmatch(file.name) and file.is_file())
