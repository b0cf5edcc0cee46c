"""Motion capture from BVH files: a single file, or all files of a folder and its subfolders."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from zedo_core.data import bvh
from zedo_core.data.bvh_joints import Person, guess_unit_m, height_m, match_person, unmatched_error, up_votes
from zedo_core.data.mocap import Motions
from zedo_core.errors import FormatError, InputError
from zedo_core.skeleton import H36M17, Skeleton

SUFFIX = ".bvh"
UP_AXES = ("x", "y", "z")
_FPS = 30.0  # higher rates are reduced, since successive frames are almost the same
_MAX_WARNINGS = 5  # about files that are left out; further ones are only counted
_ADULTS_M = (1.35, 2.15)
# Rotations from the axes of the file to axes with y up.
_TO_Y_UP = {
    "x": np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]),
    "y": np.eye(3),
    "z": np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]]),
}
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Clip:
    """The poses of one file in its units and axes; `person` is None for joint sets that are not those of a person."""

    path: Path
    poses: Float[ndarray, "t j 3"]
    person: Person | None
    fps: float
    unit_m: float  # metres per unit


def find_files(root: Path) -> list[Path]:
    """The file itself, or the sorted BVH files of a folder and its subfolders."""
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
    """Read BVH files as sequences of at most about 30 fps; also returns the number of files left out.

    `scale` is in metres per unit; by default the unit of each file is chosen among m, cm, mm, inches and CMU's (0.0564
    m) such that legs have a human length. `up` is the axis x, y or z of the files that points up; by default y or z,
    whichever points from ankles to thorax on average over all frames. If nodes exist for all names of a joint set, they
    are used directly; otherwise the joints of H36M-17 are matched by name (`bvh_joints`) and converted. Files that are
    damaged, cannot be matched or have no known unit are left out with a warning. FormatError when none is left.
    """
    if scale is not None and not 0 < scale < np.inf:
        raise InputError(f"expected a scale in metres per unit above 0, got {scale}")
    if up is not None and up not in UP_AXES:
        raise InputError(f"expected one of {', '.join(UP_AXES)} as the upward axis, got '{up}'")
    paths = find_files(root)
    clips: list[_Clip] = []
    left_out: list[FormatError] = []
    for done, path in enumerate(paths, 1):
        try:
            clips.append(_clip(path, bvh.read(path), skeleton, scale))
        except FormatError as error:
            left_out.append(error)
        on_file(done, len(paths))
    if not clips and len(left_out) == 1:
        raise left_out[0]
    if not clips:
        first = f", the first of which: {left_out[0]}" if left_out else ""
        raise FormatError(f"{root}: expected BVH files, found {len(paths)}, none of which can be used{first}")
    for error in left_out[:_MAX_WARNINGS]:
        _log.warning("%s; left out", error)
    if left_out:
        _log.warning("%s: %d of %d BVH files cannot be used and were left out", root, len(left_out), len(paths))
    return _merge(root, clips, skeleton, up), len(left_out)


def _clip(path: Path, content: bvh.Bvh, skeleton: Skeleton, scale: float | None) -> _Clip:
    poses, person, fps = _match(path, content, skeleton)
    if scale is None and person is None:
        raise FormatError(f"{path}: cannot determine the unit without legs; give the metres per unit by --scale")
    return _Clip(path, poses, person, fps, scale or guess_unit_m(path, person.leg if person else 0.0))


def _match(path: Path, content: bvh.Bvh, skeleton: Skeleton) -> tuple[Float[ndarray, "t j 3"], Person | None, float]:
    """Poses in the joints of `skeleton`, the person if it is one, and the frame rate."""
    content = content.subsample(max(1, round(1 / content.frame_time_s / _FPS)))
    nodes, fps = bvh.node_positions(content), 1 / content.frame_time_s
    index = {name: k for k, name in enumerate(content.names) if name}
    if set(skeleton.joints) <= index.keys() and skeleton != H36M17:
        try:
            person = match_person(path, content, nodes)
        except FormatError:  # a custom joint set need not be that of a person
            person = None
        return nodes[:, [index[joint] for joint in skeleton.joints]], person, fps
    person = match_person(path, content, nodes)
    motion = Motions(
        positions=person.joints, sequence=np.zeros(len(nodes), int), names=("",), sources=("",), fps=(fps,)
    )
    try:
        return motion.to_skeleton(skeleton).positions, person, fps
    except FormatError:
        raise unmatched_error(path, content, [joint for joint in skeleton.joints if joint not in index]) from None


def _merge(root: Path, clips: list[_Clip], skeleton: Skeleton, up: str | None) -> Motions:
    """All clips in metres, y up."""
    up = up or _guess_up(clips)
    to_y_up = _TO_Y_UP[up]
    positions = [(clip.poses * clip.unit_m) @ to_y_up.T for clip in clips]
    folder = root if root.is_dir() else root.parent
    return Motions(
        positions=np.concatenate(positions).astype(np.float32),
        sequence=np.repeat(np.arange(len(clips)), [len(clip.poses) for clip in clips]),
        names=tuple(clip.path.relative_to(folder).as_posix() for clip in clips),
        sources=("bvh",) * len(clips),
        fps=tuple(clip.fps for clip in clips),
        skeleton=skeleton,
        note=_note(root, clips, up),
    )


def _note(root: Path, clips: list[_Clip], up: str) -> str:
    """The units, the upward axis and the heights that were taken; a warning where people are no adults."""
    heights = np.array([height_m(clip.person, clip.unit_m) for clip in clips if clip.person])
    if not len(heights):
        return ""
    units = ", ".join(f"{unit:g}" for unit in sorted({round(clip.unit_m, 6) for clip in clips}))
    text = f"{units} m per unit, {up} up, people of {heights.min():.2f} to {heights.max():.2f} m"
    odd = (heights < _ADULTS_M[0]) | (heights > _ADULTS_M[1])
    if odd.any():
        _log.warning(
            "%s: %s; %d of %d files have no adult, check --scale and --up", root, text, odd.sum(), len(heights)
        )
    return text


def _guess_up(clips: list[_Clip]) -> str:
    """z if people stand along it, else y."""
    votes = sum((up_votes(clip.person) for clip in clips if clip.person), np.zeros(3))
    return "z" if votes[2] > abs(votes[1]) else "y"
