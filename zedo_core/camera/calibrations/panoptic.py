"""CMU Panoptic's calibration: a list of cameras with K, distCoef, R, t in cm, of panels and nodes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from zedo_core.camera.calibrations._table import Entry


def reads(document: Any) -> bool:
    """Whether its cameras have K, a panel and a node."""
    cameras = document.get("cameras") if isinstance(document, dict) else None
    return isinstance(cameras, list) and bool(cameras) and all(map(_is_camera, cameras))


def cameras(document: Any, path: Path) -> list[Entry]:
    """The cameras by name."""
    return [Entry((str(camera.get("name", i)),), camera, 0.01) for i, camera in enumerate(document["cameras"])]


def _is_camera(table: Any) -> bool:
    return isinstance(table, dict) and {"K", "panel", "node"} <= table.keys()
