"""Cameras: the model, reading one from a calibration file or a picture, and choosing that of an input."""

from zedo_core.camera.camera import Camera
from zedo_core.camera.choice import CameraChoice
from zedo_core.camera.reading import read_camera

__all__ = ["Camera", "CameraChoice", "read_camera"]
