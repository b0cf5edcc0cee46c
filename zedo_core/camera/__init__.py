"""Cameras: what one is, how it is read from a calibration file or a picture, and which one an input was taken with."""

from zedo_core.camera.camera import Camera
from zedo_core.camera.choice import CameraChoice
from zedo_core.camera.reading import read_camera

__all__ = ["Camera", "CameraChoice", "read_camera"]
