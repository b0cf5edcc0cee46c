"""The camera: intrinsics, lens distortion, projection and rays.

Camera axes: x right, y down, z forward. Pixel (0, 0) is the centre of the top-left pixel.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from zedo_core.errors import CameraError

_FOCAL_PX = (1e-2, 1e7)  # valid range
_MAX_CENTRE_PX = 1e7  # distance of the principal point from the corner of the picture
_UNDISTORT_STEPS = 20  # of Newton's method; common lenses need four
_MAX_UNDISTORT_ERROR_PX = 0.01  # after distorting the result again


@dataclass(frozen=True, kw_only=True)
class Camera:
    """A pinhole camera with OpenCV's lens distortion.

    `fx, fy, cx, cy` in pixels, `size` (width, height) in pixels, `distortion` (k1, k2, p1, p2[, k3 ...]) in OpenCV's
    order, `R_cam_from_world` (3, 3) and `t_cam_from_world` (3,) in metres where known (as nested tuples); `source`
    describes where the intrinsics come from.
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
        """The camera for its pictures resized to (width, height); CameraError when the aspect ratio differs."""
        if self.size is None or self.size == size:
            return replace(self, size=size)
        factor = size[0] / self.size[0]
        if abs(self.size[1] * factor - size[1]) > 1.0:
            raise CameraError(
                f"camera ({self.source}): expected pictures of {self.size[0]}x{self.size[1]} px, got "
                f"{size[0]}x{size[1]}; give the camera that took these pictures"
            )
        return replace(
            self,
            fx=self.fx * factor,
            fy=self.fy * factor,
            cx=(self.cx + 0.5) * factor - 0.5,
            cy=(self.cy + 0.5) * factor - 0.5,
            size=size,
            source=f"{self.source}, resized",
        )

    @property
    def matrix(self) -> Float[ndarray, "3 3"]:
        """The intrinsic matrix K."""
        return np.array([[self.fx, 0, self.cx], [0, self.fy, self.cy], [0, 0, 1]], dtype=float)

    @property
    def is_distorted(self) -> bool:
        """Whether the lens has any distortion."""
        return any(self.distortion)

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
        import cv2

        flat = np.concatenate([xy.reshape(-1, 2), np.ones((xy.size // 2, 1))], axis=1)
        pixels, _ = cv2.projectPoints(np.nan_to_num(flat), np.zeros(3), np.zeros(3), self.matrix, self._coefficients)
        return np.where(np.isfinite(xy), pixels.reshape(xy.shape), np.nan)

    def undistort(self, pixels: Float[ndarray, "... 2"]) -> Float[ndarray, "... 2"]:
        """The pixels of the same camera without lens distortion; NaN where the lens model cannot be inverted."""
        points = np.asarray(pixels, dtype=float)
        if not self.is_distorted or points.size == 0:
            return points
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
