"""The chosen poses as marker tracks for OpenSim: millimetres, y up (see `_axes`), floor at 0; a file per person.

Follows OpenSim's documentation ("Marker (.trc) Files"): five header lines, cells separated by tabs. As OpenSim 4.6 was
found to read them: a missing marker is `nan`, since an empty last cell of a row makes it reject the file; frames
without the person are left out, since its inverse kinematics stops at a row without any marker. Every row has its frame
number and its true time; the rate in the header is the mean one.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from zedo_core.export._markers import record_markers
from zedo_core.export._tracks import Recording, Track, write_each
from zedo_core.storage.files import atomic_write
from zedo_core.types import Poses

SUFFIX = ".trc"
UPRIGHT = True

_MM = 1000.0
_RATES = ("DataRate", "CameraRate", "NumFrames", "NumMarkers", "Units", "OrigDataRate", "OrigDataStartFrame")


def write(poses: Poses, path: Path) -> tuple[Path, ...]:
    """Write a file per person and return them; OutputError when one cannot be written, InputError without people."""
    recording, names, _ = record_markers(poses, path)

    def write_person(track: Track, file: Path) -> None:
        with atomic_write(file) as partial:
            text = "\n".join(_lines(recording, track, names, " ".join(file.name.split()))) + "\n"
            partial.write_text(text, encoding="utf-8", newline="")

    return write_each(recording, path, write_person)


def _lines(recording: Recording, track: Track, markers: tuple[str, ...], name: str) -> Iterator[str]:
    fps, frames, present = recording.timing.fps, recording.frames, np.flatnonzero(track.present)
    yield f"PathFileType\t4\t(X/Y/Z)\t{name}"
    yield "\t".join((*_RATES, "OrigNumFrames"))
    yield f"{fps:.6g}\t{fps:.6g}\t{len(present)}\t{len(markers)}\tmm\t{fps:.6g}\t1\t{frames}"
    yield "Frame#\tTime\t" + "\t\t\t".join(markers) + "\t\t"
    yield "\t\t" + "\t".join(f"{axis}{i}" for i in range(1, len(markers) + 1) for axis in "XYZ")
    for t, points, known in zip(present, track.points[present] * _MM, track.known[present], strict=True):
        cells = (f"{value:.3f}" if k else "nan" for point, k in zip(points, known, strict=True) for value in point)
        yield f"{t + 1}\t{recording.timing.times_s[t]:.6f}\t" + "\t".join(cells)
