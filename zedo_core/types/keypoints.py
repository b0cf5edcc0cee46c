"""2D keypoints of tracked people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from zedo_core.camera import Camera
from zedo_core.errors import InputError
from zedo_core.skeleton import Skeleton, conversion
from zedo_core.types.rows import Rows, apply_cameras, in_order
from zedo_core.types.tables import as_dataframe, long_table, picture

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True, kw_only=True, eq=False)
class DenseKeypoints:
    """Keypoints as arrays over all frames and people; 0 where a joint was not seen or a person is absent."""

    xy: Float[ndarray, "t p j 2"]
    confidence: Float[ndarray, "t p j"]
    track_ids: Int[ndarray, " p"]

    @property
    def present(self) -> Bool[ndarray, "t p"]:
        """Where a person was seen."""
        return np.any(self.confidence > 0, axis=-1)


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Keypoints(Rows):
    """2D keypoints of one or more tracked people, one row per person and frame.

    `xy` in pixels; `confidence` in 0..1, where 0 means that the joint was not seen (its `xy` is then 0). `image_sizes`
    holds (width, height), once for all frames or once per frame.
    """

    xy: Float[ndarray, "n j 2"]
    confidence: Float[ndarray, "n j"]
    image_sizes: tuple[tuple[int, int], ...] | None = None

    PER_ROW: ClassVar[tuple[str, ...]] = ("frame", "track", "xy", "confidence")

    def __post_init__(self) -> None:
        super().__post_init__()
        n, j, t = len(self.frame), len(self.skeleton), len(self.frame_numbers)
        if self.xy.shape != (n, j, 2) or self.confidence.shape != (n, j):
            raise InputError(
                f"keypoints: expected xy (n, {j}, 2) and confidence (n, {j}) of {n} rows of {self.skeleton.name}, got "
                f"{self.xy.shape} and {self.confidence.shape}"
            )
        if self.fps is not None and not (np.isfinite(self.fps) and self.fps > 0):
            raise InputError(f"keypoints: expected a frame rate above 0, got {self.fps}")
        if self.image_sizes is not None and len(self.image_sizes) not in (1, t):
            raise InputError(f"keypoints: expected 1 or {t} image sizes, got {len(self.image_sizes)}")
        self._check_values()

    def _check_values(self) -> None:
        bad = ~(np.isfinite(self.xy).all(-1) & np.isfinite(self.confidence))
        if bad.any():
            row, joint = np.argwhere(bad)[0]
            raise InputError(
                f"keypoints: frame {self.frame_numbers[self.frame[row]]}, person {self.track[row]}, joint "
                f"{self.skeleton.joints[joint]} is not a finite number; mark a missing joint by confidence 0"
            )
        if (self.confidence < 0).any() or (self.confidence > 1).any():
            worst = self.confidence.flat[np.abs(self.confidence - 0.5).argmax()]
            raise InputError(f"keypoints: confidences must lie in 0..1, found {worst:g}")

    @classmethod
    def from_dense(
        cls,
        xy: Float[ndarray, "t p j 2"],
        confidence: Float[ndarray, "t p j"],
        skeleton: Skeleton,
        *,
        frame_numbers: Int[ndarray, " t"] | None = None,
        track_ids: Int[ndarray, " p"] | None = None,
        **more: Any,
    ) -> Keypoints:
        """Keypoints from arrays over frames and people; a person without any confidence above 0 is absent.

        Frames and people are numbered from 0 by default. `more` are further fields. InputError when shapes or values
        are not valid.
        """
        if xy.ndim != 4 or confidence.shape != xy.shape[:3]:
            raise InputError(f"keypoints: expected xy (t, p, j, 2) and confidence (t, p, j), got {xy.shape} and "
                             f"{confidence.shape}")  # fmt: skip
        t, p = xy.shape[:2]
        ids = np.arange(p) if track_ids is None else np.asarray(track_ids)
        if ids.shape != (p,):
            raise InputError(f"keypoints: expected {p} track ids, got {ids.shape}")
        frame, column = np.nonzero((confidence != 0).any(-1))
        rows = in_order(frame=frame, track=ids[column], xy=xy[frame, column], confidence=confidence[frame, column])
        numbers = np.arange(t) if frame_numbers is None else frame_numbers
        return cls(**rows, skeleton=skeleton, frame_numbers=numbers, **more)

    def dense(self) -> DenseKeypoints:
        """The keypoints as arrays over all frames and people."""
        return DenseKeypoints(
            xy=self.scatter(self.xy, 0.0),
            confidence=self.scatter(self.confidence, 0.0),
            track_ids=self.track_ids,
        )

    def to_skeleton(self, target: Skeleton) -> Keypoints:
        """The same people in another joint set, converted by joint name."""
        if target == self.skeleton:
            return self
        rule = conversion(self.skeleton, target)
        confidence = rule.confidence(self.confidence)
        xy = np.where(confidence[..., None] > 0, rule.points(self.xy), 0.0)
        return replace(self, xy=xy, confidence=confidence, skeleton=target)

    def undistorted(self, cameras: Sequence[Camera]) -> Keypoints:
        """The keypoints without lens distortion; a joint is missing where the lens model cannot be inverted."""
        if not any(camera.is_distorted for camera in cameras):
            return self
        xy = apply_cameras(cameras, self.frame, self.xy, Camera.undistort)
        confidence = np.where(np.isfinite(xy).all(-1), self.confidence, 0.0)
        return replace(self, xy=np.where(confidence[..., None] > 0, xy, 0.0), confidence=confidence)

    def table(self) -> dict[str, ndarray]:
        """Columns of a table with one line per joint that was seen: frame by frame, pixels and seconds."""
        columns = {
            "x_px": self.xy[..., 0],
            "y_px": self.xy[..., 1],
            "confidence": self.confidence,
        }
        return long_table(self, self.confidence > 0, columns)

    def to_dataframe(self) -> pandas.DataFrame:
        """`table` as a pandas DataFrame; MissingExtraError without pandas."""
        return as_dataframe(self.table())

    def _details(self) -> str:
        sizes = sorted(set(self.image_sizes or ()))
        pictures = ", ".join(f"{width}x{height} px" for width, height in sizes[:3]) or "pictures of unknown size"
        seen = 100 * float((self.confidence > 0).mean()) if len(self) else 0.0
        return f"{seen:.0f} % of the joints seen, {pictures}"

    def _repr_html_(self) -> str:
        seen = np.where(self.confidence[..., None] > 0, self.xy, np.nan)
        return picture(self, {"in pixels": seen})
