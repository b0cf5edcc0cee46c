"""Qualisys: the XML in `.qca.txt` files and in those of QTM, also as Theia writes it.

Lengths on the sensor are in 64ths of a pixel, positions in mm. A row r1, r2, r3 of the transform is an axis of the
camera, which looks along its -z with y up. The distortion is OpenCV's, without a unit.
"""

from __future__ import annotations

import logging
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import numpy as np

from zedo_core.camera.calibrations._numbers import numbers
from zedo_core.camera.calibrations._table import Entry

_SUBPIXELS = 64
_FLIP = np.diag((1.0, -1.0, -1.0))  # from y up, -z forward to y down, z forward
_DISTORTION = (
    *("radialDistortion1", "radialDistortion2", "tangentalDistortion1", "tangentalDistortion2"),
    "radialDistortion3",
)

_log = logging.getLogger(__name__)


def reads(document: Any) -> bool:
    """Whether it is an XML with cameras whose `intrinsic` has `focalLengthU`."""
    if not isinstance(document, ElementTree.Element):
        return False
    return any(camera.find("intrinsic") is not None for camera in document.iter("camera"))


def cameras(document: ElementTree.Element, path: Path) -> list[Entry]:
    """The cameras that are calibrated, by serial number."""
    found = []
    for i, camera in enumerate(document.iter("camera")):
        intrinsic = camera.find("intrinsic")
        if intrinsic is not None and intrinsic.get("focalLengthU") is not None:
            name = camera.get("serial") or str(i + 1)
            found.append(Entry((name,), _table(camera, intrinsic, f"{path.name}, camera {name}"), 0.001))
    return found


def _table(camera: ElementTree.Element, intrinsic: ElementTree.Element, where: str) -> dict:
    def number(element: ElementTree.Element, name: str, default: str | None = None) -> float:
        return numbers(element.get(name, default), f"{where}, {name}", count=1).item()

    field = camera.find("fov_video")
    whole = camera.find("fov_video_max")
    scale, left, top, size = 1.0, 0.0, 0.0, None
    if intrinsic.get("sensorMaxU") is not None:
        scale = float(_SUBPIXELS)
        span = number(intrinsic, "sensorMaxU") - number(intrinsic, "sensorMinU", "0")
        if whole is not None and (most := number(whole, "right") - number(whole, "left")) > 0 and span > 0:
            scale = max(1.0, round(span / most))  # more where the video has fewer pixels than the sensor
    if field is not None:
        left, top = number(field, "left"), number(field, "top")
        size = [number(field, "right") - left + 1, number(field, "bottom") - top + 1]
    elif intrinsic.get("sensorDimU") is not None:
        size = [number(intrinsic, "sensorDimU"), number(intrinsic, "sensorDimV")]
    if camera.get("viewrotation", "0") not in ("0", ""):
        _log.warning(
            "%s: the view is turned by %s degrees; the calibration is that of the picture before", where,
            camera.get("viewrotation"),
        )  # fmt: skip
    table = {
        "fx": number(intrinsic, "focalLengthU") / scale,
        "fy": number(intrinsic, "focalLengthV") / scale,
        "cx": number(intrinsic, "centerPointU") / scale - left,
        "cy": number(intrinsic, "centerPointV") / scale - top,
        "distortion": [number(intrinsic, name, "0") for name in _DISTORTION],
        **({} if size is None else {"size": size}),
    }
    transform = camera.find("transform")
    if transform is None or transform.get("x") is None:
        return table
    R = _FLIP @ np.array([[number(transform, f"r{i}{j}") for j in (1, 2, 3)] for i in (1, 2, 3)])
    place = np.array([number(transform, axis) for axis in "xyz"])
    return table | {"rotation": R.tolist(), "translation": (-R @ place).tolist()}
