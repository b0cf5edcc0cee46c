"""The panel next to the image: the people in 3D, seen from the side and slightly from above.

Points in camera axes are rotated about the vertical and tilted, without perspective; scale and ground are the same
for all people and the whole clip.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from zedo_core.render.draw import (
    BACKGROUND,
    TEXT,
    Canvas,
    draw_bones,
    draw_line,
    draw_polygon,
    draw_text,
    line_width,
    text_size,
    text_width,
)
from zedo_core.render.legend import MAX_GHOSTS, draw_legend, fitting, legend_height, legend_of, legend_rows
from zedo_core.render.people import draw_name, is_doubtful
from zedo_core.types import Poses

_TURN, _TILT = math.radians(65), math.radians(16)
_GHOST_ALPHA = 0.3
_GROUND, _GRID, _SHADOW = (36, 40, 49), (58, 63, 75), (20, 22, 27)
_MIN_AXES_PX = 200  # smallest height of a panel with axes
_MARGIN_M = 0.5  # ground shown around the people
_DEFAULT_BOX_M = np.array([[-1.0, -1.0, 3.0], [1.0, 1.0, 5.0]])  # shown when there are no poses


@dataclass(frozen=True, kw_only=True)
class View:
    """Transform from camera axes in metres to pixels of the panel."""

    rotation: Float[ndarray, "3 3"]
    scale_px_per_m: float
    offset_px: Float[ndarray, " 2"]
    ground_m: float
    corners_m: Float[ndarray, "2 3"]

    def pixels(self, points_cam: Float[ndarray, "... 3"]) -> Float[ndarray, "... 2"]:
        """Project points to the panel."""
        return (points_cam @ self.rotation.T)[..., :2] * self.scale_px_per_m + self.offset_px

    def on_ground(self, points_cam: Float[ndarray, "... 3"]) -> Float[ndarray, "... 3"]:
        """The points on the ground below."""
        return np.stack([points_cam[..., 0], np.full_like(points_cam[..., 1], self.ground_m), points_cam[..., 2]], -1)

    def depth_m(self, points_cam: Float[ndarray, "j 3"]) -> float:
        """Mean depth in the panel."""
        return float(np.nanmean(points_cam @ self.rotation[2]))


def fit_view(points_cam: Float[ndarray, "n 3"], size: tuple[int, int], rows: int = 0) -> View:
    """The view that fits nearly all `points_cam` (ignoring NaN) into a panel of `size` (width, height) pixels.

    `rows` are those of the legend above.
    """
    points = points_cam[np.isfinite(points_cam).all(-1)]
    low, high = np.percentile(points, (0.5, 99.5), axis=0) if len(points) else _DEFAULT_BOX_M
    margin = np.array([_MARGIN_M, 0.0, _MARGIN_M])
    corners = np.stack([low - margin, high + margin])
    rotation = side_rotation()
    box = np.array([[corners[i, 0], corners[j, 1], corners[k, 2]] for i in (0, 1) for j in (0, 1) for k in (0, 1)])
    rotated = (box @ rotation.T)[:, :2]
    extent = np.maximum(np.ptp(rotated, axis=0), 0.5)
    middle, free = free_area(size, rows)
    scale = float((free / extent).min())
    offset = middle - (rotated.min(0) + rotated.max(0)) / 2 * scale
    return View(rotation=rotation, scale_px_per_m=scale, offset_px=offset, ground_m=float(high[1]), corners_m=corners)


def free_area(size: tuple[int, int], rows: int = 0) -> tuple[Float[ndarray, " 2"], Float[ndarray, " 2"]]:
    """Centre and extent in pixels of the area between a legend with so many rows and the scale bar."""
    text = text_size(size[1])
    top = legend_height(rows, text)
    bottom = min(3.5 * text, 0.15 * size[1])
    free = np.array([0.92 * size[0], size[1] - top - bottom])
    return np.array([size[0] / 2, top + free[1] / 2]), free


def side_rotation(turn: float = _TURN) -> Float[ndarray, "3 3"]:
    """Rotation from camera axes to panel axes (right, down, into the panel): a turn about y in radians, then a tilt."""
    c, s = math.cos(turn), math.sin(turn)
    R_turn = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
    c, s = math.cos(_TILT), math.sin(_TILT)
    return np.array([[1, 0, 0], [0, c, -s], [0, s, c]]) @ R_turn


class SideView:
    """Draws the panel for each frame of `poses`; joints that were not `seen` are dashed.

    `legend` says whether it explains what is drawn, `ids` whether people are labelled by theirs.
    """

    def __init__(
        self,
        poses: Poses,
        seen: Bool[ndarray, "n j"],
        size: tuple[int, int],
        *,
        legend: bool = True,
        ids: bool = True,
    ) -> None:
        self._poses = poses
        self._seen = seen
        self._size = size
        self._ids = ids
        self._best = poses.best
        self._width, self._text = line_width(size[1]), text_size(size[1])
        self._legend = fitting(legend_of(poses, seen, size[1]), size, self._text) if legend else ()
        self._rows = legend_rows(size, self._text) if legend else 0
        self._view = fit_view(self._best.reshape(-1, 3), size, self._rows)
        self._empty = self._background()

    def draw(self, t: int) -> Canvas:
        """The panel for the t-th frame."""
        image = self._empty.copy()
        rows = [row for row in self._poses.at(t).tolist() if np.isfinite(self._best[row]).any()]
        rows.sort(key=lambda row: -self._view.depth_m(self._best[row]))
        for row in rows:
            self._draw_shadow(image, self._best[row])
        for row in rows:
            self._draw_ghosts(image, row)
            xy, unsure = self._view.pixels(self._best[row]), is_doubtful(self._poses, row)
            draw_bones(image, xy, self._poses.skeleton, self._width, seen=self._seen[row], doubtful=unsure)
        width, height = self._covered
        image[:height, :width] = self._empty[:height, :width]  # what lies far off does not cover the legend
        for row in rows:
            draw_name(image, self._view.pixels(self._best[row]), self._poses, row, self._text, self._ids)
        return image

    def _draw_shadow(self, image: Canvas, joints: Float[ndarray, "j 3"]) -> None:
        xy = self._view.pixels(self._view.on_ground(joints))
        for child, parent in self._poses.skeleton.edges:
            draw_line(image, xy[child], xy[parent], _SHADOW, 2 * self._width)

    def _draw_ghosts(self, image: Canvas, row: int) -> None:
        """Draw the best hypotheses besides the chosen one faintly; the first ones if there are no scores."""
        order = np.argsort(-self._poses.score[row], kind="stable")
        ghosts = order[order != self._poses.chosen[row]][:MAX_GHOSTS]
        if not len(ghosts):
            return
        layer = image.copy()
        for h in ghosts:
            xy = self._view.pixels(self._poses.joints[row, h])
            draw_bones(layer, xy, self._poses.skeleton, max(1, self._width // 2), outline=False)
        cv2.addWeighted(layer, _GHOST_ALPHA, image, 1 - _GHOST_ALPHA, 0, dst=image)

    def _background(self) -> Canvas:
        size = self._size
        image = np.full((size[1], size[0], 3), BACKGROUND, np.uint8)
        image[:, :1] = _GRID
        self._draw_ground(image)
        self._draw_scale_bar(image)
        self._covered = draw_legend(image, self._legend, self._text)
        if size[1] >= _MIN_AXES_PX:
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
        """Draw the axes: right, down and away, upright."""
        size = self._text
        origin = np.array([1.2 * size, image.shape[0] - 4.2 * size])
        for name, axis in zip("xyz", self._view.rotation.T, strict=True):
            tip = origin + 2.6 * size * axis[:2]
            draw_line(image, origin, tip, TEXT, max(1, self._width // 2))
            letter = origin + 3.3 * size * axis[:2]
            draw_text(image, name, (letter[0] - text_width(name, size) / 2, letter[1]), size)


def nice_below(length: float) -> float:
    """The largest of 1, 2, 5 times a power of ten that does not exceed `length` (> 0)."""
    power = 10.0 ** math.floor(math.log10(length))
    return next(m * power for m in (5, 2, 1) if m * power <= length * (1 + 1e-9))
