"""Motion capture from BVH files: a file, or all of a folder and the folders in it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from zedo_core.data import bvh
from zedo_core.data.bvh_joints import Person, person, unit_m, unmatched, up_votes
from zedo_core.data.mocap import Motions
from zedo_core.errors import FormatError, InputError
from zedo_core.skeleton import H36M17, Skeleton

SUFFIX = ".bvh"
UPS = ("x", "y", "z")
_FPS = 30.0  # frames beyond it are left out: they are all but the same
_MOST_SHOWN = 5  # warnings of damaged files; the rest is counted
# World axes to those with y up.
_TO_Y_UP = {
    "x": np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]),
    "y": np.eye(3),
    "z": np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]]),
}
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Clip:
    """The poses of one file in its units and axes; `person` is None where it is told by joint names alone."""

    path: Path
    poses: Float[ndarray, "t j 3"]
    person: Person | None
    fps: float


def files_of(root: Path) -> list[Path]:
    """The BVH file itself, or those of a folder and the folders in it, in order."""
    if not root.is_dir():
        return [root]
    return sorted(path for path in root.rglob("*") if path.suffix.lower() == SUFFIX and path.is_file())


def load(
    root: Path,
    skeleton: Skeleton = H36M17,
    *,
    scale: float | None = None,
    up: str | None = None,
    on_file: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[Motions, int]:
    """Read BVH files as sequences of about 30 frames a second, and say how many damaged ones were left out.

    `scale` is metres a unit; without it the unit is that among m, cm, mm, inches and CMU's (0.0564 m) in which
    a leg is a person's, file by file. `up` is the file's axis x, y or z that points up; without it that of y and z
    along which thoraxes are above ankles in the mean of all frames. A joint set whose names all are nodes is taken
    by them; else the joints of H36M-17 are matched by name (`bvh_joints`) and converted. Damaged files are
    skipped with a warning. FormatError when none is left or joints cannot be matched.
    """
    if scale is not None and not 0 < scale < np.inf:
        raise InputError(f"expected a scale in metres a unit above 0, got {scale}")
    if up is not None and up not in UPS:
        raise InputError(f"expected an upward axis out of {', '.join(UPS)}, got '{up}'")
    paths = files_of(root)
    clips, skipped = [], 0
    for done, path in enumerate(paths, 1):
        try:
            content = bvh.read(path)
        except FormatError as error:
            skipped += 1
            if skipped <= _MOST_SHOWN:
                _log.warning("%s; left out", error)
        else:
            clips.append(_clip(path, content, skeleton))
        on_file(done, len(paths))
    if not clips:
        raise FormatError(f"{root}: expected BVH files, found {len(paths)} of which {skipped} are damaged")
    if skipped:
        _log.warning("%s: %d of %d BVH files are damaged and were left out", root, skipped, len(paths))
    return _joined(root, clips, skeleton, scale, up), skipped


def _clip(path: Path, content: bvh.Bvh, skeleton: Skeleton) -> _Clip:
    content = content.every(max(1, round(1 / content.frame_time_s / _FPS)))
    nodes, fps = bvh.node_positions(content), 1 / content.frame_time_s
    places = {name: k for k, name in enumerate(content.names) if name}
    if set(skeleton.joints) <= places.keys() and skeleton != H36M17:
        try:
            body = person(path, content, nodes)
        except FormatError:  # a joint set of its own need not be that of a person
            body = None
        return _Clip(path, nodes[:, [places[joint] for joint in skeleton.joints]], body, fps)
    body = person(path, content, nodes)
    one = Motions(positions=body.joints, sequence=np.zeros(len(nodes), int), names=("",), sources=("",), fps=(fps,))
    try:
        return _Clip(path, one.to_skeleton(skeleton).positions, body, fps)
    except FormatError:
        raise unmatched(path, content, [joint for joint in skeleton.joints if joint not in places]) from None


def _joined(root: Path, clips: list[_Clip], skeleton: Skeleton, scale: float | None, up: str | None) -> Motions:
    """All clips in metres, y up."""
    to_y_up = _TO_Y_UP[up or _guessed_up(clips)]
    positions = []
    for clip in clips:
        if scale is None and clip.person is None:
            raise FormatError(f"{clip.path}: no legs to tell the unit by; say metres a unit by --scale")
        metres = scale or unit_m(clip.path, clip.person.leg if clip.person else 0.0)
        positions.append((clip.poses * metres) @ to_y_up.T)
    folder = root if root.is_dir() else root.parent
    return Motions(
        positions=np.concatenate(positions).astype(np.float32),
        sequence=np.repeat(np.arange(len(clips)), [len(clip.poses) for clip in clips]),
        names=tuple(clip.path.relative_to(folder).as_posix() for clip in clips),
        sources=("bvh",) * len(clips),
        fps=tuple(clip.fps for clip in clips),
        skeleton=skeleton,
    )


def _guessed_up(clips: list[_Clip]) -> str:
    """y, unless people stand along z."""
    votes = sum((up_votes(clip.person) for clip in clips if clip.person), np.zeros(3))
    return "z" if votes[2] > abs(votes[1]) else "y"
