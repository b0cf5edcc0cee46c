"""The camera of a calibration file: choosing one of several, the unit of its translation, and what is not read."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np

from zedo_core.camera.calibrations import _spelling as spelling
from zedo_core.camera.calibrations import find_cameras
from zedo_core.camera.calibrations._parsing import parse
from zedo_core.camera.calibrations._table import Entry, camera_of, extrinsics_of
from zedo_core.camera.camera import Camera
from zedo_core.errors import CameraError

_FARTHEST_M = 100.0  # of a camera from the world's origin; larger numbers are millimetres
_SAME_DEG, _SAME = 1.0, 0.02  # difference from the identity: of the rotation, and of the largest translation
_MAX_NAMES = 60  # in a message

_log = logging.getLogger(__name__)


def read_calibration(path: Path, name: str | None = None) -> Camera:
    """Read the camera of a calibration file; `name` chooses one of several.

    A folder stands for the `cameras.txt` in it. FormatError when the file cannot be read, CameraError when it has no
    such camera or one that zedo does not support.
    """
    path, entries = _entries(path)
    return _read(_choose(entries, name, path), entries, path)


def read_calibrations(path: Path) -> tuple[Camera, ...]:
    """All cameras of a calibration file, see `read_calibration`."""
    path, entries = _entries(path)
    return tuple(_read(entry, entries, path) for entry in entries)


def _entries(path: Path) -> tuple[Path, list[Entry]]:
    """The file that is meant, and its cameras, at least one."""
    if path.is_dir() and (path / "cameras.txt").is_file():
        path = path / "cameras.txt"
    document = parse(path)
    entries = find_cameras(document, path)
    if not entries:
        keys = f" in {', '.join(map(str, [*document][:8]))}" if isinstance(document, dict) and document else ""
        raise CameraError(
            f"{path}: expected fx, fy, cx, cy or a 3x3 matrix K, alone or per camera, found no camera{keys!s:.300}"
        )
    return path, entries


def _read(entry: Entry, entries: list[Entry], path: Path) -> Camera:
    source = path.name if not entry.names else f"{path.name}, camera {entry.names[0]}"
    camera = camera_of(entry.table, source)
    _warn_of_unread(entry.table, camera, source)
    if camera.t_cam_from_world is None:
        return camera
    return _in_metres(camera, entry, entries, path)


def _choose(entries: list[Entry], name: str | None, path: Path) -> Entry:
    """The camera of this name, or the only or default one."""
    if name is None:
        alone = entries if len(entries) == 1 else [entry for entry in entries if entry.default]
        if len(alone) == 1:
            return alone[0]
    for position in range(max(len(entry.names) for entry in entries)):  # the names inside before the keys
        matches = [entry for entry in entries if len(entry.names) > position and entry.names[position] == name]
        if len(matches) == 1:
            return matches[0]
    names = [entry.names[0] for entry in entries if entry.names]
    if len(set(names)) < len(names):
        names = [entry.names[-1] for entry in entries if entry.names]
    listed = ", ".join(names[:_MAX_NAMES]) + (f" and {len(names) - _MAX_NAMES} more" if len(names) > _MAX_NAMES else "")
    if name is None:
        raise CameraError(f"{path}: contains {len(entries)} cameras, choose one by name: {listed}")
    raise CameraError(f"{path}: has no camera '{name}'; it has {listed or 'one camera without a name'}")


def _in_metres(camera: Camera, entry: Entry, entries: list[Entry], path: Path) -> Camera:
    """The camera with its translation in metres, and whether its world is that of a camera of the file."""
    poses = [pose for other in entries if (pose := _pose(other)) is not None]
    farthest = max(float(np.linalg.norm(t)) for _, t in poses)
    unit_m = entry.unit_m
    if unit_m is None:
        unit_m = 0.001 if farthest > _FARTHEST_M else 1.0
        if unit_m < 1:
            _log.warning("%s: cameras are up to %.0f units away, which are taken as millimetres", path.name, farthest)
    t = tuple(unit_m * value for value in camera.t_cam_from_world or ())
    return replace(camera, t_cam_from_world=t, world_is_camera=any(_is_identity(R, t, farthest) for R, t in poses))


def _pose(entry: Entry) -> tuple[np.ndarray, np.ndarray] | None:
    try:
        return extrinsics_of(entry.table, "")
    except CameraError:  # of another camera, which was not asked for
        return None


def _is_identity(R: np.ndarray, t: np.ndarray, farthest: float) -> bool:
    """Whether a camera is the world's origin and its axes are the world's, in whatever order and direction."""
    along = np.abs(R).max(0) > np.cos(np.radians(_SAME_DEG))
    return bool(along.all() and np.linalg.norm(t) <= _SAME * farthest)


def _warn_of_unread(table: dict, camera: Camera, source: str) -> None:
    """Name what looks like distortion or a pose and was not read."""
    names = spelling.unread(table)
    pose = (*spelling.ROTATION, *spelling.TRANSLATION)
    given = [key for key, value in table.items() if value is not None and spelling.normal(key) in pose]
    if camera.R_cam_from_world is None and spelling.get(table, spelling.RECTIFIED) is None:
        names += map(str, given)
    for name in names:
        _log.warning("%s: '%s' looks like distortion or a pose and is not read", source, name)
