"""Scaling people whose height is known.

The standing height is measured along the bones, so that people may sit or crouch: shank and thigh (the mean of both
legs), then from the pelvis via spine, thorax and neck to the top of the head. The height of the ankle above the sole,
3.9 % of the standing height, is added (Drillis and Contini 1966).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
from jaxtyping import Int
from numpy import ndarray

from zedo_core.errors import InputError
from zedo_core.metrics import bone_lengths
from zedo_core.skeleton import Skeleton
from zedo_core.types import Poses

Heights = float | Mapping[int, float]  # in metres: for all people, or by track id

HEIGHT_M = (0.4, 2.6)  # range of human heights, infants included
SOLE = 0.039  # height of the ankle above the sole, as a fraction of the standing height
_TRUNK = ("pelvis", "spine", "thorax", "neck_nose", "head_top")
_LEG = ("hip", "knee", "ankle")


def parse_heights(text: str) -> Heights:
    """Parse `1.8`, or `3=1.8,4=1.65` by track id, in metres; InputError for anything else."""
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
    """InputError for heights outside the human range."""
    least, most = HEIGHT_M
    for height_m in heights.values() if isinstance(heights, Mapping) else (heights,):
        if not least <= height_m <= most:
            raise InputError(f"expected heights of {least:g} to {most:g} m, got {height_m:g}")


def check_ids(given: float | Mapping[int, Any], track_ids: Int[ndarray, " p"]) -> None:
    """InputError for an unknown track id."""
    ids = track_ids.tolist()
    if unknown := [track for track in given if track not in ids] if isinstance(given, Mapping) else []:
        known = ", ".join(map(str, ids[:20])) or "none"
        raise InputError(f"person {unknown[0]}: expected the id of a person who appears ({known})")


def with_heights(poses: Poses, heights: Heights) -> Poses:
    """The poses scaled to the given heights. They are scaled about the camera, so that projections stay.

    One factor per track, from the median height of its chosen poses. InputError for an unknown id.
    """
    check_heights(heights)
    check_ids(heights, poses.track_ids)
    ids = poses.track_ids.tolist()
    given_m = dict(heights) if isinstance(heights, Mapping) else dict.fromkeys(ids, heights)
    measured_m = standing_heights_m(poses)
    factor = np.ones(len(poses), poses.joints.dtype)
    for track, rows in poses.tracks:
        if track in given_m and track in measured_m:
            factor[rows] = given_m[track] / measured_m[track]
    options = {**poses.provenance.options, "height_m": {str(track): value for track, value in given_m.items()}}
    return replace(
        poses,
        joints=poses.joints * factor[:, None, None, None],
        score=poses.score * factor[:, None],
        spread=poses.spread * factor[:, None],
        feet=None if poses.feet is None else poses.feet * factor[:, None, None],
        provenance=replace(poses.provenance, options=options),
    )


def standing_heights_m(poses: Poses) -> dict[int, float]:
    """Median over each track's chosen poses, by id; tracks that are never complete are left out."""
    lengths = bone_lengths(poses.best.astype(np.float64), _chain(poses.skeleton))
    legs, trunk = lengths[..., : 2 * len(_LEG) - 2].sum(-1) / 2, lengths[..., 2 * len(_LEG) - 2 :].sum(-1)
    heights_m = np.where(poses.filled, np.nan, (legs + trunk) / (1 - SOLE))
    known = {track: heights_m[rows][np.isfinite(heights_m[rows])] for track, rows in poses.tracks}
    return {track: float(np.median(values)) for track, values in known.items() if len(values)}


def _chain(skeleton: Skeleton) -> list[tuple[int, int]]:
    """The bones of both legs, then those from the pelvis to the head."""
    legs = [(f"{side}_{a}", f"{side}_{b}") for side in ("left", "right") for a, b in pairwise(_LEG)]
    trunk = list(pairwise(_TRUNK))
    return [(skeleton.index(a), skeleton.index(b)) for a, b in legs + trunk]
