"""Times of the frames of a clip."""

from __future__ import annotations

import logging

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from zedo_core.types.rows import Rows

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
