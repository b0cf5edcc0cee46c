"""Parts of pictures that a network sees: crops around people, and tiles in which small people are large enough."""

from __future__ import annotations

import math
from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray

from zedo_core.skeleton import Skeleton

_LEAST_JOINTS = 3  # that say where a crop is
_LEAST_PX = 8
_UPRIGHT = 0.5  # shoulders higher above the hips than this part of their distance to the side: nothing is turned
_TILE_PX = 1024  # pictures of a longer side are searched in tiles
_TILES = 12  # areas of a tile in the largest pictures, which are searched in larger tiles
_SHOULDERS = ("left_shoulder", "right_shoulder")
_HIPS = ("left_hip", "right_hip")


class Part(NamedTuple):
    """A part of a picture in whole pixels; a crop may reach out of the picture."""

    x: int
    y: int
    width: int
    height: int
    turns: int = 0  # to the left, by quarters, before a network sees it

    def in_picture(self, joints: Float[ndarray, "*n 3"], size: tuple[float, float]) -> Float[ndarray, "*n 3"]:
        """Joints [x px, y px, score] in the picture, of [x, y, score] with x and y in parts of a (width, height) in px.

        That size, counted from the corner of the part, is its own, or larger where a network saw padding as well.
        """
        xy = joints[..., :2] * np.array(size) + np.array([self.x, self.y]) - 0.5  # centres of pixels are whole numbers
        return np.concatenate([xy, joints[..., 2:]], axis=-1)


def crop_around(joints: Float[ndarray, "j 3"], skeleton: Skeleton, aspect: float, margin: float) -> Part | None:
    """The part around the joints that are seen for a network of this width / height; None for too few joints.

    The box of the joints is extended to that shape and enlarged by `margin`. The part of somebody who lies or is upside
    down has `turns`.
    """
    xy = joints[joints[:, 2] > 0, :2]
    if len(xy) < _LEAST_JOINTS:
        return None
    low, high, turns = xy.min(0), xy.max(0), _turns(joints, skeleton)
    shape = np.array([aspect, 1.0] if turns % 2 == 0 else [1.0, aspect])
    size = np.maximum(np.round(shape * (margin * ((high - low) / shape).max())), _LEAST_PX)
    x, y, width, height = (int(value) for value in (*np.round((low + high - size) / 2), *size))
    return Part(x, y, width, height, turns)


def _turns(joints: Float[ndarray, "j 3"], skeleton: Skeleton) -> int:
    """Quarter turns to the left after which the head is above the hips, as the networks have mostly seen people."""
    shoulders, hips = joints[skeleton.indices(_SHOULDERS)], joints[skeleton.indices(_HIPS)]
    if not (np.concatenate([shoulders, hips])[:, 2] > 0).all():
        return 0
    x, y = (shoulders - hips).mean(0)[:2]
    return 0 if -y > _UPRIGHT * abs(x) else int(np.round(np.arctan2(x, -y) / (np.pi / 2))) % 4


def resized(
    image: UInt8[ndarray, "h w 3"], part: Part, width: int, height: int, interpolation: int = cv2.INTER_AREA
) -> UInt8[ndarray, "a b 3"]:
    """A part of a picture, black where it reaches out of it, at another size."""
    x, y = max(part.x, 0), max(part.y, 0)
    inside = image[y : max(part.y + part.height, 0), x : max(part.x + part.width, 0)]
    whole = inside
    if inside.shape[:2] != (part.height, part.width):
        whole = np.zeros((part.height, part.width, 3), np.uint8)
        whole[y - part.y :, x - part.x :][: inside.shape[0], : inside.shape[1]] = inside
    return cv2.resize(whole, (width, height), interpolation=interpolation)


def tiles(width: int, height: int) -> list[Part]:
    """Overlapping parts of a large picture in which small people can be found."""
    side = max(_TILE_PX, (width * height / _TILES) ** 0.5)
    (xs, tile_width), (ys, tile_height) = _spans(width, side), _spans(height, side)
    parts = [Part(x, y, tile_width, tile_height) for y in ys for x in xs]
    return parts if len(parts) > 1 else []


def _spans(length: int, side: float) -> tuple[list[int], int]:
    """Where spans begin that cover a length and overlap by a quarter, and how long they are: about `side`."""
    count = 1 + max(math.ceil((length / (1.25 * side) - 1) / 0.75), 0)
    span = math.ceil(length / (1 + 0.75 * (count - 1)))
    return np.linspace(0, length - span, count).round().astype(int).tolist(), span


def quarters(part: Part) -> list[Part]:
    """Four overlapping parts of one."""
    width, height = round(0.6 * part.width), round(0.6 * part.height)
    xs, ys = (part.x, part.x + part.width - width), (part.y, part.y + part.height - height)
    return [Part(x, y, width, height) for y in ys for x in xs]


def surroundings(crop: Part, shape: tuple[int, ...]) -> Part:
    """The part of a picture of this (height, width) where somebody can have got to since they were in a crop."""
    x, y = max(crop.x - crop.width, 0), max(crop.y - crop.height, 0)
    return Part(x, y, min(crop.x + 2 * crop.width, shape[1]) - x, min(crop.y + 2 * crop.height, shape[0]) - y)
