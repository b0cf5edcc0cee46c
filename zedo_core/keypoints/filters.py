"""The frames and people of keypoints that are wanted."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import replace

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from zedo_core.errors import InputError
from zedo_core.packed import packed, relabelled, unpacked
from zedo_core.source.cut import WHOLE, Cut
from zedo_core.types import Keypoints

EVERYBODY, LARGEST = "all", "largest"


def keep_frames(keypoints: Keypoints, cut: Cut) -> Keypoints:
    """The same keypoints without the frames outside of `cut`; numbers and times stay those of the input.

    InputError when it speaks of seconds and neither times nor a frame rate are known, or when no frame is left.
    """
    if cut == WHOLE:
        return keypoints
    times_s = keypoints.times_s
    if times_s is None and keypoints.fps is not None:
        times_s = keypoints.frame_numbers / keypoints.fps
    if times_s is None and cut.needs_times:
        raise InputError("these keypoints have neither times nor a frame rate; give frame numbers such as 12f")
    when = np.full(len(keypoints.frame_numbers), np.nan) if times_s is None else times_s
    places = [(int(number), float(time_s)) for number, time_s in zip(keypoints.frame_numbers, when, strict=True)]
    rows = list(cut.take(range(len(places)), places.__getitem__))
    if not rows:
        raise InputError(f"no frame of the keypoints lies in {cut}; choose another part")
    return _rows(replace(keypoints, times_s=times_s), rows)


def keep_numbers(keypoints: Keypoints, numbers: Set[int]) -> Keypoints:
    """The same keypoints in the frames of these numbers alone; InputError when there are none."""
    rows = [row for row, number in enumerate(keypoints.frame_numbers.tolist()) if number in numbers]
    if not rows:
        raise InputError("none of the wanted frames is among the keypoints; choose another part")
    return _rows(keypoints, rows)


def _rows(keypoints: Keypoints, rows: list[int]) -> Keypoints:
    sizes, times_s = keypoints.image_sizes, keypoints.times_s
    return replace(
        keypoints,
        xy=keypoints.xy[rows],
        confidence=keypoints.confidence[rows],
        frame_numbers=keypoints.frame_numbers[rows],
        times_s=None if times_s is None else times_s[rows],
        image_sizes=sizes if sizes is None or len(sizes) == 1 else tuple(sizes[row] for row in rows),
        who=None if keypoints.who is None else keypoints.who[rows],
    )


def check_people(person: str, most: int | None) -> None:
    """InputError for a choice of people that is none."""
    if person not in (EVERYBODY, LARGEST) and not (person.isascii() and person.isdecimal()):
        raise InputError(f"expected a person's id, {LARGEST} or {EVERYBODY}, got '{person}'")
    if most is not None and most < 1:
        raise InputError(f"expected at least one person, got {most}")


def keep_people(keypoints: Keypoints, person: str = EVERYBODY, most: int | None = None) -> Keypoints:
    """The same keypoints with one person alone (an id, or `largest`), or with the `most` largest; ids stay.

    The largest is who takes most of the pictures: the sum over all frames of the areas around the seen joints.
    InputError when nobody has the id.
    """
    check_people(person, most)
    ids = keypoints.track_ids.tolist()
    if person == EVERYBODY and (most is None or most >= len(ids)):
        return keypoints
    if person not in (EVERYBODY, LARGEST) and int(person) not in ids:
        known = ", ".join(map(str, ids[:20])) + (", ..." if len(ids) > 20 else "")
        raise InputError(f"expected the id of a person who appears ({known or 'nobody does'}), got {person}")
    people = packed(keypoints)
    by_size = np.argsort(-_sums(people), kind="stable")
    if person == LARGEST:
        rows = by_size[:1]
    elif person == EVERYBODY:
        rows = by_size[:most]
    else:
        rows = np.array([ids.index(int(person))])
    kept = relabelled(people, np.arange(len(ids)), np.sort(rows))
    return kept if keypoints.who is not None else unpacked(kept)


def _sums(people: Keypoints) -> Float[ndarray, " p"]:
    """The areas of each track of packed people, over all frames."""
    assert people.who is not None
    t, column = np.nonzero(people.present)
    areas = areas_px2(people)[t, column]
    return np.bincount(people.who[t, column], areas, len(people.track_ids))


def areas_px2(keypoints: Keypoints) -> Float[ndarray, "t p"]:
    """Area of the upright box around the seen joints in each column, 0 for who is absent."""
    seen, xy = (keypoints.confidence > 0)[..., None], keypoints.xy
    low, high = np.where(seen, xy, np.inf).min(2), np.where(seen, xy, -np.inf).max(2)
    return np.prod(np.where(seen.any(2), high - low, 0.0), axis=-1)
