"""Cells of the steps of a method to a person's poses: keypoints, poses after some steps, the result, and the truth."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int, UInt8
from numpy import ndarray

from zedo_core.methods import Steps
from zedo_core.render.draw import (
    BACKGROUND,
    SIDES,
    draw_bones,
    draw_dots,
    draw_line,
    draw_text,
    text_width,
)
from zedo_core.render.people import seen_joints
from zedo_core.render.side_view import side_rotation
from zedo_core.render.turning_view import level_rotations
from zedo_core.skeleton import pelvis_joints
from zedo_core.types import Frame, Keypoints, Poses, same_rows

if TYPE_CHECKING:
    from zedo_core.source import Source

Image = UInt8[ndarray, "_ _ 3"]

_COLUMNS = 5  # steps in a row of cells
_AROUND = 1.35  # side of the cut-out, relative to the person


@dataclass(frozen=True, kw_only=True)
class StepsView:
    """The poses in `rows` of a result, all of one person, and the steps to them; `truth` in metres in camera axes, NaN
    where it is not known."""

    poses: Poses
    keypoints: Keypoints
    source: Source | None
    rows: Int[ndarray, " n"]
    steps: Steps
    truth: Float[ndarray, "n j 3"] | None = None

    @property
    def titles(self) -> tuple[str, ...]:
        """Of the cells in a row."""
        return ("2D keypoints", *(self.steps.names[k] for k in self.shown), *self.ends)

    @property
    def ends(self) -> tuple[str, ...]:
        """The last titles."""
        return ("result",) if self.truth is None else ("result", "truth")

    @cached_property
    def shown(self) -> list[int]:
        """The steps in a row of cells, evenly spaced."""
        count = len(self.steps.names)
        return np.unique(np.linspace(0, count - 1, min(count, _COLUMNS)).round().astype(int)).tolist()

    @cached_property
    def level(self) -> Float[ndarray, "n c j 3"]:
        """The steps, the result and the truth of every row, relative to the pelvis, upright."""
        bodies = [*self.steps.joints, self.poses.best[self.rows], *(() if self.truth is None else (self.truth,))]
        points = np.stack(bodies, axis=1).astype(float)
        root = points[:, :, pelvis_joints(self.poses.skeleton)].mean(2, keepdims=True)
        R = level_rotations(self.poses)
        R = R[self.poses.frame[self.rows]] if len(R) > 1 else R
        return (points - root) @ R[:, None].swapaxes(-1, -2)

    @cached_property
    def box(self) -> tuple[float, float]:
        """The middle below the pelvis, and half the edge of a cell, in metres, so that the last poses fit."""
        results = self.level[:, len(self.steps.names) - 1 :].reshape(-1, 3)
        results = results[np.isfinite(results).all(-1)]
        if not len(results):
            return 0.0, 1.0
        low, high = results.min(0), results.max(0)
        return (low[1] + high[1]) / 2, max(0.5, 0.6 * (high[1] - low[1]), float(np.abs(results[:, [0, 2]]).max()))

    def error_mm(self, i: int) -> float | None:
        """MPJPE of the i-th result, over the joints whose truth is known; None without."""
        if self.truth is None:
            return None
        found, true = self.level[i, -2:]
        off = np.linalg.norm(found - true, axis=-1)
        return 1000 * float(np.nanmean(off)) if np.isfinite(off).any() else None


class Cells:
    """Draws square cells of `size` pixels."""

    def __init__(self, view: StepsView, size: int) -> None:
        self._view, self._size, self._text = view, size, max(11, size // 20)
        self._seen = seen_joints(view.poses, view.keypoints)[view.rows]
        mine, theirs = same_rows(view.poses.take(view.rows), view.keypoints)
        self._keypoints: Mapping[int, int] = dict(zip(mine.tolist(), theirs.tolist(), strict=True))

    @cached_property
    def title(self) -> Image:
        """The method and the person, and which colour is left and which right."""
        view, size = self._view, self._text
        strip = self._strip(len(view.titles))
        record, y = view.poses.provenance, strip.shape[0] // 2
        draw_text(
            strip, f"{record.method} ({record.weights}), person {view.poses.track[view.rows[0]]}", (size, y), size
        )
        x = strip.shape[1] - 12 * size
        for name in ("left", "right"):
            draw_line(strip, np.array([x, y]), np.array([x + 1.4 * size, y]), SIDES[name], max(2, size // 5))
            draw_text(strip, name, (x + 1.9 * size, y), size)
            x += 5.5 * size
        return strip

    @cached_property
    def header(self) -> Image:
        """The titles of the cells."""
        return self._captions(self._view.titles)

    def around(self, i: int | slice) -> tuple[float, float, float]:
        """Left, top and side in pixels of a square around the person in one row or in several."""
        rows = [self._keypoints[k] for k in np.atleast_1d(np.arange(len(self._view.rows))[i]).tolist()]
        xy = self._view.keypoints.xy[rows][self._view.keypoints.confidence[rows] > 0]
        low, high = xy.min(0), xy.max(0)
        side = max(float((high - low).max()) * _AROUND, 8.0)
        left, top = (low + high) / 2 - side / 2
        return float(left), float(top), side

    def row(self, i: int, frame: Frame, turn: float, around: tuple[float, float, float]) -> Image:
        """Keypoints, steps, result and truth of the i-th row, with captions below."""
        cells = [self._input(i, frame, around), *(self._body(self._view.level[i, k], turn) for k in self._view.shown)]
        captions = [self._when(frame), *("" for _ in self._view.shown)]
        return self._with_ends(i, cells, captions, turn)

    def moment(self, frame: Frame, step: float, turn: float) -> Image:
        """The only row at a step or between two: the input, the pose, result and truth."""
        view, last = self._view, len(self._view.steps.names) - 1
        k = min(int(step), max(last - 1, 0))
        pose = view.level[0, k] + (step - k) * (view.level[0, min(k + 1, last)] - view.level[0, k])
        cells = [self._input(0, frame, self.around(0)), self._body(pose, turn)]
        names = [view.titles[0], view.steps.names[min(int(step + 0.5), last)], *view.ends]
        row = self._with_ends(0, cells, [self._when(frame), ""], turn)
        return np.vstack([self._captions(names), row])

    def _with_ends(self, i: int, cells: list[Image], captions: list[str], turn: float) -> Image:
        """The cells followed by the result and the truth, with captions below."""
        result, *truth = self._view.level[i, len(self._view.steps.names) :]
        error = self._view.error_mm(i)
        cells = [*cells, self._body(result, turn, self._seen[i]), *(self._body(body, turn) for body in truth)]
        captions = [*captions, "" if error is None else f"MPJPE {error:.0f} mm", *("" for _ in truth)]
        return np.vstack([np.hstack(cells), self._captions(captions)])

    def _when(self, frame: Frame) -> str:
        return f"frame {frame.number}   {frame.time_s:.2f} s"

    def _input(self, i: int, frame: Frame, around: tuple[float, float, float]) -> Image:
        """The person's part of the picture with the keypoints."""
        (left, top, side), size = around, self._size
        cell, scale = _cut_out(frame.image, around, size), size / side
        keypoints, row = self._view.keypoints, self._keypoints[i]
        confidence = keypoints.confidence[row]
        at = (keypoints.xy[row] - (left, top) + 0.5) * scale - 0.5
        xy = np.where(confidence[:, None] > 0, at, np.nan)
        draw_bones(cell, xy, keypoints.skeleton, max(1, size // 150))
        draw_dots(cell, xy, keypoints.skeleton, max(1.5, size / 110), confidence)
        cell[:, -1:] = BACKGROUND
        return cell

    def _body(self, joints: Float[ndarray, "j 3"], turn: float, seen: Bool[ndarray, " j"] | None = None) -> Image:
        """A body at an angle in radians about the vertical."""
        size, (middle_m, half_m) = self._size, self._view.box
        cell = np.full((size, size, 3), BACKGROUND, np.uint8)
        xy = ((joints - (0.0, middle_m, 0.0)) @ side_rotation(turn).T)[:, :2] * (size / 2 / half_m) + size / 2
        draw_bones(cell, xy, self._view.poses.skeleton, max(2, size // 90), seen=seen)
        return cell

    def _strip(self, cells: int) -> Image:
        return np.full((2 * self._text + self._text % 2, cells * self._size, 3), BACKGROUND, np.uint8)

    def _captions(self, texts: Sequence[str]) -> Image:
        """A text in the middle of each cell."""
        strip = self._strip(len(texts))
        for i, text in enumerate(texts):
            x = (i + 0.5) * self._size - text_width(text, self._text) / 2
            draw_text(strip, text, (x, strip.shape[0] / 2), self._text)
        return strip


def _cut_out(image: Image, around: tuple[float, float, float], size: int) -> Image:
    """A square of the picture in `size` pixels, dark where the picture ends."""
    cell = np.full((size, size, 3), BACKGROUND, np.uint8)
    (left, top, side), (height, width) = around, image.shape[:2]
    x, y = ([max(math.floor(low), 0), min(math.ceil(low + side), end)] for low, end in ((left, width), (top, height)))
    if x[0] < x[1] and y[0] < y[1]:
        to_x, to_y = (np.round((np.array(ends) - low) * size / side).astype(int) for ends, low in ((x, left), (y, top)))
        shape = max(1, to_x[1] - to_x[0]), max(1, to_y[1] - to_y[0])
        part = cv2.resize(image[y[0] : y[1], x[0] : x[1]], shape, interpolation=cv2.INTER_AREA)
        to_x, to_y = to_x[0] + np.arange(shape[0]), to_y[0] + np.arange(shape[1])
        in_x, in_y = (to_x >= 0) & (to_x < size), (to_y >= 0) & (to_y < size)
        cell[np.ix_(to_y[in_y], to_x[in_x])] = part[np.ix_(in_y, in_x)]
    return cell
