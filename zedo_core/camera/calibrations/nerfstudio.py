"""nerfstudio's and instant-ngp's `transforms.json`: one lens, or one per frame, and a pose per frame.

Poses lead from the camera (x right, y up, z backward) to a world in units of its own. The camera of all frames has the
lens alone; the name of a frame chooses one with its pose.
"""

from __future__ import annotations

import math
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from zedo_core.camera.calibrations._numbers import numbers
from zedo_core.camera.calibrations._table import Entry
from zedo_core.errors import CameraError

_FLIP = np.diag((1.0, -1.0, -1.0))  # from y up, z backward to y down, z forward
_LENS = (
    *("fl_x", "fl_y", "cx", "cy", "w", "h", "k1", "k2", "k3", "k4", "p1", "p2", "camera_model", "camera_angle_x"),
    *("camera_angle_y", "is_fisheye", "distortion_params"),
)
_MAX_FRAMES = 100_000


def reads(document: Any) -> bool:
    """Whether it has frames with a `transform_matrix`."""
    frames = document.get("frames") if isinstance(document, dict) else None
    return isinstance(frames, list) and bool(frames) and isinstance(frames[0], dict) and "transform_matrix" in frames[0]


def cameras(document: Any, path: Path) -> list[Entry]:
    """The camera of all frames, if they share a lens, then that of each frame by the name of its picture."""
    shared = {key: document[key] for key in _LENS if key in document}
    frames = [frame for frame in document["frames"][:_MAX_FRAMES] if isinstance(frame, dict)]
    own = any("fl_x" in frame or "camera_angle_x" in frame for frame in frames)
    found = []
    for i, frame in enumerate(frames):
        file = str(frame.get("file_path", i))
        names = tuple(dict.fromkeys((file, PurePosixPath(file).name, PurePosixPath(file).stem)))
        table = _table(shared | {key: frame[key] for key in _LENS if key in frame}, f"{path.name}, {file}")
        found.append(Entry(names, table | _pose(frame, f"camera ({path.name}, {file})"), 1.0))
    if own or len(found) == 1:
        return found
    return [Entry((), _table(shared, path.name), default=True), *found]


def _table(lens: dict, where: str) -> dict:
    """fx, fy, cx, cy, size and distortion."""
    table = {key: value for key, value in lens.items() if key not in ("camera_angle_x", "camera_angle_y", "is_fisheye")}
    if lens.get("is_fisheye") is True:
        table["camera_model"] = "OPENCV_FISHEYE"
    sides = {"w": "x", "h": "y"}
    for side, axis in sides.items():
        if f"fl_{axis}" in table or f"camera_angle_{axis}" not in lens or side not in lens:
            continue
        length, angle = (
            numbers(lens[key], f"{where}, {key}", count=1).item() for key in (side, f"camera_angle_{axis}")
        )
        if not 0 < angle < math.pi:
            raise CameraError(f"camera ({where}): expected an angle of view below 180 degrees, got {angle:g} radians")
        table[f"fl_{axis}"] = length / 2 / math.tan(angle / 2)
    if "fl_x" in table:
        table.setdefault("fl_y", table["fl_x"])
    for side, axis in sides.items():
        if side in lens:
            table.setdefault(f"c{axis}", numbers(lens[side], f"{where}, {side}", count=1).item() / 2)
    return table


def _pose(frame: dict, where: str) -> dict:
    if "transform_matrix" not in frame:
        return {}
    matrix = numbers(frame["transform_matrix"], f"{where}, transform_matrix")
    if matrix.size not in (12, 16):
        raise CameraError(f"{where}: expected a transform_matrix of 4x4, got shape {matrix.shape}")
    rows = matrix.reshape(-1, 4)
    R = _FLIP @ rows[:3, :3].T
    return {"rotation": R.tolist(), "translation": (-R @ rows[:3, 3]).tolist()}
