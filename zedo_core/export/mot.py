"""Joint angles as a motion of OpenSim's gait models: degrees and metres, y up; a file per person.

Columns are coordinates of Rajagopal's model (2016), whose knee is positive in flexion, in its geometry (see
`zedo_core.biomechanics.opensim`); the pelvis is turned about the axes of the room in the model's order (tilt, list,
rotation), which is not that of `angles`. A motion has no gaps: unknown values between known ones are interpolated, with
a warning, and columns that are never known are left out. Rows begin and end with the person.
"""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from zedo_core.biomechanics.opensim import PELVIS, PLACE, coordinates
from zedo_core.export._tracks import Recording, Track, over_frames, record, write_each
from zedo_core.storage.files import atomic_write
from zedo_core.types import Poses

SUFFIX = ".mot"
UPRIGHT = True

_log = logging.getLogger(__name__)


def write(poses: Poses, path: Path) -> tuple[Path, ...]:
    """Write a file per person and return them; OutputError when one cannot be written, InputError without people."""
    recording = record(poses, path)
    columns = coordinates(poses)

    def write_person(track: Track, file: Path) -> None:
        rows = poses.track == track.id
        values = {
            name: over_frames(column[rows], track.frame, track.frames, np.nan) for name, column in columns.items()
        }
        with atomic_write(file) as partial:
            partial.write_text(_text(recording, track, values, file), encoding="utf-8", newline="")

    return write_each(recording, path, write_person)


def _text(recording: Recording, track: Track, values: dict[str, Float[ndarray, " t"]], file: Path) -> str:
    present = np.flatnonzero(track.present)
    part = slice(present[0], present[-1] + 1)
    times_s = recording.timing.times_s[part]
    known = {name: column[part] for name, column in values.items() if np.isfinite(column).any()}
    gaps = int((~track.present[part]).sum())
    if gaps:
        _log.warning("%s: interpolates %d frames without the person, which a motion cannot leave out", file.name, gaps)
    bridged = {name: _bridged(name, column, times_s) for name, column in known.items()}
    lines = [
        " ".join(file.stem.split()),
        "version=1",
        f"nRows={len(times_s)}",
        f"nColumns={len(bridged) + 1}",
        "inDegrees=yes",
        "endheader",
        "\t".join(("time", *bridged)),
        *("\t".join(f"{value:.6f}" for value in row) for row in zip(times_s, *bridged.values(), strict=True)),
    ]
    return "\n".join(lines) + "\n"


def _bridged(name: str, column: Float[ndarray, " t"], times_s: Float[ndarray, " t"]) -> Float[ndarray, " t"]:
    """The column with its gaps interpolated, on the shorter way round."""
    known = np.isfinite(column)
    turns = name not in PLACE
    values = np.unwrap(column[known], period=360) if turns else column[known]
    whole = np.interp(times_s, times_s[known], values)
    return (whole + 180) % 360 - 180 if turns and name not in PELVIS else whole
