"""The camera of an input: from a file or focal length, else EXIF data, else a field of view, else a guess."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from zedo_core.camera.camera import Camera
from zedo_core.camera.files import read_calibration
from zedo_core.errors import CameraError

_log = logging.getLogger(__name__)

Size = tuple[int, int]
_ANY_SIZE = 1920, 1080


@dataclass(frozen=True, kw_only=True)
class CameraChoice:
    """How the user specified the camera; at most one of camera, file, focal length and field of view."""

    camera: Camera | None = None  # itself
    file: Path | None = None
    name: str | None = None  # of one of several cameras in the file
    fx: float | None = None  # px; fy defaults to fx, cx and cy to the image centre
    fy: float | None = None
    cx: float | None = None
    cy: float | None = None
    fov_deg: float | None = None  # horizontal

    def __post_init__(self) -> None:
        options = {
            "a camera": self.camera,
            "a camera file": self.file,
            "a focal length": self.fx,
            "a field of view": self.fov_deg,
        }
        given = [name for name, value in options.items() if value is not None]
        if len(given) > 1:
            raise CameraError(f"expected one way to give the camera, got {' and '.join(given)}; drop one")
        if self.fx is None and any(value is not None for value in (self.fy, self.cx, self.cy)):
            raise CameraError("fy, cx and cy need fx as well; give fx in pixels")

    def check(self, size: Size | None = None, stored_size: Size | None = None) -> None:
        """CameraError or FormatError for what makes no camera, of pictures of this size if it is known; see `cameras`.

        Tells before anything takes long.
        """
        if size is not None:
            self._camera(size, stored_size)
        elif self._known is None and self.fx is not None:
            self._from_intrinsics(None)
        elif self._known is None:
            self._camera(_ANY_SIZE)

    @property
    def is_given(self) -> bool:
        """Whether a camera or a focal length was given, which takes precedence over the EXIF data of the pictures."""
        return self._known is not None or self.fx is not None

    @cached_property
    def _known(self) -> Camera | None:
        """The camera itself, where the user has it."""
        return self.camera if self.file is None else read_calibration(self.file, self.name)

    def cameras(
        self,
        sizes: tuple[Size, ...] | None,
        exif_cameras: Sequence[Camera | None] = (),
        stored_size: Size | None = None,
    ) -> tuple[Camera, ...]:
        """One camera per image size, or one per frame if any frame has a camera from its EXIF data (None if not).

        `stored_size` is that of pictures whose pixels were not square; a camera of that size is stretched like them.
        CameraError when the camera cannot be determined without the image size.
        """
        if sizes is None:
            if self._known is not None:
                return (self._known,)
            if self.fx is not None and self.cx is not None and self.cy is not None:
                return (self._from_intrinsics(None),)
            raise CameraError("the image size is unknown; give --image-size, a camera file, or fx, cx and cy")
        if not self.is_given and any(camera is not None for camera in exif_cameras):
            return self._from_exif(sizes, exif_cameras)
        by_size = {size: self._camera(size, stored_size) for size in dict.fromkeys(sizes)}
        return tuple(by_size[size] for size in sizes)

    def _from_exif(self, sizes: tuple[Size, ...], exif_cameras: Sequence[Camera | None]) -> tuple[Camera, ...]:
        """The cameras of the pictures' EXIF data; a single one if they are all the same."""
        if self.fov_deg is not None:
            _log.warning("the field of view of %g degrees is not used: EXIF data give the camera", self.fov_deg)
        per_frame = sizes * len(exif_cameras) if len(sizes) == 1 else sizes
        cameras = [camera or self._camera(size) for camera, size in zip(exif_cameras, per_frame, strict=True)]
        return tuple(cameras) if len(set(cameras)) > 1 else (cameras[0],)

    def _camera(self, size: Size, stored_size: Size | None = None) -> Camera:
        if self._known is not None:
            is_stored = stored_size is not None and self._known.size == stored_size
            return self._known.stretched(size) if is_stored else self._known.resized(size)
        if self.fx is not None:
            return self._from_intrinsics(size)
        return Camera.guess(size) if self.fov_deg is None else Camera.from_fov(self.fov_deg, size)

    def _from_intrinsics(self, size: Size | None) -> Camera:
        assert self.fx is not None
        width, height = size or (0, 0)
        return Camera(
            fx=self.fx,
            fy=self.fx if self.fy is None else self.fy,
            cx=(width - 1) / 2 if self.cx is None else self.cx,
            cy=(height - 1) / 2 if self.cy is None else self.cy,
            size=size,
        )
