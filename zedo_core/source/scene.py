"""Where a video is cut to another view, and whether its camera moves, from small grey pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray

from zedo_core.types import Frame

_WIDTH = 240  # of the grey pictures in px
_THUMBNAIL = 24, 14  # of those that are compared for cuts
_UNLIKE = 0.4  # correlation with the frame before, under which a frame begins another shot
_CHANGED = 12.0  # and least mean change of its grey values, or noise in the dark would be a cut
_MOVED = 0.02  # of the width, median over the background: more than a tripod gives way or a hand shakes
_FEATURES, _FEWEST = 80, 12
_LOST = 0.5  # share of the features beyond which the background is looked at anew


@dataclass(frozen=True, kw_only=True)
class Scene:
    """Numbers of the frames that begin another shot, and whether the camera moves within one."""

    cuts: tuple[int, ...] = ()
    moves: bool = False

    def within(self, numbers: Sequence[int]) -> Scene:
        """The same of some of the frames, in order."""
        shots = np.searchsorted(self.cuts, numbers, side="right")
        return replace(self, cuts=tuple(np.asarray(numbers, int)[1:][np.diff(shots) > 0].tolist()))


class SceneWatch:
    """Sees the frames of a video one after another: `begins` with each frame, then `see` with its people."""

    def __init__(self) -> None:
        self._grey: UInt8[ndarray, "h w"] | None = None
        self._thumbnail: Float[ndarray, "h w"] | None = None
        self._background: tuple[UInt8[ndarray, "h w"], Float[ndarray, "n 1 2"]] | None = None  # the first, its corners
        self._cuts: list[int] = []
        self._scale = 1.0
        self._moves = False

    @property
    def scene(self) -> Scene:
        """What was found so far."""
        return Scene(cuts=tuple(self._cuts), moves=self._moves)

    def begins(self, frame: Frame) -> bool:
        """Whether this frame begins another shot than the one before it."""
        height, width = frame.image.shape[:2]
        self._scale = _WIDTH / width
        size = _WIDTH, max(round(height * self._scale), 1)
        step = max(width // (2 * _WIDTH), 1)
        grey = np.ascontiguousarray(frame.image[::step, ::step, 1])  # green is near enough
        self._grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
        before, self._thumbnail = (
            self._thumbnail,
            cv2.resize(self._grey, _THUMBNAIL, interpolation=cv2.INTER_AREA) / 1.0,
        )
        if before is None or not _other(before, self._thumbnail):
            return False
        self._background = None
        self._cuts.append(frame.number)
        return True

    def see(self, boxes: Float[ndarray, "p 4"]) -> None:
        """The same frame's people, who are not background."""
        if self._moves or self._grey is None:
            return
        if self._background is None:
            self._background = self._look(boxes)
        if self._background is not None:
            moved = _moved_px(*self._background, self._grey)
            if moved is None:
                self._background = None
            else:
                self._moves = moved > _MOVED * _WIDTH

    def _look(self, boxes: Float[ndarray, "p 4"]) -> tuple[UInt8[ndarray, "h w"], Float[ndarray, "n 1 2"]] | None:
        """The picture with its corners outside the boxes; None when there are too few."""
        assert self._grey is not None
        mask = np.full(self._grey.shape, 255, np.uint8)
        for x1, y1, x2, y2 in (boxes * self._scale).round().astype(int).tolist():
            mask[max(y1, 0) : max(y2, 0), max(x1, 0) : max(x2, 0)] = 0
        corners = cv2.goodFeaturesToTrack(self._grey, _FEATURES, 0.02, 5, mask=mask)
        return None if corners is None or len(corners) < _FEWEST else (self._grey, corners)


def _other(before: Float[ndarray, "h w"], now: Float[ndarray, "h w"]) -> bool:
    """Whether two pictures show different views."""
    if np.abs(before - now).mean() < _CHANGED:
        return False
    a, b = before - before.mean(), now - now.mean()
    return float((a * b).sum()) < _UNLIKE * float(np.sqrt((a**2).sum() * (b**2).sum()))


def _moved_px(
    first: UInt8[ndarray, "h w"], corners: Float[ndarray, "n 1 2"], now: UInt8[ndarray, "h w"]
) -> float | None:
    """Median distance of the corners from their first places; None when most of them are lost."""
    if first.shape != now.shape:
        return None
    places, found, _ = cv2.calcOpticalFlowPyrLK(
        first, now, corners, np.empty_like(corners), winSize=(15, 15), maxLevel=3
    )
    kept = found.ravel() > 0
    if kept.mean() < _LOST:
        return None
    return float(np.median(np.linalg.norm((places - corners)[kept, 0], axis=-1)))
