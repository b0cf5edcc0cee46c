"""Which camera an input was taken with: what the user gives, else a stated guess."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from zedo_core.camera import Camera
from zedo_core.errors import CameraError

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

    def cameras(self, sizes: tuple[Size, ...] | None) -> tuple[Camera, ...]:
        """One camera per image size; CameraError when nothing can be said without the size."""
        if sizes is None:
            if self.file is not None:
                return (Camera.from_file(self.file, self.name),)
            if self.fx is not None and self.cx is not None and self.cy is not None:
                return (self._given(None),)
            raise CameraError("the image size is not known; give --image-size, a camera file, or fx, cx and cy")
        known = {size: self._camera(size) for size in dict.fromkeys(sizes)}
        return tuple(known[size] for size in sizes)

    def _camera(self, size: Size) -> Camera:
        if self.file is not None:
            return Camera.from_file(self.file, self.name).resized(size)
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
