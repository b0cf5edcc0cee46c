"""Selecting frames and people of keypoints."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import replace

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from zedo_core.errors import InputError
from zedo_core.source.cut import WHOLE, Cut
from zedo_core.types import Keypoints

ALL, LARGEST = "all", "largest"


def filter_frames(keypoints: Keypoints, cut: Cut) -> Keypoints:
    """The keypoints of the frames in `cut`; frame numbers and times stay those of the input.

    InputError when the cut is in seconds but neither times nor a frame rate are known, or when no frame is left.
    """
    if cut == WHOLE:
        return keypoints
    times_s = keypoints.times_s
    if times_s is None and keypoints.fps is not None:
        times_s = keypoints.frame_numbers / keypoints.fps
    if times_s is None and cut.needs_times:
        raise InputError("these keypoints have neither times nor a frame rate; give frame numbers such as 12f")
    times = np.full(len(keypoints.frame_numbers), np.nan) if times_s is None else times_s
    numbers_and_times = list(zip(keypoints.frame_numbers.tolist(), times.tolist(), strict=True))
    frames = list(cut.take(range(len(numbers_and_times)), numbers_and_times.__getitem__))
    if not frames:
        raise InputError(f"no frame of the keypoints lies within {cut}; choose another part")
    return _take_frames(replace(keypoints, times_s=times_s), frames)


def filter_numbers(keypoints: Keypoints, numbers: Set[int]) -> Keypoints:
    """The keypoints of the frames with these numbers; InputError when there are none."""
    frames = [t for t, number in enumerate(keypoints.frame_numbers.tolist()) if number in numbers]
    if not frames:
        raise InputError("none of the requested frames is among the keypoints; choose another part")
    return _take_frames(keypoints, frames)


def _take_frames(keypoints: Keypoints, frames: list[int]) -> Keypoints:
    """The keypoints of some frames, given by their positions."""
    sizes, times_s = keypoints.image_sizes, keypoints.times_s
    position = np.full(len(keypoints.frame_numbers), -1)
    position[frames] = np.arange(len(frames))
    selected = keypoints.take(position[keypoints.frame] >= 0)
    return replace(
        selected,
        frame=position[selected.frame],
        frame_numbers=keypoints.frame_numbers[frames],
        times_s=None if times_s is None else times_s[frames],
        image_sizes=sizes if sizes is None or len(sizes) == 1 else tuple(sizes[t] for t in frames),
    )


def check_people(person: str, max_people: int | None) -> None:
    """InputError when the selection of people is not valid."""
    if person not in (ALL, LARGEST) and not (person.isascii() and person.isdecimal()):
        raise InputError(f"expected a person's id, {LARGEST} or {ALL}, got '{person}'")
    if max_people is not None and max_people < 1:
        raise InputError(f"expected at least one person, got {max_people}")


def filter_people(keypoints: Keypoints, person: str = ALL, max_people: int | None = None) -> Keypoints:
    """The keypoints of one person (an id, or `largest`), or of the `max_people` largest; ids stay the same.

    Size is the sum over all frames of the area of the box around the seen joints. InputError when no person has the id.
    """
    check_people(person, max_people)
    ids = keypoints.track_ids.tolist()
    if person not in (ALL, LARGEST):
        if int(person) not in ids:
            known = ", ".join(map(str, ids[:20])) + (", ..." if len(ids) > 20 else "")
            raise InputError(f"expected the id of a person who appears ({known or 'there is none'}), got {person}")
        return keypoints.take(keypoints.track == int(person))
    if person == ALL and max_people is None:
        return keypoints
    column = np.searchsorted(keypoints.track_ids, keypoints.track)
    sums = np.bincount(column, areas_px2(keypoints), len(ids))
    largest = np.argsort(-sums, kind="stable")[: 1 if person == LARGEST else max_people]
    return keypoints.take(np.isin(column, largest))


def areas_px2(keypoints: Keypoints) -> Float[ndarray, " n"]:
    """Area of the axis-aligned box around the seen joints of every row, 0 if there are none."""
    seen, xy = (keypoints.confidence > 0)[..., None], keypoints.xy
    low, high = np.where(seen, xy, np.inf).min(1), np.where(seen, xy, -np.inf).max(1)
    return np.prod(np.where(seen.any(1), high - low, 0.0), axis=-1)
