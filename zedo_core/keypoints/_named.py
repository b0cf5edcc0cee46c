"""From values under names of joints, as tables and HDF5 hold them, to keypoints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from zedo_core.errors import FormatError
from zedo_core.keypoints._joint_order import choose_order
from zedo_core.keypoints._people import Person, keypoints_from_people
from zedo_core.keypoints._source import Source, number_frames
from zedo_core.keypoints._tracks import parse_tracks
from zedo_core.keypoints.nested import known_confidence, named_joints, to_pixels
from zedo_core.skeleton import BLAZEPOSE33
from zedo_core.types import Keypoints


def keypoints_by_name(
    source: Source,
    values: Float[ndarray, "n k 3"],
    names: Sequence[str],
    frame: Int[ndarray, " n"],
    frame_numbers: Sequence[int],
    tracks: Sequence[Any],
    **fields: Any,
) -> Keypoints:
    """Keypoints of n people in frames, whose k joints [x, y, confidence] have names.

    The joint set is that of the caller, of the names, or, where these are numbers, of the number of joints. NaN is what
    is not given. FormatError when there are no people or the names are not those of a person.
    """
    where = str(source.path)
    if source.skeleton is not None:
        if len(source.skeleton) != len(names):
            raise FormatError(
                f"{where}: expected the {len(source.skeleton)} joints of {source.skeleton.name} (--skeleton), found "
                f"{len(names)}"
            )
        skeleton = source.skeleton
    elif all(name.isdecimal() for name in names):
        places = np.isfinite(values[..., :2]).all(-1) & (values[..., :2] != 0).any(-1)
        skeleton = choose_order(np.dstack([np.nan_to_num(values[..., :2]), places]), where)
        values = values[:, : len(skeleton)]
    else:
        named = named_joints(names, where)
        skeleton = named.skeleton
        joints = np.full((len(values), len(skeleton), 3), np.nan)
        joints[:, list(named.joints)] = values[:, list(named.source)]
        values = joints
    values = known_confidence(values, where)
    if not values[..., 2].any():
        raise FormatError(f"{where}: found no people in any of its {len(frame_numbers)} frames")
    values, normalised = to_pixels(values, source.image_size, where, edge=skeleton == BLAZEPOSE33)
    if normalised:
        fields["image_sizes"] = (source.image_size,)
    ids = parse_tracks(list(tracks), source.path)
    people = [
        Person(frame=int(t), joints=joints, track=track)
        for t, joints, track in zip(frame, values, ids, strict=True)
        if joints[:, 2].any()
    ]
    return keypoints_from_people(people, skeleton, frame_numbers, source.path, **fields)


def numbers_of(names: Sequence[str], source: Source) -> list[int]:
    """The frame of each row, from whole numbers or from names of pictures."""
    if all(name.strip().removesuffix(".0").isdecimal() and len(name) <= 15 for name in names):
        return [int(float(name)) for name in names]
    numbers = number_frames(names, source.path, source.part)
    return [numbers[name] for name in names]
