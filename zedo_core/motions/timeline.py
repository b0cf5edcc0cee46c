"""Times of frames, and the division of tracks into motions."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from zedo_core.types import Rows

LONGEST_GAP_S = 0.5  # after a longer absence a new motion begins
DEFAULT_FPS = 30.0  # when neither times nor a frame rate are known

_log = logging.getLogger(__name__)


def times_of(people: Rows) -> Float[ndarray, " t"]:
    """Times of the frames in seconds; from the frame numbers if times are unknown or do not increase."""
    times_s = people.times_s
    if times_s is not None and np.isfinite(times_s).all() and (np.diff(times_s) > 0).all():
        return np.asarray(times_s, dtype=np.float64)
    if people.fps is None and len(people.frame_numbers) > 1:
        _log.info("the frame rate is unknown; assuming %g frames per second", DEFAULT_FPS)
    numbers = people.frame_numbers
    if not (np.diff(numbers) > 0).all():
        numbers = np.arange(len(numbers))
    return (numbers - numbers.min(initial=0)) / (people.fps or DEFAULT_FPS)


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
