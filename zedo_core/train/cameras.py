"""The cameras of a calibration file for training: their fields of view and, if they are there, tilts and heights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Generator, Tensor

from zedo_core.camera import Camera
from zedo_core.train.views import ViewOptions

_MARGIN = 0.1  # of the picture at each edge, where no root joint is
_HEIGHTS_M = (0.2, 6.0)  # of cameras above the floor that are believed
_LEAST_UP = 0.3  # cosine between image and world, below which the height does not determine the place
# The world's upward axis is the one closest to the cameras' own; most calibrations have z up.
_WORLD_UPS = np.array([(0, 0, 1), (0, 1, 0), (0, -1, 0), (0, 0, -1)], float)
_Z_FIRST = np.array((0.5, 0.0, 0.0, 0.0))


@dataclass(frozen=True)
class FileCameras:
    """Cameras on one device: the slopes of rays at the edges of the part of the picture where people are, the rotation
    from axes with y up, of any heading, and the height above the floor; NaN where these are unknown."""

    low: Float[Tensor, "c 2"]
    high: Float[Tensor, "c 2"]
    R_cam_from_up: Float[Tensor, "c 3 3"]
    height_m: Float[Tensor, " c"]

    @classmethod
    def from_cameras(cls, cameras: Sequence[Camera], device: torch.device) -> FileCameras:
        """Cameras without a size are taken as centred; lens distortion does not matter, since it is undone."""
        low, high, R, height = [], [], [], []
        up = _world_up([_rotation(camera) for camera in cameras if _calibrated(camera)])
        for camera in cameras:
            focal, centre = np.array([camera.fx, camera.fy]), np.array([camera.cx, camera.cy])
            size = np.array(camera.size if camera.size else 2 * centre + 1, float)
            low.append((_MARGIN * size - centre) / focal)
            high.append(((1 - _MARGIN) * size - centre) / focal)
            R.append(_rotation(camera) @ _from_y_up(up) if _calibrated(camera) else np.full((3, 3), np.nan))
            height.append(_height(camera, up))
        arrays = (np.array(values, np.float32) for values in (low, high, R, height))
        return cls(*(torch.from_numpy(array).to(device) for array in arrays))

    def draw(self, count: int, generator: Generator) -> FileCameras:
        """`count` of the cameras."""
        device = self.low.device
        chosen = torch.randint(len(self.low), (count,), generator=generator, device=device)
        return FileCameras(self.low[chosen], self.high[chosen], self.R_cam_from_up[chosen], self.height_m[chosen])

    def roots(
        self, poses: Float[Tensor, "c j 3"], options: ViewOptions, generator: Generator
    ) -> Float[Tensor, "c 1 3"]:
        """Places of the root joints in metres, one for each camera, of poses relative to the root in camera axes.

        Where the height is known, people stand on the floor, as far as the picture shows it.
        """
        u = torch.rand(len(poses), 3, generator=generator, device=poses.device)
        depth, slopes = options.depth(u[:, 0]), torch.lerp(self.low, self.high, u[:, 1:])
        up = self.R_cam_from_up[:, :, 1]
        lowest = (poses @ up[..., None])[..., 0].amin(1)
        # The root's height relative to the camera is up . (x, y, 1) depth.
        rise = (-lowest - self.height_m) / depth
        standing = (rise - up[:, 0] * slopes[:, 0] - up[:, 2]) / up[:, 1]
        known = standing.isfinite() & (up[:, 1].abs() > _LEAST_UP)
        y = torch.where(known, standing.clamp(self.low[:, 1], self.high[:, 1]), slopes[:, 1])
        return (torch.stack([slopes[:, 0], y, torch.ones_like(y)], dim=1) * depth[:, None])[:, None]


def _calibrated(camera: Camera) -> bool:
    return camera.R_cam_from_world is not None and camera.t_cam_from_world is not None


def _rotation(camera: Camera) -> Float[ndarray, "3 3"]:
    return np.array(camera.R_cam_from_world)


def _world_up(rotations: list[Float[ndarray, "3 3"]]) -> Float[ndarray, "3"]:
    """The upward direction of the world."""
    if not rotations:
        return _WORLD_UPS[0]
    image_up = -np.mean(rotations, axis=0)[1]
    return _WORLD_UPS[int((_WORLD_UPS @ image_up + _Z_FIRST).argmax())]


def _from_y_up(up: Float[ndarray, "3"]) -> Float[ndarray, "3 3"]:
    """A rotation that takes y to `up`, which is not x."""
    x = np.array([1.0, 0.0, 0.0])
    return np.stack([x, up, np.cross(x, up)], axis=1)


def _height(camera: Camera, up: Float[ndarray, "3"]) -> float:
    """Metres above the world's origin, which calibrations put on the floor; NaN if unknown, or not believable."""
    if not _calibrated(camera):
        return float("nan")
    height = float(up @ (-_rotation(camera).T @ np.array(camera.t_cam_from_world)))
    return height if _HEIGHTS_M[0] <= height <= _HEIGHTS_M[1] else float("nan")
