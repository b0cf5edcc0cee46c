"""From poses of single frames to the motion of each person."""

from __future__ import annotations

from collections.abc import Mapping

from zedo_core.motions import DEFAULT_CHOICE, DEFAULT_SMOOTHING, FILL_S
from zedo_core.motions.height import Heights, with_heights
from zedo_core.motions.select import select
from zedo_core.motions.smooth import smooth as smoothed
from zedo_core.motions.tracks import fill_gaps, one_size
from zedo_core.motions.upright import with_up
from zedo_core.types import Poses


def motion(
    poses: Poses,
    *,
    choice: str = DEFAULT_CHOICE,
    smooth: str = DEFAULT_SMOOTHING,
    fill_s: float = FILL_S,
    heights: Heights | None = None,
    up: str | None = None,
    tracked: bool = True,
) -> Poses:
    """What the frames of a track know of each other: the choice, the size, smoothing, and gaps filled.

    `choice` is best, track or mean, `smooth` off, light or strong, `fill_s` the longest gap that is filled, `heights`
    standing heights in metres, of all or by id, `up` as in `save`. Without `tracked`, ids do not follow people from
    frame to frame: only the choice within each frame. InputError for what is none of these.
    """
    poses = one_size(select(poses, choice)) if tracked else select(poses, "best")
    if heights is not None:
        ids = set(poses.track_ids.tolist())  # somebody seen too little to be lifted has no height to be set
        here = {track: h for track, h in heights.items() if track in ids} if isinstance(heights, Mapping) else heights
        poses = with_heights(poses, here)
    if up is not None:
        poses = with_up(poses, up)
    return fill_gaps(smoothed(poses, smooth), fill_s) if tracked else smoothed(poses, "off")
