"""How a person of a result looks: strong where observed; pale, thin and dashed, and named so, where made up."""

from __future__ import annotations

from jaxtyping import Float
from numpy import ndarray

from zedo_core.render.draw import SIDES, Canvas, Colour, draw_bones, draw_dashes, draw_label, track_colour
from zedo_core.types import Poses

MADE_UP = "made up"  # poses between two frames in which the person was seen
_GREY: Colour = (150, 152, 158)

Place = tuple[int, int]  # frame and column of a person in a result


def draw_person(image: Canvas, xy: Float[ndarray, "j 2"], poses: Poses, place: Place, width: int) -> None:
    """The bones of a person, drawn so that nobody takes made-up ones for observed."""
    if not _is_made_up(poses, place):
        draw_bones(image, xy, poses.skeleton, width)
        return
    for child, parent in poses.skeleton.edges:
        colour = pale(SIDES[poses.skeleton.side(child)])
        draw_dashes(image, xy[child], xy[parent], colour, max(1, width // 2))


def draw_name(image: Canvas, xy: Float[ndarray, "j 2"], poses: Poses, place: Place, size: int) -> None:
    """The person's id beside the head, with a word where the pose is made up."""
    t, column = place
    track = int(poses.tracks(t)[column])
    name = str(poses.track_ids[track])
    text = f"{name} {MADE_UP}" if _is_made_up(poses, place) else name
    draw_label(image, xy, poses.skeleton, text, size, track_colour(track))


def pale(colour: Colour) -> Colour:
    """Half way to grey, as what is made up is drawn."""
    r, g, b = ((part + grey) // 2 for part, grey in zip(colour, _GREY, strict=True))
    return r, g, b


def _is_made_up(poses: Poses, place: Place) -> bool:
    return poses.filled is not None and bool(poses.filled[place])
