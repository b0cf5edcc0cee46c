"""The camera of any file that tells of one."""

from __future__ import annotations

from pathlib import Path

from zedo_core.camera.camera import Camera
from zedo_core.camera.exif import is_picture, picture_camera
from zedo_core.camera.files import read_calibration
from zedo_core.errors import CameraError


def read_camera(path: str | Path, name: str | None = None) -> Camera:
    """The camera of a calibration file (TOML, JSON, YAML, npz, XML), or that of a picture by its EXIF data.

    `name` picks one of several cameras. FormatError when the file cannot be read, CameraError when it holds no such
    camera, or when a picture does not say its focal length.
    """
    path = Path(path)
    if name is not None or not is_picture(path):
        return read_calibration(path, name)
    camera = picture_camera(path)
    if camera is None:
        raise CameraError(f"{path}: expected a focal length in the EXIF data, found none; give it in another way")
    return camera
