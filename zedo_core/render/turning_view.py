"""The panel of 3D that turns while the clip plays: the people upright on their floor, seen a little from above."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from zedo_core.motions.upright import upright
from zedo_core.render.draw import Canvas
from zedo_core.render.side_view import SideView, View, room_for_people, side_rotation
from zedo_core.types import Poses

TURN_S = 12.0  # of a whole turn

_Y_DOWN = np.array([1.0, -1.0, -1.0])  # from y up and z towards the viewer to the panel's y down and z away
_BEYOND_M = 0.7  # floor shown around the people
_LEAST_M = 0.5
_BETWEEN = math.radians(30)
_NOBODY = np.array([[-1.0, -1.8, -1.0], [1.0, 0.0, 1.0]])


class TurningView(SideView):
    """Draws the panel of each frame of `poses` at an angle that grows with time."""

    def __init__(self, poses: Poses, size: tuple[int, int]) -> None:
        level = levelled(poses)
        super().__init__(level, size)
        self._points: Float[ndarray, "n 3"] = level.best.reshape(-1, 3)

    def draw_at(self, t: int, time_s: float) -> Canvas:
        """The panel of the t-th frame, `time_s` after the first."""
        return self._seen(t, self._points, 2 * math.pi * time_s / TURN_S)

    def draw_close(self, t: int) -> Canvas:
        """The panel of the t-th frame alone: as large as its people allow, from between the front and the side."""
        return self._seen(t, self._poses.best[t].reshape(-1, 3), _BETWEEN)

    def _seen(self, t: int, points: Float[ndarray, "n 3"], turn: float) -> Canvas:
        self._view = fit_turning(points, self._size, turn)
        self._empty = self._background()
        return self.draw(t)

    def _draw_axes(self, image: Canvas) -> None:
        """None: the axes are not the camera's."""


def levelled(poses: Poses) -> Poses:
    """The same poses in upright axes as the panel has them: x right, y down from the floor, z away."""
    return replace(poses, joints=upright(poses).turned(poses.joints.astype(float)) * _Y_DOWN)


def fit_turning(points: Float[ndarray, "n 3"], size: tuple[int, int], turn: float) -> View:
    """The view of nearly all `points` (y down from the floor) at an angle in radians, with the same scale at each."""
    known = points[np.isfinite(points).all(-1)]
    low, high = np.percentile(known, (0.5, 99.5), axis=0) if len(known) else _NOBODY
    middle_m = (low + high) / 2
    across = np.linalg.norm((known if len(known) else _NOBODY)[:, [0, 2]] - middle_m[[0, 2]], axis=-1)
    reach = max(float(np.percentile(across, 99)), _LEAST_M)
    rotation = side_rotation(turn)
    middle, free = room_for_people(size)
    tall = (high[1] - low[1]) * rotation[1, 1] + 2 * reach * abs(rotation[2, 1])
    scale = min(free[0] / (2 * reach), free[1] / max(tall, _LEAST_M))
    out = np.array([reach + _BEYOND_M, 0.0, reach + _BEYOND_M])
    return View(
        rotation=rotation,
        scale_px_per_m=float(scale),
        offset_px=middle - (rotation @ middle_m)[:2] * scale,
        ground_m=0.0,
        corners_m=np.stack([middle_m - out, middle_m + out]),
    )
