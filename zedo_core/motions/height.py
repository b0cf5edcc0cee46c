"""The size of people whose height is known.

The standing height is measured along the bones, so that a person may sit or crouch in the picture: shank and thigh
(the mean of both legs), the trunk from the pelvis over spine and thorax to the neck, and on to the top of the head. To
this comes the ankle's height above the sole, 3.9 % of the standing height (Drillis and Contini 1966).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from zedo_core.errors import InputError
from zedo_core.metrics import bone_lengths
from zedo_core.skeleton import Skeleton
from zedo_core.types import Poses

Heights = float | Mapping[int, float]  # in metres: of everybody, or by track id

HEIGHT_M = (0.4, 2.6)  # of people, infants among them
SOLE = 0.039  # ankle above the sole, as a share of the standing height
_TRUNK = ("pelvis", "spine", "thorax", "neck_nose", "head_top")
_LEG = ("hip", "knee", "ankle")


def parse_heights(text: str) -> Heights:
    """`1.8`, or `3=1.8,4=1.65` by track id, in metres; InputError for anything else."""
    try:
        if "=" not in text:
            heights: Heights = float(text)
        else:
            pairs = [part.split("=") for part in text.split(",")]
            heights = {int(track): float(metres) for track, metres in pairs}
            if len(heights) < len(pairs):
                raise ValueError
    except ValueError:
        raise InputError(
            f"expected a height in metres such as 1.8, or ID=M,... such as 3=1.8,4=1.65, got '{text}'"
        ) from None
    check_heights(heights)
    return heights


def check_heights(heights: Heights) -> None:
    """InputError for heights that no people have."""
    least, most = HEIGHT_M
    for height_m in heights.values() if isinstance(heights, Mapping) else (heights,):
        if not least <= height_m <= most:
            raise InputError(f"expected heights of {least:g} to {most:g} m, got {height_m:g}")


def check_ids(heights: Heights, track_ids: Int[ndarray, " p"]) -> None:
    """InputError for an id that nobody has."""
    ids = track_ids.tolist()
    if unknown := [track for track in heights if track not in ids] if isinstance(heights, Mapping) else []:
        known = ", ".join(map(str, ids[:20])) or "nobody appears"
        raise InputError(f"height of person {unknown[0]}: expected the id of a person who appears ({known})")


def with_heights(poses: Poses, heights: Heights) -> Poses:
    """The same poses with people as tall as said, and as much farther away: scaled about the camera, projections stay.

    One factor a track, from the median of its chosen poses. InputError for an id that nobody has.
    """
    check_heights(heights)
    check_ids(heights, poses.track_ids)
    ids = poses.track_ids.tolist()
    wanted = dict(heights) if isinstance(heights, Mapping) else dict.fromkeys(ids, heights)
    found_m = standing_heights_m(poses)
    ratio = np.array([wanted.get(track, np.nan) for track in ids]) / found_m
    factor = np.where(np.isfinite(ratio), ratio, 1.0).astype(poses.joints.dtype)
    options = {**poses.provenance.options, "height_m": {str(track): value for track, value in wanted.items()}}
    return replace(
        poses,
        joints=poses.joints * factor[:, None, None, None],
        score=poses.score * factor[:, None],
        spread=poses.spread * factor[:, None],
        provenance=replace(poses.provenance, options=options),
    )


def standing_heights_m(poses: Poses) -> Float[ndarray, " p"]:
    """The median over each track's chosen poses; NaN for who never appears whole."""
    lengths = bone_lengths(poses.best.astype(np.float64), _chain(poses.skeleton))
    legs, trunk = lengths[..., : 2 * len(_LEG) - 2].sum(-1) / 2, lengths[..., 2 * len(_LEG) - 2 :].sum(-1)
    heights_m = np.where(poses.present & ~poses.is_filled, (legs + trunk) / (1 - SOLE), np.nan)
    columns = [column[np.isfinite(column)] for column in heights_m.T]
    return np.array([np.median(column) if len(column) else np.nan for column in columns])


def _chain(skeleton: Skeleton) -> list[tuple[int, int]]:
    """The bones of both legs, then those of the trunk."""
    legs = [(f"{side}_{a}", f"{side}_{b}") for side in ("left", "right") for a, b in pairwise(_LEG)]
    trunk = list(pairwise(_TRUNK))
    return [(skeleton.index(a), skeleton.index(b)) for a, b in legs + trunk]
