"""Drawing the people of a frame: joints that were not seen are dashed; doubtful and interpolated poses are labelled."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from zedo_core.render.draw import (
    Canvas,
    dot_radius,
    draw_bones,
    draw_dots,
    draw_label,
    line_width,
    text_size,
    track_colour,
)
from zedo_core.types import Keypoints, Poses, same_rows

FILLED, DOUBTFUL = "interpolated", "doubtful"  # labels of poses that fill a gap, and of those not to be trusted

ToCanvas = Callable[[Float[ndarray, "j 2"]], Float[ndarray, "j 2"]]  # from pixels of the input


def seen_joints(poses: Poses, keypoints: Keypoints) -> Bool[ndarray, "n j"]:
    """Which joints of each pose were seen in the image; the others are from the prior, or interpolated."""
    lifted, observed = same_rows(poses, keypoints)
    seen = np.zeros(poses.spread.shape, bool)
    seen[lifted] = keypoints.take(observed).to_skeleton(poses.skeleton).confidence > 0
    return seen & ~poses.filled[:, None]


def draw_people(
    canvas: Canvas,
    poses: Poses,
    t: int,
    keypoints: Keypoints,
    seen: Bool[ndarray, "n j"],
    to_canvas: ToCanvas,
    ids: bool = True,
) -> None:
    """Draw the projected bones, the keypoints and, with `ids`, the ids of the people in the t-th frame."""
    height, rows = canvas.shape[0], poses.at(t).tolist()
    bodies = [to_canvas(poses.camera(t).project(poses.joints[row, poses.chosen[row]])) for row in rows]
    for row, xy in zip(rows, bodies, strict=True):
        unsure = is_doubtful(poses, row)
        draw_bones(canvas, xy, poses.skeleton, line_width(height), seen=seen[row], doubtful=unsure)
    for row in np.flatnonzero(keypoints.frame_numbers[keypoints.frame] == poses.frame_numbers[t]):
        xy = np.where(keypoints.confidence[row, :, None] > 0, to_canvas(keypoints.xy[row]), np.nan)
        draw_dots(canvas, xy, keypoints.skeleton, dot_radius(height), keypoints.confidence[row])
    for row, xy in zip(rows, bodies, strict=True):
        draw_name(canvas, xy, poses, row, text_size(height), ids)


def is_doubtful(poses: Poses, row: int) -> bool:
    """Whether a pose is drawn as doubtful: one that fills a gap is drawn as such."""
    return bool(poses.doubtful[row] and not poses.filled[row])


def draw_name(image: Canvas, xy: Float[ndarray, "j 2"], poses: Poses, row: int, size: int, ids: bool = True) -> None:
    """Draw the person's id, with `ids`, next to the head, with a mark if the pose is interpolated or doubtful."""
    track = poses.track[row]
    mark = FILLED if poses.filled[row] else DOUBTFUL if is_doubtful(poses, row) else ""
    if not (text := f"{track if ids else ''} {mark}".strip()):
        return
    colour = track_colour(int(np.searchsorted(poses.track_ids, track)))
    draw_label(image, xy, poses.skeleton, text, size, colour)
