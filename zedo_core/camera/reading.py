"""Reading a camera from a calibration file or from the EXIF data of a picture."""

from __future__ import annotations

from pathlib import Path

from zedo_core.camera.camera import Camera
from zedo_core.camera.exif import camera_from_picture, is_picture
from zedo_core.camera.files import read_calibration
from zedo_core.errors import CameraError


def read_camera(path: str | Path, name: str | None = None) -> Camera:
    """Read a camera from a calibration file (TOML, JSON, YAML, npz, XML) or from the EXIF data of a picture.

    `name` chooses one of several cameras in a file. FormatError when the file cannot be read, CameraError when it has
    no such camera, or when a picture has no focal length in its EXIF data.
    """
    path = Path(path)
    if not is_picture(path):
        return read_calibration(path, name)
    if name is not None:
        raise CameraError(
            f"{path}: is a picture, which has one camera without a name, not '{name}'; leave the name out"
        )
    camera = camera_from_picture(path)
    if camera is None:
        raise CameraError(f"{path}: expected a focal length in the EXIF data, found none; give it in another way")
    return camera
