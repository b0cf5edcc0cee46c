"""Times of frames, and the division of tracks into motions."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from zedo_core.types import Rows
from zedo_core.types.times import DEFAULT_FPS, times_of

__all__ = ["DEFAULT_FPS", "LONGEST_GAP_S", "motions", "times_of"]

LONGEST_GAP_S = 0.5  # after a longer absence a new motion begins


def motions(
    people: Rows, usable: Bool[ndarray, " n"] | None = None, longest_gap_s: float = LONGEST_GAP_S
) -> Iterator[tuple[Int[ndarray, " m"], Float[ndarray, " m"]]]:
    """Rows and times of every motion: a track, split where the person was absent for longer than `longest_gap_s`.

    Rows that are not `usable` count as absent.
    """
    rows = np.arange(len(people)) if usable is None else np.flatnonzero(usable)
    times_s = times_of(people)[people.frame[rows]]
    is_end = (np.diff(people.track[rows]) != 0) | (np.diff(times_s) > longest_gap_s)
    for part in np.split(np.arange(len(rows)), np.flatnonzero(is_end) + 1):
        if len(part):
            yield rows[part], times_s[part]
