"""From poses of single frames to the motion of each person."""

from __future__ import annotations

from collections.abc import Mapping

from zedo_core.errors import InputError
from zedo_core.motions import DEFAULT_CHOICE, DEFAULT_MOTION, FILL_S
from zedo_core.motions.feet import with_feet
from zedo_core.motions.height import Heights, with_heights
from zedo_core.motions.segments import Segments
from zedo_core.motions.select import select
from zedo_core.motions.smooth import STRENGTHS, smooth
from zedo_core.motions.tracks import fill_gaps, one_size
from zedo_core.motions.trajectory import trajectories
from zedo_core.motions.upright import with_up
from zedo_core.types import Keypoints, Poses

MOTIONS = (*STRENGTHS, "full")


def motion(
    poses: Poses,
    keypoints: Keypoints | None = None,
    *,
    mode: str = DEFAULT_MOTION,
    ground: bool = True,
    choice: str = DEFAULT_CHOICE,
    fill_s: float = FILL_S,
    heights: Heights | None = None,
    segments: Segments | None = None,
    up: str | None = None,
    tracked: bool = True,
) -> Poses:
    """What the frames of a track know of each other: the choice, the size, gaps filled, and how a person moves.

    `mode` is `full`: one body of fixed bones per track and one trajectory through all its frames (see
    `zedo_core.motions.fit`), best with the `keypoints` that were lifted; `light` or `strong`, which only smooth; or
    `off`. In `full`, feet that stand are held on level floors if there is a `ground`, which a moving camera has not;
    `segments` are bones that were measured. `choice` is best, track or mean, `fill_s` the longest gap that is filled,
    `heights` standing heights in metres, of all or by id, `up` as in `save`. Without `tracked`, ids do not follow
    people from frame to frame: only the choice within each frame. Heels and toes are lifted where the keypoints have
    them. InputError for what is none of these.
    """
    check_motion(mode)
    poses = _moving(poses, keypoints, mode, ground, choice, fill_s, heights, segments, up, tracked)
    return poses if keypoints is None else with_feet(poses, keypoints, tracked=tracked)


def _moving(
    poses: Poses,
    keypoints: Keypoints | None,
    mode: str,
    ground: bool,
    choice: str,
    fill_s: float,
    heights: Heights | None,
    segments: Segments | None,
    up: str | None,
    tracked: bool,
) -> Poses:
    """The same without feet."""
    poses = one_size(select(poses, choice)) if tracked else select(poses, "best")
    if isinstance(heights, Mapping):
        ids = set(poses.track_ids.tolist())  # somebody seen too little to be lifted has no height to be set
        heights = {track: height for track, height in heights.items() if track in ids}
    if heights is not None:
        poses = with_heights(poses, heights)
    if up is not None:
        poses = with_up(poses, up)
    if not tracked:
        return smooth(poses, "off")
    if mode == "full":
        poses = trajectories(fill_gaps(poses, fill_s), keypoints, ground=ground, segments=segments)
        return poses if heights is None else with_heights(poses, heights)  # the body's height, not that of single poses
    return fill_gaps(smooth(poses, mode), fill_s)


def check_motion(mode: str) -> None:
    """InputError for an unknown mode."""
    if mode not in MOTIONS:
        raise InputError(f"expected a motion of {', '.join(MOTIONS)}, got '{mode}'")
