"""The panel beside the picture: the people in 3D, seen from the side and a little from above.

The camera's points are turned about the vertical and tilted, without perspective; one scale and one
ground for all people and the whole clip.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float
from numpy import ndarray

from zedo_core.render.draw import (
    BACKGROUND,
    SIDES,
    TEXT,
    Canvas,
    dot_radius,
    draw_bones,
    draw_dashes,
    draw_dot,
    draw_line,
    draw_polygon,
    draw_text,
    line_width,
    text_size,
    text_width,
)
from zedo_core.render.people import MADE_UP, draw_name, draw_person, pale
from zedo_core.types import Poses

_TURN, _TILT = math.radians(65), math.radians(16)
_GHOSTS = 10  # more than these hypotheses beside the chosen one only make a blot
_GHOST_ALPHA = 0.3
_GROUND, _GRID, _SHADOW, _FAINT = (36, 40, 49), (58, 63, 75), (20, 22, 27), (112, 114, 120)
_LEGEND_ROWS, _ROW = 4, 1.5  # rows, and their distance in text sizes
_LEAST_LEGEND_PX = 200  # a lower panel has no room for a legend
_AROUND_M = 0.5  # ground shown around the people
_NOBODY = np.array([[-1.0, -1.0, 3.0], [1.0, 1.0, 5.0]])  # metres; shown when there is no pose at all


@dataclass(frozen=True, kw_only=True)
class View:
    """Camera axes in metres to pixels of the panel."""

    rotation: Float[ndarray, "3 3"]
    scale_px_per_m: float
    offset_px: Float[ndarray, " 2"]
    ground_m: float
    corners_m: Float[ndarray, "2 3"]

    def pixels(self, points_cam: Float[ndarray, "... 3"]) -> Float[ndarray, "... 2"]:
        """Where the points appear."""
        return (points_cam @ self.rotation.T)[..., :2] * self.scale_px_per_m + self.offset_px

    def on_ground(self, points_cam: Float[ndarray, "... 3"]) -> Float[ndarray, "... 3"]:
        """The points of the ground below."""
        return np.stack([points_cam[..., 0], np.full_like(points_cam[..., 1], self.ground_m), points_cam[..., 2]], -1)

    def depth_m(self, points_cam: Float[ndarray, "j 3"]) -> float:
        """Mean distance into the panel."""
        return float(np.nanmean(points_cam @ self.rotation[2]))


def fit_view(points_cam: Float[ndarray, "n 3"], size: tuple[int, int]) -> View:
    """The view that holds nearly all `points_cam` (NaN are left out) in a panel of `size` (width, height) pixels."""
    points = points_cam[np.isfinite(points_cam).all(-1)]
    low, high = np.percentile(points, (0.5, 99.5), axis=0) if len(points) else _NOBODY
    around = np.array([_AROUND_M, 0.0, _AROUND_M])
    corners = np.stack([low - around, high + around])
    rotation = side_rotation()
    box = np.array([[corners[i, 0], corners[j, 1], corners[k, 2]] for i in (0, 1) for j in (0, 1) for k in (0, 1)])
    shown = (box @ rotation.T)[:, :2]
    extent = np.maximum(np.ptp(shown, axis=0), 0.5)
    middle, free = room_for_people(size)
    scale = float((free / extent).min())
    offset = middle - (shown.min(0) + shown.max(0)) / 2 * scale
    return View(rotation=rotation, scale_px_per_m=scale, offset_px=offset, ground_m=float(high[1]), corners_m=corners)


def room_for_people(size: tuple[int, int]) -> tuple[Float[ndarray, " 2"], Float[ndarray, " 2"]]:
    """Middle and extent in pixels of what legend and scale bar leave free."""
    text = text_size(size[1])
    top = min((_LEGEND_ROWS * _ROW + 1.5) * text, 0.3 * size[1])
    bottom = min(3.5 * text, 0.15 * size[1])
    free = np.array([0.92 * size[0], size[1] - top - bottom])
    return np.array([size[0] / 2, top + free[1] / 2]), free


def side_rotation(turn: float = _TURN) -> Float[ndarray, "3 3"]:
    """Panel axes (right, down, into the panel) from camera axes: a turn about y in radians, then a tilt."""
    c, s = math.cos(turn), math.sin(turn)
    turned = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
    c, s = math.cos(_TILT), math.sin(_TILT)
    return np.array([[1, 0, 0], [0, c, -s], [0, s, c]]) @ turned


class SideView:
    """Draws the panel of each frame of `poses`."""

    def __init__(self, poses: Poses, size: tuple[int, int]) -> None:
        self._poses = poses
        self._size = size
        self._view = fit_view(poses.best.reshape(-1, 3), size)
        self._width, self._text = line_width(size[1]), text_size(size[1])
        self._empty = self._background()

    def draw(self, t: int) -> Canvas:
        """The panel of the t-th frame."""
        image = self._empty.copy()
        joints, chosen = self._poses.joints[t], self._poses.chosen[t]
        people = [p for p in np.flatnonzero(chosen >= 0).tolist() if np.isfinite(joints[p, chosen[p]]).any()]
        people.sort(key=lambda p: -self._view.depth_m(joints[p, chosen[p]]))
        for p in people:
            self._draw_shadow(image, joints[p, chosen[p]])
        for p in people:
            self._draw_ghosts(image, t, p)
            xy = self._view.pixels(joints[p, chosen[p]])
            draw_person(image, xy, self._poses, (t, p), self._width)
            draw_name(image, xy, self._poses, (t, p), self._text)
        return image

    def _draw_shadow(self, image: Canvas, joints: Float[ndarray, "j 3"]) -> None:
        xy = self._view.pixels(self._view.on_ground(joints))
        for child, parent in self._poses.skeleton.edges:
            draw_line(image, xy[child], xy[parent], _SHADOW, 2 * self._width)

    def _draw_ghosts(self, image: Canvas, t: int, p: int) -> None:
        """The best of the hypotheses that were not chosen, faintly."""
        order = np.argsort(-self._poses.score[t, p], kind="stable")
        ghosts = order[order != self._poses.chosen[t, p]][:_GHOSTS]
        if not len(ghosts):
            return
        layer = image.copy()
        for h in ghosts:
            xy = self._view.pixels(self._poses.joints[t, p, h])
            draw_bones(layer, xy, self._poses.skeleton, max(1, self._width // 2), outline=False)
        cv2.addWeighted(layer, _GHOST_ALPHA, image, 1 - _GHOST_ALPHA, 0, dst=image)

    def _background(self) -> Canvas:
        size = self._size
        image = np.full((size[1], size[0], 3), BACKGROUND, np.uint8)
        image[:, :1] = _GRID
        self._draw_ground(image)
        self._draw_scale_bar(image)
        if size[1] >= _LEAST_LEGEND_PX:
            self._draw_legend(image)
            self._draw_axes(image)
        return image

    def _draw_ground(self, image: Canvas) -> None:
        (x0, _, z0), (x1, _, z1) = self._view.corners_m
        y, pixels = self._view.ground_m, self._view.pixels
        draw_polygon(image, pixels(np.array([[x0, y, z0], [x1, y, z0], [x1, y, z1], [x0, y, z1]])), _GROUND)
        step = nice_below(max(x1 - x0, z1 - z0) / 5)
        for x in np.arange(math.ceil(x0 / step) * step, x1, step):
            draw_line(image, pixels(np.array([x, y, z0])), pixels(np.array([x, y, z1])), _GRID, 1)
        for z in np.arange(math.ceil(z0 / step) * step, z1, step):
            draw_line(image, pixels(np.array([x0, y, z])), pixels(np.array([x1, y, z])), _GRID, 1)

    def _draw_legend(self, image: Canvas) -> None:
        size, width = self._text, self._width
        others = min(self._poses.joints.shape[2] - 1, _GHOSTS)
        lines = [(0, 0.0, "left", SIDES["left"], width), (0, 5.0, "right", SIDES["right"], width)]
        lines.append((1, 0.0, "chosen hypothesis", SIDES["centre"], width))
        if others:
            lines.append((2, 0.0, "other hypothesis" if others == 1 else f"{others} other hypotheses", _FAINT, 1))
        for row, indent, name, colour, thickness in lines:
            x, y = (0.8 + indent) * size, (1.2 + _ROW * row) * size
            draw_line(image, np.array([x, y]), np.array([x + 1.4 * size, y]), colour, thickness)
            draw_text(image, name, (x + 2.0 * size, y), size)
        y = (1.2 + _ROW * lines[-1][0] + _ROW) * size
        draw_dot(image, np.array([1.5 * size, y]), SIDES["centre"], dot_radius(image.shape[0]))
        draw_text(image, "2D keypoint", (2.8 * size, y), size)
        if self._poses.is_filled.any():
            y += _ROW * size
            start, end = np.array([0.8 * size, y]), np.array([2.2 * size, y])
            draw_dashes(image, start, end, pale(SIDES["centre"]), max(1, width // 2))
            draw_text(image, f"{MADE_UP} between two frames", (2.8 * size, y), size)

    def _draw_scale_bar(self, image: Canvas) -> None:
        height, width = image.shape[:2]
        length_m = nice_below(0.3 * width / self._view.scale_px_per_m)
        end = np.array([width - 0.8 * self._text, height - 1.0 * self._text])
        start = end - (length_m * self._view.scale_px_per_m, 0)
        tick = np.array([0, 0.35 * self._text])
        for a, b in ((start, end), (start - tick, start + tick), (end - tick, end + tick)):
            draw_line(image, a, b, TEXT, max(1, self._width // 2))
        text = f"{length_m:g} m"
        x = (start[0] + end[0] - text_width(text, self._text)) / 2
        draw_text(image, text, (x, end[1] - 1.1 * self._text), self._text)

    def _draw_axes(self, image: Canvas) -> None:
        """The camera's axes, as the panel sees them."""
        size = self._text
        origin = np.array([1.2 * size, image.shape[0] - 4.2 * size])
        for name, axis in zip("xyz", self._view.rotation.T, strict=True):
            tip = origin + 2.6 * size * axis[:2]
            draw_line(image, origin, tip, TEXT, max(1, self._width // 2))
            letter = origin + 3.3 * size * axis[:2]
            draw_text(image, name, (letter[0] - text_width(name, size) / 2, letter[1]), size)


def nice_below(length: float) -> float:
    """The largest of 1, 2, 5 times a power of ten that is not above `length` (> 0)."""
    power = 10.0 ** math.floor(math.log10(length))
    return next(m * power for m in (5, 2, 1) if m * power <= length * (1 + 1e-9))
