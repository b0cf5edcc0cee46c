"""The chosen poses as BVH motion: centimetres and degrees, y up, floor at 0; a file per person.

Programs expect centimetres in BVH; in Blender use an import scale of 0.01. The rest pose is a T-pose, and rotations are
in the order Z, X, Y, the most common one, unless another is smoother; with `lafan` names both are those of LAFAN1. The
root's offset is 0, since some programs add it to the positions and others do not. BVH cannot represent gaps: frames
without the person are interpolated, or hold the nearest pose. It has one frame rate, to which frames that are not
evenly spaced in time are resampled.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from zedo_core.export import _lafan
from zedo_core.export._names import DEFAULT_NAMES, bone_names
from zedo_core.export._rig import Motion
from zedo_core.export._solve import solve
from zedo_core.export._timing import resample, resample_rotations
from zedo_core.export._tracks import Track, record, write_each
from zedo_core.export._turns import euler_angles
from zedo_core.storage.files import atomic_write
from zedo_core.types import Poses

SUFFIX = ".bvh"
UPRIGHT = True
BONES = True

_CM = 100.0
_ORDERS = ("ZXY", "XZY", "YZX", "ZYX", "XYZ", "YXZ")

_log = logging.getLogger(__name__)


def write(poses: Poses, path: Path, *, names: str = DEFAULT_NAMES) -> tuple[Path, ...]:
    """Write a file per person and return them, with bones named as in a program, see `zedo_core.export._names`.

    OutputError when one cannot be written, InputError without people.
    """
    bones, is_lafan = bone_names(names), names == "lafan"
    recording = record(poses, path)
    fixed, times_s = recording.at_fixed_rate(path), recording.timing.times_s

    def write_person(track: Track, file: Path) -> None:
        motion = solve(track.points, recording.skeleton, times_s, rigid_pelvis=is_lafan)
        if not recording.timing.even:
            root = resample(motion.root, times_s, fixed.times_s)
            rotations = resample_rotations(motion.rotations, times_s, fixed.times_s)
            motion = replace(motion, root=root, rotations=rotations)
        motion = _lafan.lafan(motion) if is_lafan else motion
        order, angles = euler_angles(motion.rotations, [_lafan.ORDER] if is_lafan else _ORDERS)
        _warn_of_gaps(track, file)
        with atomic_write(file) as partial:
            lines = (*_hierarchy(motion, bones, order), *_motion(motion.root, angles, fixed.fps))
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


def _hierarchy(motion: Motion, bones: dict[str, str], order: str) -> Iterator[str]:
    channels = " ".join(f"{axis}rotation" for axis in order)

    def branch(k: int, indent: str) -> Iterator[str]:
        """A node with its descendants."""
        node, inner = motion.nodes[k], indent + "\t"
        yield f"{indent}{'ROOT' if node.parent < 0 else 'JOINT'} {bones[node.name]}"
        yield indent + "{"
        yield f"{inner}OFFSET {_numbers(motion.offsets[k] * _CM)}"
        yield f"{inner}CHANNELS {'6 Xposition Yposition Zposition' if node.parent < 0 else '3'} {channels}"
        for index, child in enumerate(motion.nodes):
            if child.parent == k:
                yield from branch(index, inner)
        if node.end is not None:
            yield from (f"{inner}End Site", inner + "{", f"{inner}\tOFFSET {_numbers(np.array(node.end) * _CM)}")
            yield inner + "}"
        yield indent + "}"

    yield "HIERARCHY"
    yield from branch(0, "")


def _motion(root: Float[ndarray, "t 3"], angles: Float[ndarray, "t k 3"], fps: float) -> Iterator[str]:
    yield "MOTION"
    yield f"Frames: {len(root)}"
    yield f"Frame Time: {1 / fps:.10f}"
    for row in np.concatenate([root * _CM, angles.reshape(len(root), -1)], axis=1):
        yield _numbers(row)


def _numbers(values: Float[ndarray, " n"] | ndarray) -> str:
    return " ".join(f"{value:.6f}" for value in values.tolist())
