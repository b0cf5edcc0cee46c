"""The chosen poses as marker tracks for OpenSim: millimetres, y up, floor at 0; a file per person.

Follows OpenSim's documentation ("Marker (.trc) Files"): five header lines, cells separated by tabs. A missing marker is
`nan`, as OpenSim writes it, because OpenSim drops an empty last cell of a row and then rejects the file. All frames are
written, including those without the person, each at its true time; the rate in the header is the mean one.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from zedo_core.export._tracks import Recording, Track, record, write_each
from zedo_core.storage.files import atomic_write
from zedo_core.types import Poses

SUFFIX = ".trc"
UPRIGHT = True

_MM = 1000.0
_RATES = ("DataRate", "CameraRate", "NumFrames", "NumMarkers", "Units", "OrigDataRate", "OrigDataStartFrame")


def write(poses: Poses, path: Path) -> tuple[Path, ...]:
    """Write a file per person and return them; OutputError when one cannot be written, InputError without people."""
    recording = record(poses, path)

    def write_person(track: Track, file: Path) -> None:
        with atomic_write(file) as partial:
            text = "\n".join(_lines(recording, track, " ".join(file.name.split()))) + "\n"
            partial.write_text(text, encoding="utf-8", newline="")

    return write_each(recording, path, write_person)


def _lines(recording: Recording, track: Track, name: str) -> Iterator[str]:
    joints, fps, frames = recording.skeleton.joints, recording.timing.fps, recording.frames
    yield f"PathFileType\t4\t(X/Y/Z)\t{name}"
    yield "\t".join((*_RATES, "OrigNumFrames"))
    yield f"{fps:.6g}\t{fps:.6g}\t{frames}\t{len(joints)}\tmm\t{fps:.6g}\t1\t{frames}"
    yield "Frame#\tTime\t" + "\t\t\t".join(joints) + "\t\t"
    yield "\t\t" + "\t".join(f"{axis}{i}" for i in range(1, len(joints) + 1) for axis in "XYZ")
    for t, (points, known) in enumerate(zip(track.points * _MM, track.known, strict=True)):
        cells = (f"{value:.3f}" if k else "nan" for point, k in zip(points, known, strict=True) for value in point)
        yield f"{t + 1}\t{recording.timing.times_s[t]:.6f}\t" + "\t".join(cells)
