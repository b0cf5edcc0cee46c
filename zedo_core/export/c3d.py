"""The chosen poses as C3D points for biomechanics: millimetres, y up (see `_axes`), floor at 0; a file per person.

A missing point has the residual -1, as the format's manual requires. C3D has one frame rate, to which frames that are
not evenly spaced in time are resampled. Uses ezc3d, an optional extra.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path
from types import ModuleType

import numpy as np

from zedo_core.errors import MissingExtraError, OutputError
from zedo_core.export._markers import record_markers
from zedo_core.export._timing import Timing, resample
from zedo_core.export._tracks import Recording, Track, write_each
from zedo_core.storage.files import atomic_write
from zedo_core.types import Poses

SUFFIX = ".c3d"
UPRIGHT = True

_MM = 1000.0
_UPWARDS = {"camera": "-Y", "world-yup": "+Y", "world-zup": "+Z"}  # axis that points upwards on a screen
_POINT_BYTES = 16  # three coordinates and a residual
_MAX_FRAMES = 65535  # the header counts them in 16 bits


def require() -> ModuleType:
    """ezc3d; MissingExtraError when it is not installed."""
    try:
        import ezc3d
    except ImportError:
        raise MissingExtraError.of("c3d", "ezc3d", "c3d") from None
    return ezc3d


def write(poses: Poses, path: Path) -> tuple[Path, ...]:
    """Write a file per person and return them; OutputError when one cannot be written, InputError without people."""
    ezc3d = require()
    recording, names, axes = record_markers(poses, path)
    fixed = recording.at_fixed_rate(path)
    frames = len(fixed.times_s)
    if frames > _MAX_FRAMES:
        raise OutputError(f"{path}: expected up to {_MAX_FRAMES} frames for C3D, got {frames}; use trc")

    def write_person(track: Track, file: Path) -> None:
        with atomic_write(file) as partial:
            _fill(ezc3d.c3d(), recording, fixed, track, names, axes).write(str(partial))
            if partial.stat().st_size < frames * len(names) * _POINT_BYTES:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))  # ezc3d does not report it

    return write_each(recording, path, write_person)


def _fill(file, recording: Recording, fixed: Timing, track: Track, names: tuple[str, ...], axes: str):
    """Fill an empty c3d of ezc3d with the points of a person."""
    places = track.points if recording.timing.even else resample(track.points, recording.timing.times_s, fixed.times_s)
    known = np.all(np.isfinite(places), axis=-1)
    points = np.ones((4, len(names), len(places)))
    points[:3] = np.where(known[..., None], places * _MM, np.nan).transpose(2, 1, 0)
    file["parameters"]["POINT"]["RATE"]["value"] = [fixed.fps]
    file["parameters"]["POINT"]["UNITS"]["value"] = ["mm"]
    file["parameters"]["POINT"]["LABELS"]["value"] = names
    file.add_parameter("POINT", "X_SCREEN", ["+X"])
    file.add_parameter("POINT", "Y_SCREEN", [_UPWARDS[axes]])
    file.add_parameter("ZEDO", "UP", [recording.up_source])
    file["data"]["points"] = points
    file["data"]["meta_points"]["residuals"] = np.where(known, 0.0, -1.0).T[None]
    return file
