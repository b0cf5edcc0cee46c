"""Kalibr's camchain: cam0, cam1, ... each with intrinsics fx, fy, cx, cy; T_cn_cnm1 leads from the camera before.

The world is that of the first camera.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from zedo_core.camera.calibrations._numbers import numbers
from zedo_core.camera.calibrations._table import Entry
from zedo_core.errors import CameraError

_MODELS = {"pinhole": 4}  # numbers of their intrinsics


def reads(document: Any) -> bool:
    """Whether every table in it has `intrinsics` as numbers in a row and a `camera_model`."""
    if not isinstance(document, dict):
        return False
    tables = [value for value in document.values() if isinstance(value, dict)]
    return bool(tables) and all(
        isinstance(table.get("intrinsics"), list) and "camera_model" in table and "distortion_coeffs" in table
        for table in tables
    )


def cameras(document: Any, path: Path) -> list[Entry]:
    """The cameras by key, with their pose in the first one where the chain says it."""
    found, pose = [], np.eye(4)
    chained = any("T_cn_cnm1" in table for table in document.values() if isinstance(table, dict))
    for name, table in document.items():
        if not isinstance(table, dict):
            continue
        where = f"camera ({path.name}, camera {name})"
        model = table["camera_model"]
        if model not in _MODELS:
            raise CameraError(f"{where}: the camera model '{model!s:.40}' is not supported; calibrate it as pinhole")
        fx, fy, cx, cy = numbers(table["intrinsics"], f"{where}, intrinsics", count=4).ravel().tolist()
        step = table.get("T_cn_cnm1")
        entry = {"fx": fx, "fy": fy, "cx": cx, "cy": cy, "distortion": table["distortion_coeffs"]}
        entry |= {key: table[key] for key in ("distortion_model", "resolution") if key in table}
        if chained:
            pose = pose if step is None else numbers(step, f"{where}, T_cn_cnm1", count=16).reshape(4, 4) @ pose
            entry["extrinsics"] = pose.tolist()
        found.append(Entry((str(name),), entry, 1.0))
    return found
