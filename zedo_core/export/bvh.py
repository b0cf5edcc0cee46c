"""The chosen poses as BVH motion: centimetres and degrees, y up, floor at 0; a file per person.

Programs expect centimetres in BVH; in Blender use an import scale of 0.01. The rest pose is a T-pose, and rotations are
in the order Z, X, Y, the most common one. The root's offset is 0, since some programs add it to the positions and
others do not. BVH cannot represent gaps: frames without the person are interpolated, or hold the nearest pose. It has
one frame rate, to which frames that are not evenly spaced in time are resampled.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy.spatial.transform import Rotation

from zedo_core.export._rig import Motion, solve
from zedo_core.export._timing import resample, resample_rotations
from zedo_core.export._tracks import Track, record, write_each
from zedo_core.storage.files import atomic_write
from zedo_core.types import Poses

SUFFIX = ".bvh"
UPRIGHT = True

_CM = 100.0
_ROTATIONS = "Zrotation Xrotation Yrotation"
# End sites in centimetres, for display only: hands, feet and crown are not observed.
_ENDS = {
    "left_wrist": (8, 0, 0),
    "right_wrist": (-8, 0, 0),
    "left_ankle": (0, 0, 12),
    "right_ankle": (0, 0, 12),
    "head_top": (0, 4, 0),
}

_log = logging.getLogger(__name__)


def write(poses: Poses, path: Path) -> tuple[Path, ...]:
    """Write a file per person and return them; OutputError when one cannot be written, InputError without people."""
    recording = record(poses, path)
    fixed, times_s = recording.at_fixed_rate(path), recording.timing.times_s

    def write_person(track: Track, file: Path) -> None:
        motion = solve(track.points, recording.skeleton, times_s)
        if not recording.timing.even:
            root = resample(motion.root, times_s, fixed.times_s)
            rotations = resample_rotations(motion.rotations, times_s, fixed.times_s)
            motion = replace(motion, root=root, rotations=rotations)
        _warn_of_gaps(track, file)
        with atomic_write(file) as partial:
            lines = (*_hierarchy(motion), *_motion(motion, fixed.fps))
            partial.write_text("\n".join(lines) + "\n", encoding="ascii", newline="")

    return write_each(recording, path, write_person)


def _warn_of_gaps(track: Track, file: Path) -> None:
    gaps = int((~track.known.all(-1)).sum())
    if gaps:
        frames = len(track.points)
        _log.warning(
            "%s: %d of %d frames lack the person or a joint; they are interpolated or held, as BVH has no gaps",
            file.name,
            gaps,
            frames,
        )


def _hierarchy(motion: Motion) -> Iterator[str]:
    yield "HIERARCHY"
    yield from _branch(motion, 0, "")


def _branch(motion: Motion, k: int, indent: str) -> Iterator[str]:
    """A node with its descendants."""
    node = motion.nodes[k]
    inner = indent + "\t"
    yield f"{indent}{'ROOT' if node.parent < 0 else 'JOINT'} {node.name}"
    yield indent + "{"
    yield f"{inner}OFFSET {_numbers(motion.offsets[k] * _CM)}"
    positions = "6 Xposition Yposition Zposition" if node.parent < 0 else "3"
    yield f"{inner}CHANNELS {positions} {_ROTATIONS}"
    for index, child in enumerate(motion.nodes):
        if child.parent == k:
            yield from _branch(motion, index, inner)
    if node.name in _ENDS:
        yield from (f"{inner}End Site", inner + "{", f"{inner}\tOFFSET {_numbers(np.array(_ENDS[node.name]))}")
        yield inner + "}"
    yield indent + "}"


def _motion(motion: Motion, fps: float) -> Iterator[str]:
    yield "MOTION"
    yield f"Frames: {len(motion.root)}"
    yield f"Frame Time: {1 / fps:.8f}"
    angles = _angles(motion.rotations).reshape(len(motion.root), -1)
    for row in np.concatenate([motion.root * _CM, angles], axis=1):
        yield _numbers(row)


def _angles(rotations: Float[ndarray, "t k 3 3"]) -> Float[ndarray, "t k 3"]:
    """Degrees about z, x and y, in this order, without jumps by full turns between frames."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Gimbal lock")  # any of the solutions will do
        flat = Rotation.from_matrix(rotations.reshape(-1, 3, 3)).as_euler("ZXY", degrees=True)
    return np.unwrap(flat.reshape(*rotations.shape[:2], 3), period=360, axis=0)


def _numbers(values: Float[ndarray, " n"] | ndarray) -> str:
    return " ".join(f"{value:.5f}" for value in values.tolist())
