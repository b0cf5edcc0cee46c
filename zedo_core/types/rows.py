"""The common base of keypoints and poses: one row per person and frame of a clip."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar, TypeVar

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped
from numpy import ndarray

from zedo_core.camera import Camera
from zedo_core.errors import InputError
from zedo_core.skeleton import Skeleton

R = TypeVar("R", bound="Rows")


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Rows:
    """Rows sorted by track, then by frame, each for one person in one frame; and the frames of the clip.

    `frame` is a position among the clip's frames, whose numbers in the input are `frame_numbers` and whose times in
    seconds are `times_s`, where known; `track` is the person's id. InputError when rows are out of order, or when a
    person has two rows in one frame.
    """

    frame: Int[ndarray, " n"]
    track: Int[ndarray, " n"]
    skeleton: Skeleton
    frame_numbers: Int[ndarray, " t"]
    fps: float | None = None
    times_s: Float[ndarray, " t"] | None = None

    PER_ROW: ClassVar[tuple[str, ...]] = ("frame", "track")  # the fields with one value per row

    def __post_init__(self) -> None:
        n, t = len(self.frame), len(self.frame_numbers)
        if self.frame.shape != (n,) or self.track.shape != (n,) or self.frame_numbers.shape != (t,):
            shapes = f"{self.frame.shape}, {self.track.shape} and {self.frame_numbers.shape}"
            raise InputError(f"people: expected frames (n,), tracks (n,) and frame numbers (t,), got {shapes}")
        if n and not 0 <= self.frame.min() <= self.frame.max() < t:
            raise InputError(f"people: expected frames from 0 to {t - 1}, got {self.frame.min()} to {self.frame.max()}")
        later, same = np.diff(self.track) > 0, np.diff(self.track) == 0
        if not (later | (same & (np.diff(self.frame) > 0))).all():
            raise InputError(
                "people: expected rows sorted by track, then by frame, each person once per frame; sort them with "
                "`in_order`"
            )
        if self.times_s is not None and self.times_s.shape != (t,):
            raise InputError(f"people: expected {t} frame times, got {self.times_s.shape}")

    def __len__(self) -> int:
        return len(self.frame)

    @cached_property
    def track_ids(self) -> Int[ndarray, " p"]:
        """The ids of all tracks that have rows, ascending."""
        return np.unique(self.track)

    @property
    def tracks(self) -> Iterator[tuple[int, slice]]:
        """The id and the rows of each track."""
        ends = np.searchsorted(self.track, self.track_ids, side="right").tolist()
        for track, start, end in zip(self.track_ids.tolist(), [0, *ends], ends, strict=False):
            yield track, slice(start, end)

    def at(self, t: int) -> Int[ndarray, " m"]:
        """The rows of the people in the t-th frame, in the order of their ids."""
        order, starts = self._by_frame
        return order[starts[t] : starts[t + 1]]

    @cached_property
    def _by_frame(self) -> tuple[Int[ndarray, " n"], Int[ndarray, " s"]]:
        order = np.argsort(self.frame, kind="stable")
        return order, np.searchsorted(self.frame[order], np.arange(len(self.frame_numbers) + 1))

    def take(self: R, rows: Int[ndarray, " m"] | Bool[ndarray, " n"] | slice) -> R:
        """A subset of the rows, in their order; the frames of the clip stay."""
        return replace(self, **{name: getattr(self, name)[rows] for name in self._row_fields})

    def scatter(self, values: Shaped[ndarray, "n *d"], absent: Any) -> Shaped[ndarray, "t p *d"]:
        """One value per row as an array over frames and people, `absent` where a person has no row."""
        dense = np.full((len(self.frame_numbers), len(self.track_ids), *values.shape[1:]), absent, values.dtype)
        dense[self.frame, np.searchsorted(self.track_ids, self.track)] = values
        return dense

    @property
    def _row_fields(self) -> tuple[str, ...]:
        return tuple(name for name in self.PER_ROW if getattr(self, name) is not None)

    def __repr__(self) -> str:
        people, frames = len(self.track_ids), len(self.frame_numbers)
        ids = ", ".join(map(str, self.track_ids[:6].tolist())) + (", ..." if people > 6 else "")
        counted = f"{people} {'person' if people == 1 else 'people'}" + (f" (id {ids})" if people else "")
        rate = f" at {self.fps:.4g} fps" if self.fps else ""
        clip = f"{frames} {'frame' if frames == 1 else 'frames'}{rate}"
        head = f"{type(self).__name__}: {counted} in {len(self)} rows, {clip}"
        return f"{head}\n  {self.skeleton.name}, {self._details()}"

    def _details(self) -> str:
        """The second line of the representation, after the joint set."""
        return ""


def in_order(
    *, frame: Int[ndarray, " n"], track: Int[ndarray, " n"], **values: Shaped[ndarray, "n ..."] | None
) -> dict[str, Any]:
    """The fields of rows, sorted by track, then by frame."""
    order = np.lexsort((frame, track))
    fields = {"frame": frame, "track": track, **values}
    return {name: None if array is None else array[order] for name, array in fields.items()}


def same_rows(a: Rows, b: Rows) -> tuple[Int[ndarray, " m"], Int[ndarray, " m"]]:
    """Positions of the rows of `a` and `b` that belong to the same person and frame, by track id and frame number."""
    same = np.array_equal(a.frame_numbers, b.frame_numbers)
    pairs = [np.stack([rows.track, rows.frame if same else rows.frame_numbers[rows.frame]], 1) for rows in (a, b)]
    _, key = np.unique(np.concatenate(pairs), axis=0, return_inverse=True)
    _, in_a, in_b = np.intersect1d(key.ravel()[: len(a)], key.ravel()[len(a) :], return_indices=True)
    return in_a, in_b


def apply_cameras(
    cameras: Sequence[Camera],
    frame: Int[ndarray, " n"],
    points: Float[ndarray, "n *d"],
    function: Callable[[Camera, Any], Any],
) -> Float[ndarray, "n *e"]:
    """`function(camera, points)` for the points of each row, with the single camera or that of the row's frame."""
    if len(cameras) == 1 or len(points) == 0:
        return function(cameras[0], points)
    return np.stack([function(cameras[t], row) for t, row in zip(frame.tolist(), points, strict=True)])
