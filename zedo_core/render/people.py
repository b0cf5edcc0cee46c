"""Drawing the people of a frame: interpolated poses are pale, thin, dashed and labelled."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from zedo_core.render.draw import (
    SIDES,
    Canvas,
    Colour,
    dot_radius,
    draw_bones,
    draw_dashes,
    draw_dots,
    draw_label,
    line_width,
    text_size,
    track_colour,
)
from zedo_core.types import Keypoints, Poses

FILLED = "interpolated"  # label of poses that fill a gap
_GREY: Colour = (150, 152, 158)

ToCanvas = Callable[[Float[ndarray, "j 2"]], Float[ndarray, "j 2"]]  # from pixels of the input


def draw_people(canvas: Canvas, poses: Poses, t: int, keypoints: Keypoints, to_canvas: ToCanvas) -> None:
    """Draw the projected bones, the keypoints and the ids of the people in the t-th frame."""
    height, rows = canvas.shape[0], poses.at(t).tolist()
    bodies = [to_canvas(poses.camera(t).project(poses.joints[row, poses.chosen[row]])) for row in rows]
    for row, xy in zip(rows, bodies, strict=True):
        draw_person(canvas, xy, poses, row, line_width(height))
    for row in np.flatnonzero(keypoints.frame_numbers[keypoints.frame] == poses.frame_numbers[t]):
        xy = np.where(keypoints.confidence[row, :, None] > 0, to_canvas(keypoints.xy[row]), np.nan)
        draw_dots(canvas, xy, keypoints.skeleton, dot_radius(height))
    for row, xy in zip(rows, bodies, strict=True):
        draw_name(canvas, xy, poses, row, text_size(height))


def draw_person(image: Canvas, xy: Float[ndarray, "j 2"], poses: Poses, row: int, width: int) -> None:
    """Draw the bones of a person; those of interpolated poses are pale, thin and dashed."""
    if not poses.filled[row]:
        draw_bones(image, xy, poses.skeleton, width)
        return
    for child, parent in poses.skeleton.edges:
        colour = pale(SIDES[poses.skeleton.side(child)])
        draw_dashes(image, xy[child], xy[parent], colour, max(1, width // 2))


def draw_name(image: Canvas, xy: Float[ndarray, "j 2"], poses: Poses, row: int, size: int) -> None:
    """Draw the person's id next to the head, with a mark if the pose is interpolated."""
    track = poses.track[row]
    text = f"{track} {FILLED}" if poses.filled[row] else str(track)
    colour = track_colour(int(np.searchsorted(poses.track_ids, track)))
    draw_label(image, xy, poses.skeleton, text, size, colour)


def pale(colour: Colour) -> Colour:
    """A colour halfway to grey, for interpolated poses."""
    r, g, b = ((part + grey) // 2 for part, grey in zip(colour, _GREY, strict=True))
    return r, g, b
