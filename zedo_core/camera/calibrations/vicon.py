"""Vicon's `.xcp`: XML with a focal length in pixels, a quaternion (x, y, z, w) to the camera and a position in mm.

The radial terms undo the distortion: a seen point at the distance r in pixels from the principal point lies without
distortion at r (1 + k1 r^2 + k2 r^4 + k3 r^6). Where they are too large for pixels they are taken as OpenCV's.
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import numpy as np
import scipy  # its parts load when they are used

from zedo_core.camera.calibrations._lens import inverted
from zedo_core.camera.calibrations._numbers import numbers
from zedo_core.camera.calibrations._table import Entry
from zedo_core.errors import CameraError

_MOST = 1.0  # change of a distance at the corner of the picture


def reads(document: Any) -> bool:
    """Whether it is an XML with key frames that have `FOCAL_LENGTH`."""
    if not isinstance(document, ElementTree.Element):
        return False
    return any(frame.get("FOCAL_LENGTH") is not None for frame in document.iter("KeyFrame"))


def cameras(document: ElementTree.Element, path: Path) -> list[Entry]:
    """The cameras that are calibrated, by device; their user's number and name are other names."""
    found = []
    for i, camera in enumerate(document.iter("Camera")):
        frame = next(camera.iter("KeyFrame"), None)
        if frame is not None and frame.get("FOCAL_LENGTH") is not None:
            given = [camera.get(key) for key in ("DEVICEID", "NAME", "USERID", "LABEL")]
            names = tuple(dict.fromkeys(name for name in given if name)) or (str(i + 1),)
            found.append(Entry(names, _table(camera, frame, f"{path.name}, camera {names[0]}"), 0.001))
    return found


def _table(camera: ElementTree.Element, frame: ElementTree.Element, where: str) -> dict:
    def values(element: ElementTree.Element, name: str, count: int) -> list[float]:
        return numbers(element.get(name), f"{where}, {name}", count=count).ravel().tolist()

    (fx,) = values(frame, "FOCAL_LENGTH", 1)
    aspect = values(camera, "PIXEL_ASPECT_RATIO", 1)[0] if camera.get("PIXEL_ASPECT_RATIO") else 1.0
    if aspect <= 0:
        raise CameraError(f"camera ({where}): expected a pixel aspect ratio above 0, got {aspect:g}")
    cx, cy = values(frame, "PRINCIPAL_POINT", 2)
    table: dict[str, Any] = {"fx": fx, "fy": fx / aspect, "cx": cx, "cy": cy}
    size = values(camera, "SENSOR_SIZE", 2) if camera.get("SENSOR_SIZE") else None
    if size is not None:
        table["size"] = size
    table["distortion"] = _distortion(_radial(frame, where), table, size, where)
    if frame.get("ORIENTATION") is None or frame.get("POSITION") is None:
        return table
    quaternion, place = values(frame, "ORIENTATION", 4), np.array(values(frame, "POSITION", 3))
    if not any(quaternion):
        raise CameraError(f"camera ({where}): expected an orientation, got {quaternion}")
    R = scipy.spatial.transform.Rotation.from_quat(quaternion).as_matrix()
    return table | {"rotation": R.tolist(), "translation": (-R @ place).tolist()}


def _radial(frame: ElementTree.Element, where: str) -> list[float]:
    """The radial coefficients: the last three of `ViconRadial2 x y k1 k2 k3`, or all of the older form."""
    newer = (frame.get("VICON_RADIAL2") or "").split()
    text = newer[3:6] if newer else (frame.get("VICON_RADIAL") or "").split()
    words = [word for word in text if not word.isidentifier()]
    return numbers(" ".join(words), f"{where}, VICON_RADIAL").ravel().tolist()


def _distortion(k: list[float], table: dict, size: list[float] | None, where: str) -> list[float]:
    if not any(k):
        return []
    K = np.array([[table["fx"], 0, table["cx"]], [0, table["fy"], table["cy"]], [0, 0, 1]])
    width, height = size or (2 * table["cx"], 2 * table["cy"])
    corner_px = float(np.hypot(width, height)) / 2
    change = sum(abs(c) * corner_px ** (2 * i + 2) for i, c in enumerate(k))
    if change > _MOST:
        return [*k[:2], *[0.0] * (2 - len(k[:2])), 0.0, 0.0, *k[2:3]]
    focal = np.array((table["fx"], table["fy"]))
    scale = lambda xy: 1 + sum(c * ((xy * focal) ** 2).sum(1, keepdims=True) ** (i + 1) for i, c in enumerate(k))  # noqa: E731
    whole = None if size is None else (int(size[0]), int(size[1]))
    return list(inverted(lambda xy: xy * scale(xy), K, whole, where))
