"""Anti-aliased drawing on RGB arrays: bones, dots, text. All functions draw on the given image in place.

Positions are (x, y) in pixels with subpixel precision, so that motion does not jitter; NaN and positions far outside
are skipped.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8
from numpy import ndarray
from PIL import Image, ImageDraw, ImageFont

from zedo_core.skeleton import Skeleton

Colour = tuple[int, int, int]
Canvas = UInt8[ndarray, "height width 3"]

SIDES: dict[str, Colour] = {"left": (72, 168, 255), "right": (255, 128, 72), "centre": (236, 238, 242)}
BACKGROUND: Colour = (22, 24, 30)
OUTLINE: Colour = (10, 11, 14)
DOUBT: Colour = (255, 92, 141)  # around poses that are not to be trusted, as on the page
TEXT: Colour = (214, 218, 226)
LOW_CONFIDENCE = 0.5  # keypoints below are drawn pale: as likely wrong as right
_GREY: Colour = (150, 152, 158)
_TRACKS: tuple[Colour, ...] = (
    (255, 214, 92),
    (128, 222, 164),
    (206, 164, 255),
    (255, 150, 170),
    (120, 220, 232),
    (222, 196, 160),
)

_HEADS = ("head_top", "nose", "neck_nose", "neck", "thorax")
_FULL_HEIGHT = "lg"  # an ascender and a descender: all texts have this height, so that they share a baseline
_SHIFT = 4  # fractional bits of OpenCV's fixed-point positions
_MAX_PX = 50_000.0


def track_colour(person: int) -> Colour:
    """The colour of the n-th track's label."""
    return _TRACKS[person % len(_TRACKS)]


def line_width(height: int) -> int:
    """Width of a bone in pixels for an image of `height` pixels."""
    return max(2, round(height / 270))


def dot_radius(height: int) -> float:
    """Radius of a keypoint in pixels for an image of `height` pixels."""
    return 1.3 * line_width(height)


def text_size(height: int) -> int:
    """Font size in pixels for an image of `height` pixels."""
    return max(10, round(height / 46))


def drawable(xy: Float[ndarray, "*n 2"]) -> Bool[ndarray, " *n"]:
    """Which positions are finite and near enough to be drawn."""
    return np.asarray((np.abs(xy) < _MAX_PX).all(-1))


def draw_line(image: Canvas, start: ndarray, end: ndarray, colour: Colour, width: int) -> None:
    """Draw a line between two positions."""
    if drawable(np.stack([start, end])).all():
        cv2.line(image, _fixed_point(start), _fixed_point(end), colour, width, cv2.LINE_AA, _SHIFT)


def draw_dashes(image: Canvas, start: ndarray, end: ndarray, colour: Colour, width: int) -> None:
    """Draw a dashed line; dashes and gaps are about three widths long, with a dash at either end."""
    if not drawable(np.stack([start, end])).all():
        return
    dashes = max(1, round(float(np.linalg.norm(end - start)) / (6 * width) + 0.5))
    ends = np.linspace(start, end, 2 * dashes)
    for a, b in zip(ends[::2], ends[1::2], strict=True):
        cv2.line(image, _fixed_point(a), _fixed_point(b), colour, width, cv2.LINE_AA, _SHIFT)


def draw_bones(
    image: Canvas,
    xy: Float[ndarray, "j 2"],
    skeleton: Skeleton,
    width: int,
    outline: bool = True,
    seen: Bool[ndarray, " j"] | None = None,
    doubtful: bool = False,
) -> None:
    """Draw the bones of a person, coloured by side, with an outline; thin, pale and dashed at joints not `seen`.

    A `doubtful` person is pale with a wide outline in the colour of doubt.
    """
    solid, dashed = [], []
    for child, parent in skeleton.edges:
        colour = SIDES[skeleton.side(child)]
        bone = xy[child], xy[parent], pale(colour) if doubtful else colour
        (solid if seen is None or (seen[child] and seen[parent]) else dashed).append(bone)
    for start, end, _ in solid if outline else ():
        draw_outline(image, start, end, width, doubtful)
    for start, end, colour in dashed:
        draw_dashes(image, start, end, pale(colour), (width + 1) // 2)
    for start, end, colour in solid:
        draw_line(image, start, end, colour, width)


def draw_outline(image: Canvas, start: ndarray, end: ndarray, width: int, doubtful: bool) -> None:
    """Draw what is seen around a bone of this width."""
    rim = max(1, width // 3) * (2 if doubtful else 1)
    draw_line(image, start, end, DOUBT if doubtful else OUTLINE, width + 2 * rim)


def draw_dots(
    image: Canvas,
    xy: Float[ndarray, "j 2"],
    skeleton: Skeleton,
    radius: float,
    confidence: Float[ndarray, " j"] | None = None,
) -> None:
    """Draw the joints of a person, coloured by side; pale where the `confidence` is low."""
    for joint in np.flatnonzero(drawable(xy)).tolist():
        colour = SIDES[skeleton.side(joint)]
        low = confidence is not None and confidence[joint] < LOW_CONFIDENCE
        draw_dot(image, xy[joint], pale(colour) if low else colour, radius)


def pale(colour: Colour) -> Colour:
    """A colour halfway to grey, for what is not sure."""
    r, g, b = ((part + grey) // 2 for part, grey in zip(colour, _GREY, strict=True))
    return r, g, b


def draw_dot(image: Canvas, at: ndarray, colour: Colour, radius: float) -> None:
    """Draw a disc with a dark outline."""
    for paint, size in ((OUTLINE, radius * 1.4), (colour, radius)):
        cv2.circle(image, _fixed_point(at), round(size * (1 << _SHIFT)), paint, -1, cv2.LINE_AA, _SHIFT)


def draw_polygon(image: Canvas, corners: Float[ndarray, "n 2"], colour: Colour) -> None:
    """Draw a filled polygon."""
    if drawable(corners).all():
        points = np.round(corners * (1 << _SHIFT)).astype(np.int32)
        cv2.fillConvexPoly(image, points, colour, cv2.LINE_AA, _SHIFT)


def draw_text(image: Canvas, text: str, at: tuple[float, float], size: int, colour: Colour = TEXT) -> None:
    """Draw text that starts at `at` and is vertically centred there."""
    mask = _text_mask(text, size)
    x, y = round(at[0]), round(at[1] - mask.shape[0] / 2)
    _blend(image, mask, (x, y), colour)


def text_width(text: str, size: int) -> int:
    """Width of a text in pixels."""
    return _text_mask(text, size).shape[1]


def draw_label(
    image: Canvas, xy: Float[ndarray, "j 2"], skeleton: Skeleton, text: str, size: int, colour: Colour
) -> None:
    """Draw a coloured box with `text`, such as a track id, next to the head, but always within the image."""
    joints = [*(skeleton.index(name) for name in _HEADS if name in skeleton.joints), *range(len(skeleton))]
    head = next((xy[joint] for joint in joints if drawable(xy[joint])), None)
    if head is None:
        return
    pad = size // 3
    wide, tall = text_width(text, size) + 2 * pad, size // 2 + pad // 2  # its width, and half of its height
    x = max(0, min(round(head[0] + size), image.shape[1] - wide - 1))
    y = max(tall, min(round(head[1] - 0.8 * size), image.shape[0] - tall - 1))
    cv2.rectangle(image, (x, y - tall), (x + wide, y + tall), colour, -1, cv2.LINE_AA)
    draw_text(image, text, (x + pad, y), size, OUTLINE)


def _fixed_point(xy: ndarray) -> tuple[int, int]:
    return round(float(xy[0]) * (1 << _SHIFT)), round(float(xy[1]) * (1 << _SHIFT))


@lru_cache(maxsize=256)
def _text_mask(text: str, size: int) -> UInt8[ndarray, "height width"]:
    """Coverage 0..255 of a line of text."""
    font = ImageFont.load_default(size)
    measure = ImageDraw.Draw(Image.new("L", (1, 1))).textbbox
    right = measure((0, 0), text, font=font)[2]
    _, top, _, bottom = measure((0, 0), _FULL_HEIGHT, font=font)
    mask = Image.new("L", (max(1, round(right)), max(1, round(bottom - top))))
    ImageDraw.Draw(mask).text((0, -top), text, fill=255, font=font)
    return np.asarray(mask)


def _blend(image: Canvas, mask: UInt8[ndarray, "h w"], at: tuple[int, int], colour: Colour) -> None:
    """Paint `colour` through `mask`, clipped to the image."""
    x, y = at
    top, left = max(0, -y), max(0, -x)
    area = image[max(0, y) : max(0, y + mask.shape[0]), max(0, x) : max(0, x + mask.shape[1])]
    alpha = mask[top : top + area.shape[0], left : left + area.shape[1], None] / 255.0
    area[:] = np.round(area + (np.asarray(colour) - area) * alpha)
