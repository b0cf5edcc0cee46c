"""Which camera an input was taken with: a file or focal length, else EXIF data, else a field of view, else a guess."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from zedo_core.camera.camera import Camera
from zedo_core.camera.files import read_calibration
from zedo_core.errors import CameraError

_log = logging.getLogger(__name__)

Size = tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class CameraChoice:
    """What is known of the camera; at most one of file, focal length and field of view."""

    file: Path | None = None
    name: str | None = None  # of one camera among several in the file
    fx: float | None = None  # px; fy is the same if not given, the centre is that of the image
    fy: float | None = None
    cx: float | None = None
    cy: float | None = None
    fov_deg: float | None = None  # horizontal

    def __post_init__(self) -> None:
        known = {"a camera file": self.file, "a focal length": self.fx, "a field of view": self.fov_deg}
        ways = [name for name, given in known.items() if given is not None]
        if len(ways) > 1:
            raise CameraError(f"expected one way to give the camera, got {' and '.join(ways)}; drop one")
        if self.fx is None and any(value is not None for value in (self.fy, self.cx, self.cy)):
            raise CameraError("fy, cx and cy need fx as well; give fx in pixels")

    @property
    def is_given(self) -> bool:
        """Whether a file or a focal length was given, which wins over whatever the pictures tell."""
        return self.file is not None or self.fx is not None

    def cameras(self, sizes: tuple[Size, ...] | None, told: Sequence[Camera | None] = ()) -> tuple[Camera, ...]:
        """One camera per image size, or one per frame where pictures tell of their own (`told`, None for those that do
        not); CameraError when nothing can be said without the size.
        """
        if sizes is None:
            if self.file is not None:
                return (read_calibration(self.file, self.name),)
            if self.fx is not None and self.cx is not None and self.cy is not None:
                return (self._given(None),)
            raise CameraError("the image size is not known; give --image-size, a camera file, or fx, cx and cy")
        if not self.is_given and any(camera is not None for camera in told):
            return self._told(sizes, told)
        known = {size: self._camera(size) for size in dict.fromkeys(sizes)}
        return tuple(known[size] for size in sizes)

    def _told(self, sizes: tuple[Size, ...], told: Sequence[Camera | None]) -> tuple[Camera, ...]:
        """The pictures' own cameras; one for all where they are the same."""
        if self.fov_deg is not None:
            _log.warning("the field of view of %g degrees is not used: the EXIF data say the camera", self.fov_deg)
        each = sizes * len(told) if len(sizes) == 1 else sizes
        cameras = [camera or self._camera(size) for camera, size in zip(told, each, strict=True)]
        return tuple(cameras) if len(set(cameras)) > 1 else (cameras[0],)

    def _camera(self, size: Size) -> Camera:
        if self.file is not None:
            return read_calibration(self.file, self.name).resized(size)
        if self.fx is not None:
            return self._given(size)
        return Camera.guess(size) if self.fov_deg is None else Camera.from_fov(self.fov_deg, size)

    def _given(self, size: Size | None) -> Camera:
        assert self.fx is not None
        width, height = size or (0, 0)
        return Camera(
            fx=self.fx,
            fy=self.fx if self.fy is None else self.fy,
            cx=(width - 1) / 2 if self.cx is None else self.cx,
            cy=(height - 1) / 2 if self.cy is None else self.cy,
            size=size,
        )
