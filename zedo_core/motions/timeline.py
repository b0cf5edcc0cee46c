"""When frames were, and which frames of a track are one motion."""

from __future__ import annotations

import logging

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from zedo_core.types import Keypoints, Poses

LONGEST_GAP_S = 0.5  # a person who was away longer begins a new motion
USUAL_FPS = 30.0  # where neither times nor a frame rate are known

_log = logging.getLogger(__name__)


def times_of(people: Keypoints | Poses) -> Float[ndarray, " t"]:
    """The frames' times in seconds; from their numbers where the times are not known or do not grow."""
    times_s = people.times_s
    if times_s is not None and np.isfinite(times_s).all() and (np.diff(times_s) > 0).all():
        return np.asarray(times_s, dtype=np.float64)
    if people.fps is None and len(people.frame_numbers) > 1:
        _log.info("the frame rate is not known; it is taken as %g frames a second", USUAL_FPS)
    numbers = people.frame_numbers
    if not (np.diff(numbers) > 0).all():
        numbers = np.arange(len(numbers))
    return (numbers - numbers.min(initial=0)) / (people.fps or USUAL_FPS)


def motions(
    frames: Int[ndarray, " n"], times_s: Float[ndarray, " t"], longest_gap_s: float = LONGEST_GAP_S
) -> list[Int[ndarray, " m"]]:
    """The frames of one track, parted where the person was away longer than `longest_gap_s`."""
    if len(frames) == 0:
        return []
    return np.split(frames, np.flatnonzero(np.diff(times_s[frames]) > longest_gap_s) + 1)
