"""What priors are trained on: motion capture, arrays, BVH, and the data sets' own training files, as one mixture.

The data sets give poses in camera axes. These are taken as upright (y up is the camera's -y): what a camera looks
down or up by stays in the poses, as if the people leant so.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zedo_core.data import DATASETS, _h36m_hdf5, bvh_motions, load_samples, mocap
from zedo_core.data._h36m_files import described, fields, files_beside
from zedo_core.data.mixture import Mixture
from zedo_core.data.mocap import Motions
from zedo_core.errors import FormatError, InputError
from zedo_core.skeleton import H36M17, Skeleton, conversion
from zedo_core.storage.files import sha256_of

_ARRAYS = (".npz", ".npy")
_Y_UP_FROM_CAM = np.array([1.0, -1.0, -1.0], np.float32)
# Fields by which the training files of the data sets are known; all of one entry have to be there.
_MARKS = (
    ("h36m", {"joint_3d_camera", "joint_3d_image"}),
    ("h36m", {"positions_3d"}),
    ("3dpw", {"keypoints3d17_relative"}),
    ("3dpw", {"jointPositions"}),
    ("3dhp", {"joint_3d_camera", "joint_2d"}),
    ("3dhp", {"annot3"}),
)
_KINDS = "motion capture as npz or npy (n, j, 3), BVH, or the training files of Human3.6M, 3DPW or MPI-INF-3DHP"


@dataclass(frozen=True, kw_only=True)
class Source:
    """One data set that went into a mixture; `sha256` is the file's, or of the poses where it is a folder."""

    path: str
    kind: str
    weight: float
    sequences: int
    frames: int
    damaged: int  # files that were left out
    sha256: str


def load_mixture(
    data: Sequence[tuple[Path, float]],
    skeleton: Skeleton = H36M17,
    split: str | None = None,
    *,
    scale: float | None = None,
    up: str | None = None,
    on_file: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[Mixture, tuple[Source, ...]]:
    """Read data sets with their weights into one mixture in the joints of `skeleton`.

    What a path is, is told by its content. `split` is that of motion capture (all without) and of data sets
    (`train` without); `scale` and `up` are for BVH (see `bvh_motions`). InputError or FormatError when something
    cannot be used.
    """
    parts, sources = [], []
    for path, weight in data:
        kind = kind_of(path)
        motions, damaged = _load(path, kind, skeleton, split, scale, up, on_file)
        parts.append(motions)
        sources.append(
            Source(
                path=str(path),
                kind=kind,
                weight=weight,
                sequences=len(motions.names),
                frames=len(motions),
                damaged=damaged,
                sha256=sha256_of(path) if path.is_file() else _digest(motions),
            )
        )
    return Mixture.of(parts, [weight for _, weight in data]), tuple(sources)


def weighted_path(text: str) -> tuple[Path, float]:
    """`PATH[:WEIGHT]` apart; a path whose own name ends so is taken as it is. InputError for a weight of 0 or less."""
    path, colon, tail = text.rpartition(":")
    try:
        weight = float(tail)
    except ValueError:
        return Path(text), 1.0
    if not colon or not path or Path(text).exists():
        return Path(text), 1.0
    if not 0 < weight < np.inf:
        raise InputError(f"--data: expected a weight above 0 behind the path, got '{text}'")
    return Path(path), weight


def kind_of(path: Path) -> str:
    """`bvh`, `mocap` or a data set's name, told by content; FormatError when it is none."""
    if not path.exists():
        raise FormatError(f"{path}: no such file or folder; expected {_KINDS}")
    if path.is_file():
        if path.suffix.lower() == bvh_motions.SUFFIX:
            return "bvh"
        return _dataset(path, [path]) or ("mocap" if path.suffix.lower() in _ARRAYS else _none(path))
    if bvh_motions.files_of(path):
        return "bvh"
    files = files_beside(path, (*_ARRAYS, ".pkl", ".pickle"))
    if found := _dataset(path, files):
        return found
    if any(file.suffix.lower() in _ARRAYS for file in files):
        return "mocap"
    return _none(path)


def _dataset(root: Path, files: Sequence[Path]) -> str | None:
    for name, marks in _MARKS:
        if any(marks <= fields(file) for file in files):
            return name
    if (root / "sequenceFiles").is_dir():
        return "3dpw"
    if any((root / f"TS{i}" / "annot_data.mat").is_file() for i in range(1, 7)):
        return "3dhp"
    return "h36m" if root.is_dir() and _h36m_hdf5.folder_of(root) is not None else None


def _none(path: Path) -> str:
    raise FormatError(f"{path}: expected {_KINDS}, found {described(path)}")


def _load(
    path: Path,
    kind: str,
    skeleton: Skeleton,
    split: str | None,
    scale: float | None,
    up: str | None,
    on_file: Callable[[int, int], None],
) -> tuple[Motions, int]:
    if kind == "bvh":
        return bvh_motions.load(path, skeleton, scale=scale, up=up, on_file=on_file)
    if kind == "mocap":
        files = [path] if path.is_file() else files_beside(path, _ARRAYS)
        parts = [mocap.load(file, split, skeleton=skeleton) for file in files]
        return Mixture.of(parts).motions, 0
    assert kind in DATASETS
    return _of_samples(path, kind, skeleton, split or "train"), 0


def _of_samples(path: Path, kind: str, skeleton: Skeleton, split: str) -> Motions:
    """The true poses of a data set, its camera's axes turned up."""
    samples = load_samples(kind, path, split)
    used = np.flatnonzero(conversion(H36M17, skeleton).weights.any(0))
    if lacking := {H36M17.joints[joint] for joint in used} - set(samples.evaluated):
        raise FormatError(
            f"{path}: {kind} in this form does not know {', '.join(sorted(lacking))}, which {skeleton.name} needs; "
            "train with --skeleton lsp-14"
        )
    return Motions(
        positions=samples.joints_cam.astype(np.float32) * _Y_UP_FROM_CAM,
        sequence=samples.sequence,
        names=samples.sequences,
        sources=(kind,) * len(samples.sequences),
        fps=(30.0,) * len(samples.sequences),
    ).to_skeleton(skeleton, str(path))


def _digest(motions: Motions) -> str:
    return hashlib.sha256(motions.positions.tobytes()).hexdigest()
