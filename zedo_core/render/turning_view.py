"""A 3D panel that rotates while the clip plays: the people upright on the floor, seen slightly from above."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from zedo_core.motions.upright import Upright, upright
from zedo_core.render.draw import Canvas
from zedo_core.render.side_view import SideView, View, free_area, side_rotation
from zedo_core.types import Poses

TURN_S = 12.0  # duration of a full turn

_Y_DOWN = np.array([1.0, -1.0, -1.0])  # from y up and z towards the viewer to the panel's y down and z away
_MARGIN_M = 0.7  # floor shown around the people
_MIN_M = 0.5
_CLOSE_TURN = math.radians(30)  # between the front and the side
_DEFAULT_BOX_M = np.array([[-1.0, -1.8, -1.0], [1.0, 0.0, 1.0]])  # shown when there are no poses


class TurningView(SideView):
    """Draws the panel for each frame of `poses` at an angle that increases with time."""

    def __init__(self, poses: Poses, seen: Bool[ndarray, "n j"], size: tuple[int, int], *, legend: bool = True) -> None:
        super().__init__(levelled(poses), seen, size, legend=legend)

    def draw_at(self, t: int, time_s: float) -> Canvas:
        """The panel for the t-th frame, `time_s` after the first."""
        return self._draw_turned(t, self._best, 2 * math.pi * time_s / TURN_S)

    def draw_close(self, t: int) -> Canvas:
        """The panel for the t-th frame, fitted to its people, at a fixed angle."""
        return self._draw_turned(t, self._best[self._poses.at(t)], _CLOSE_TURN)

    def _draw_turned(self, t: int, bodies: Float[ndarray, "n j 3"], turn: float) -> Canvas:
        self._view = fit_turning(bodies.reshape(-1, 3), self._size, turn, self._rows)
        self._empty = self._background()
        return self.draw(t)

    def _draw_axes(self, image: Canvas) -> None:
        """Draw no axes, since they are not the camera's."""


def levelled(poses: Poses) -> Poses:
    """The poses in upright axes with the panel's directions: x right, y down from the floor, z as the camera looks."""
    level = upright(poses)
    joints = level.transform(poses.joints.astype(float), poses.frame) * _Y_DOWN @ _along_the_view(level).T
    return replace(poses, joints=joints)


def level_rotations(poses: Poses) -> Float[ndarray, "t 3 3"]:
    """The rotations from the camera axes of every frame to those of `levelled`."""
    level = upright(poses)
    return _along_the_view(level) @ (_Y_DOWN[:, None] * level.R_up_from_cam)


def _along_the_view(level: Upright) -> Float[ndarray, "3 3"]:
    """The turn about the vertical after which the mean camera looks along z."""
    x, _, z = level.R_up_from_cam[:, :, 2].mean(0) * _Y_DOWN
    heading = math.atan2(x, z)
    c, s = math.cos(heading), math.sin(heading)
    return np.array([[c, 0.0, -s], [0.0, 1.0, 0.0], [s, 0.0, c]])


def fit_turning(points: Float[ndarray, "n 3"], size: tuple[int, int], turn: float, rows: int = 0) -> View:
    """The view of nearly all `points` (y down from the floor) at an angle in radians; the scale is the same for all.

    `rows` are those of the legend above.
    """
    known = points[np.isfinite(points).all(-1)]
    low, high = np.percentile(known, (0.5, 99.5), axis=0) if len(known) else _DEFAULT_BOX_M
    middle_m = (low + high) / 2
    distances = np.linalg.norm((known if len(known) else _DEFAULT_BOX_M)[:, [0, 2]] - middle_m[[0, 2]], axis=-1)
    radius = max(float(np.percentile(distances, 99)), _MIN_M)
    rotation = side_rotation(turn)
    middle, free = free_area(size, rows)
    height = (high[1] - low[1]) * rotation[1, 1] + 2 * radius * abs(rotation[2, 1])
    scale = min(free[0] / (2 * radius), free[1] / max(height, _MIN_M))
    margin = np.array([radius + _MARGIN_M, 0.0, radius + _MARGIN_M])
    return View(
        rotation=rotation,
        scale_px_per_m=float(scale),
        offset_px=middle - (rotation @ middle_m)[:2] * scale,
        ground_m=0.0,
        corners_m=np.stack([middle_m - margin, middle_m + margin]),
    )
