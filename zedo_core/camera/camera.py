"""The camera: intrinsics, lens distortion, projection and rays.

Camera axes: x right, y down, z forward. Pixel (0, 0) is the centre of the top-left pixel.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from zedo_core.errors import CameraError

_FOCAL_PX = (1e-2, 1e7)  # valid range
_MAX_CENTRE_PX = 1e7  # distance of the principal point from the corner of the picture
_UNDISTORT_STEPS = 20  # of Newton's method; common lenses need four
_MAX_UNDISTORT_ERROR_PX = 0.01  # after distorting the result again
_MAX_ANGLE = math.radians(89)  # from the axis of a fisheye lens; beyond there is no pixel without distortion
_PADDED = 16  # codecs round the height of a video up to a multiple of this

Lens = Literal["brown", "fisheye"]


@dataclass(frozen=True, kw_only=True)
class Camera:
    """A camera with OpenCV's lens distortion.

    `fx, fy, cx, cy` in pixels, `size` (width, height) in pixels, `distortion` (k1, k2, p1, p2[, k3 ...]) in OpenCV's
    order, or (k1, k2, k3, k4) where the `lens` is `fisheye` (Kannala-Brandt, equidistant where all are 0);
    `R_cam_from_world` (3, 3) and `t_cam_from_world` (3,) in metres where known (as nested tuples); `world_is_camera` if
    the world has the axes of a camera and is thus not upright; `source` describes where the intrinsics come from.
    """

    fx: float
    fy: float
    cx: float
    cy: float
    size: tuple[int, int] | None = None
    distortion: tuple[float, ...] = ()
    R_cam_from_world: tuple[tuple[float, ...], ...] | None = None
    t_cam_from_world: tuple[float, ...] | None = None
    source: str = "given"
    lens: Lens = "brown"
    world_is_camera: bool = False

    def __post_init__(self) -> None:
        values = (self.fx, self.fy, self.cx, self.cy, *self.distortion)
        if not all(math.isfinite(v) for v in values):
            raise CameraError(f"camera ({self.source}): expected finite intrinsics, got {values}")
        if self.fx <= 0 or self.fy <= 0:
            raise CameraError(
                f"camera ({self.source}): expected focal lengths above 0 px, got fx={self.fx:g} fy={self.fy:g}"
            )
        if not all(_FOCAL_PX[0] <= focal <= _FOCAL_PX[1] for focal in (self.fx, self.fy)):
            low, high = _FOCAL_PX
            raise CameraError(
                f"camera ({self.source}): expected focal lengths of {low:g} to {high:g} px, got fx={self.fx:g} "
                f"fy={self.fy:g}"
            )
        if max(abs(self.cx), abs(self.cy)) > _MAX_CENTRE_PX:
            raise CameraError(
                f"camera ({self.source}): expected a centre within {_MAX_CENTRE_PX:g} px, got cx={self.cx:g} "
                f"cy={self.cy:g}"
            )
        if self.lens not in ("brown", "fisheye"):
            raise CameraError(f"camera ({self.source}): expected the lens brown or fisheye, got '{self.lens}'")
        if self.lens == "fisheye" and len(self.distortion) not in (0, 4):
            raise CameraError(
                f"camera ({self.source}): expected 4 distortion coefficients of a fisheye lens, got "
                f"{len(self.distortion)}"
            )
        if len(self.distortion) not in (0, 4, 5, 8, 12, 14):
            raise CameraError(
                f"camera ({self.source}): expected 0, 4, 5, 8, 12 or 14 distortion coefficients, got "
                f"{len(self.distortion)}"
            )
        if self.R_cam_from_world is not None and np.shape(self.R_cam_from_world) != (3, 3):
            raise CameraError(f"camera ({self.source}): expected a rotation of shape (3, 3)")
        if self.t_cam_from_world is not None and np.shape(self.t_cam_from_world) != (3,):
            raise CameraError(f"camera ({self.source}): expected a translation of 3 values in metres")
        if self.size is not None and min(self.size) <= 0:
            raise CameraError(f"camera ({self.source}): expected an image size above 0, got {self.size}")

    @classmethod
    def from_matrix(
        cls,
        matrix: Float[ndarray, "3 3"],
        *,
        size: tuple[int, int] | None = None,
        distortion: tuple[float, ...] = (),
        source: str = "given",
        lens: Lens = "brown",
    ) -> Camera:
        """Camera with the intrinsic matrix K; CameraError when K is not valid or has skew."""
        K = np.asarray(matrix, dtype=float)
        if K.shape != (3, 3):
            raise CameraError(f"camera ({source}): expected a 3x3 matrix K, got shape {K.shape}")
        if not np.isfinite(K).all():
            raise CameraError(f"camera ({source}): K contains a value that is not finite")
        if not np.allclose(K[2], (0, 0, 1)) or abs(K[1, 0]) > 1e-6 * abs(K[0, 0]):
            shape = "[[fx, 0, cx], [0, fy, cy], [0, 0, 1]]"
            raise CameraError(f"camera ({source}): expected K as {shape}, got {K.tolist()}")
        if abs(K[0, 1]) > 1e-3 * abs(K[0, 0]):
            raise CameraError(f"camera ({source}): expected K without skew, got {K[0, 1]:g}; skew is not supported")
        return cls(
            fx=float(K[0, 0]),
            fy=float(K[1, 1]),
            cx=float(K[0, 2]),
            cy=float(K[1, 2]),
            size=size,
            distortion=tuple(float(d) for d in distortion),
            source=source,
            lens=lens,
        )

    @classmethod
    def from_fov(cls, fov_deg: float, size: tuple[int, int]) -> Camera:
        """Camera with the horizontal field of view `fov_deg` in degrees, centred in a picture of (width, height)."""
        if not 1 <= fov_deg <= 170:
            raise CameraError(f"expected a horizontal field of view of 1 to 170 degrees, got {fov_deg:g}")
        focal = size[0] / 2 / math.tan(math.radians(fov_deg) / 2)
        return cls._centred(focal, size, f"field of view of {fov_deg:g} degrees")

    @classmethod
    def guess(cls, size: tuple[int, int]) -> Camera:
        """The default when nothing is known: f = sqrt(w^2 + h^2), a diagonal field of view of 53 degrees."""
        return cls._centred(math.hypot(*size), size, "guess (53 degrees diagonal field of view)")

    @classmethod
    def _centred(cls, focal_px: float, size: tuple[int, int], source: str) -> Camera:
        width, height = size
        return cls(
            fx=focal_px, fy=focal_px, cx=(width - 1) / 2, cy=(height - 1) / 2, size=(width, height), source=source
        )

    def resized(self, size: tuple[int, int]) -> Camera:
        """The camera for its pictures resized to (width, height); CameraError when the aspect ratio differs.

        Rows or columns that a codec added or cut off, up to 15, do not count.
        """
        if self.size is None or self.size == size:
            return replace(self, size=size)
        factor = size[0] / self.size[0]
        if abs(self.size[1] * factor - size[1]) > 1.0:
            if (padded := self._padded(size)) is not None:
                return padded
            raise CameraError(
                f"camera ({self.source}): expected pictures of {self.size[0]}x{self.size[1]} px, got "
                f"{size[0]}x{size[1]}; give the camera that took these pictures"
            )
        return self._scaled(size, factor, factor, "resized")

    def stretched(self, size: tuple[int, int]) -> Camera:
        """The camera for its pictures resized to (width, height) of any aspect ratio; CameraError without a size."""
        if self.size is None:
            raise CameraError(f"camera ({self.source}): expected an image size, found none; state it")
        return self._scaled(size, size[0] / self.size[0], size[1] / self.size[1], "pixels made square")

    def _scaled(self, size: tuple[int, int], x: float, y: float, how: str) -> Camera:
        return replace(
            self,
            fx=self.fx * x,
            fy=self.fy * y,
            cx=(self.cx + 0.5) * x - 0.5,
            cy=(self.cy + 0.5) * y - 0.5,
            size=size,
            source=f"{self.source}, {how}",
        )

    def _padded(self, size: tuple[int, int]) -> Camera | None:
        """The same camera for pictures with another padding to multiples of 16 px; None if it is not that."""
        assert self.size is not None
        for axis, name in ((1, "rows"), (0, "columns")):
            factor = size[1 - axis] / self.size[1 - axis]
            cut = size[axis] / factor  # of the pictures, in pixels of the calibration
            least, most = sorted((round(cut), self.size[axis]))
            if least < most == -(-least // _PADDED) * _PADDED and abs(round(cut) * factor - size[axis]) <= 1.0:
                source = f"{self.source}, of {self.size[axis]} {name} for {round(cut)} (padding of a codec)"
                whole = list(self.size)
                whole[axis] = round(cut)
                return replace(self, size=(whole[0], whole[1]), source=source).resized(size)
        return None

    @property
    def matrix(self) -> Float[ndarray, "3 3"]:
        """The intrinsic matrix K."""
        return np.array([[self.fx, 0, self.cx], [0, self.fy, self.cy], [0, 0, 1]], dtype=float)

    @property
    def is_distorted(self) -> bool:
        """Whether the lens has any distortion."""
        return self.lens == "fisheye" or any(self.distortion)

    def project(self, points_cam: Float[ndarray, "... 3"]) -> Float[ndarray, "... 2"]:
        """Pixels of points in metres, including lens distortion; NaN for points not in front of the camera."""
        points = np.asarray(points_cam, dtype=float)
        in_front = points[..., 2:] > 1e-6
        xy = points[..., :2] / np.where(in_front, points[..., 2:], np.nan)
        return self._to_pixels(xy)

    def _to_pixels(self, xy: Float[ndarray, "... 2"]) -> Float[ndarray, "... 2"]:
        """Normalised image coordinates to pixels."""
        if not self.is_distorted or xy.size == 0:
            return xy * (self.fx, self.fy) + (self.cx, self.cy)
        if self.lens == "fisheye":
            return _bent(xy, self._coefficients) * (self.fx, self.fy) + (self.cx, self.cy)
        import cv2

        flat = np.concatenate([xy.reshape(-1, 2), np.ones((xy.size // 2, 1))], axis=1)
        pixels, _ = cv2.projectPoints(np.nan_to_num(flat), np.zeros(3), np.zeros(3), self.matrix, self._coefficients)
        return np.where(np.isfinite(xy), pixels.reshape(xy.shape), np.nan)

    def undistort(self, pixels: Float[ndarray, "... 2"]) -> Float[ndarray, "... 2"]:
        """The pixels of the same camera without lens distortion; NaN where the lens model cannot be inverted."""
        points = np.asarray(pixels, dtype=float)
        if not self.is_distorted or points.size == 0:
            return points
        if self.lens == "fisheye":
            xy = _straightened((points - (self.cx, self.cy)) / (self.fx, self.fy), self._coefficients)
            return xy * (self.fx, self.fy) + (self.cx, self.cy)
        solution = points.copy()
        for _ in range(_UNDISTORT_STEPS):
            error = points - self._distort(solution)
            jacobian = np.stack(
                [self._distort(solution + step) - self._distort(solution - step) for step in np.eye(2) / 2], axis=-1
            )
            singular = np.abs(np.linalg.det(jacobian)) < 1e-9
            jacobian[singular] = np.eye(2)
            solution = solution + np.linalg.solve(jacobian, error[..., None])[..., 0]
        error_px = np.linalg.norm(points - self._distort(solution), axis=-1, keepdims=True)
        return np.where(error_px < _MAX_UNDISTORT_ERROR_PX, solution, np.nan)

    def _distort(self, pixels: Float[ndarray, "... 2"]) -> Float[ndarray, "... 2"]:
        """Pixels of a camera without lens distortion to pixels of this camera."""
        return self._to_pixels((pixels - (self.cx, self.cy)) / (self.fx, self.fy))

    def rays(self, pixels: Float[ndarray, "... 2"]) -> Float[ndarray, "... 3"]:
        """Unit rays through undistorted pixels, in camera axes."""
        xy = (np.asarray(pixels, dtype=float) - (self.cx, self.cy)) / (self.fx, self.fy)
        rays = np.concatenate([xy, np.ones_like(xy[..., :1])], axis=-1)
        return rays / np.linalg.norm(rays, axis=-1, keepdims=True)

    @property
    def _coefficients(self) -> Float[ndarray, " n"]:
        return np.asarray(self.distortion, dtype=float)


# Fisheye lenses (Kannala and Brandt 2006, as in OpenCV): a ray at the angle a from the axis is seen at the distance
# a (1 + k1 a^2 + k2 a^4 + k3 a^6 + k4 a^8) from the centre.


def _bent(xy: Float[ndarray, "... 2"], k: Float[ndarray, " n"]) -> Float[ndarray, "... 2"]:
    """Normalised image coordinates of a pinhole camera to those of a fisheye lens."""
    radius = np.linalg.norm(xy, axis=-1, keepdims=True)
    seen = _distance(np.arctan(radius), k)
    return xy * np.where(radius > 1e-9, seen / np.maximum(radius, 1e-9), 1.0)


def _straightened(xy: Float[ndarray, "... 2"], k: Float[ndarray, " n"]) -> Float[ndarray, "... 2"]:
    """The inverse of `_bent`; NaN where the lens model has no inverse, or for rays across the axis."""
    seen = np.linalg.norm(xy, axis=-1, keepdims=True)
    angle = np.minimum(seen, _MAX_ANGLE)
    for _ in range(_UNDISTORT_STEPS):
        powers = (1, *(2 * i + 3 for i in range(len(k))))
        slope = sum(p * c * angle ** (p - 1) for p, c in zip(powers, (1.0, *k), strict=True))
        angle = np.clip(angle - (_distance(angle, k) - seen) / np.where(slope > 1e-3, slope, np.nan), 0, _MAX_ANGLE)
    solved = (np.abs(_distance(angle, k) - seen) < 1e-6) & (angle < _MAX_ANGLE)
    factor = np.where(seen > 1e-9, np.tan(angle) / np.maximum(seen, 1e-9), 1.0)
    return np.where(solved, xy * factor, np.nan)


def _distance(angle: Float[ndarray, "*n"], k: Float[ndarray, " n"]) -> Float[ndarray, "*n"]:
    return angle * (1 + sum(c * angle ** (2 * i + 2) for i, c in enumerate(k)))
