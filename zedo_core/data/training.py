"""Training data for priors: motion capture as arrays or BVH, and the training files of data sets, as one mixture.

Data sets give poses in camera axes. Cameras are treated as level (y up is the camera's -y): a camera's pitch remains in
the poses, as if the people were leaning.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zedo_core.data import DATASETS, _h36m_hdf5, _h36m_pickle, _h36m_videopose, bvh_motions, load_samples, mocap
from zedo_core.data._h36m_files import describe, fields, files_in_folder
from zedo_core.data.mixture import Mixture
from zedo_core.data.mocap import Motions
from zedo_core.data.shards import SUFFIXES, Stream
from zedo_core.errors import FormatError, InputError
from zedo_core.skeleton import H36M17, Skeleton, conversion
from zedo_core.storage.files import sha256_of

Y_UP_FROM_CAM = np.array([1.0, -1.0, -1.0], np.float32)
# Fields that identify the training files of the data sets; all fields of an entry must be present.
_DATASET_FIELDS = (
    ("h36m", {"joint_3d_camera", "joint_3d_image"}),
    ("h36m", {"positions_3d"}),
    ("3dpw", {"keypoints3d17_relative"}),
    ("3dpw", {"jointPositions"}),
    ("3dhp", {"joint_3d_camera", "joint_2d"}),
    ("3dhp", {"annot3"}),
)
_KINDS = (
    "motion capture as npz, npy or Parquet (n, j, 3), BVH, or the training files of Human3.6M, 3DPW or MPI-INF-3DHP"
)


@dataclass(frozen=True, kw_only=True)
class DataSource:
    """One data set of a mixture; `sha256` is that of the file, or of the poses of a folder."""

    path: str
    kind: str
    weight: float
    sequences: int
    frames: int
    damaged: int  # number of files, or frames of pairs, left out
    sha256: str
    note: str = ""  # units, axes and heights that were taken


def load_mixture(
    data: Sequence[tuple[Path, float]],
    skeleton: Skeleton = H36M17,
    split: str | None = None,
    *,
    scale: float | None = None,
    up: str | None = None,
    on_file: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[Mixture, tuple[DataSource, ...]]:
    """Read data sets with their weights into one mixture in the joints of `skeleton`.

    The kind of each path is detected from its content. `split` applies to motion capture (default: all sequences) and
    to data sets (default: `train`); `scale` and `up` are for BVH (see `bvh_motions`). InputError or FormatError when
    something cannot be used.
    """
    parts, sources = [], []
    for path, weight in data:
        kind = detect_kind(path)
        motions, damaged = _load(path, kind, skeleton, split, scale, up, on_file)
        parts.append(motions)
        sources.append(
            DataSource(
                path=str(path),
                kind=kind,
                weight=weight,
                sequences=len(motions.names),
                frames=len(motions),
                damaged=damaged,
                sha256=sha256_of(path) if path.is_file() else _digest(motions),
                note=motions.note,
            )
        )
    return Mixture.from_parts(parts, [weight for _, weight in data]), tuple(sources)


def stream_mixture(
    data: Sequence[tuple[Path, float]], skeleton: Skeleton, frames: int, seed: int
) -> tuple[Mixture, tuple[DataSource, ...]]:
    """Motion capture larger than memory, as a `Stream` in blocks of at most `frames` frames.

    The mixture's own frames are a shard of each data set; `hold_out` reads the first block.
    """
    stream = Stream.from_data(data, frames, skeleton, seed)
    sha256 = stream.sha256
    sources = tuple(
        DataSource(
            path=str(path),
            kind="stream",
            weight=weight,
            sequences=sum(map(len, chunks)),
            frames=sum(shard.frames for chunk in chunks for shard in chunk),
            damaged=0,
            sha256=sha256,
            note=f"in {len(chunks)} blocks",
        )
        for (path, weight), chunks in zip(data, stream.chunks, strict=True)
    )
    return stream.sample(), sources


def parse_weighted_path(text: str, option: str = "--data") -> tuple[Path, float]:
    """The parts of `PATH[:WEIGHT]`; an existing path is not split. InputError for a weight of 0 or less."""
    path, colon, tail = text.rpartition(":")
    try:
        weight = float(tail)
    except ValueError:
        return Path(text), 1.0
    if not colon or not path or Path(text).exists():
        return Path(text), 1.0
    if not 0 < weight < np.inf:
        raise InputError(f"{option}: expected a weight above 0 after the path, got '{text}'")
    return Path(path), weight


def detect_kind(path: Path) -> str:
    """`bvh`, `mocap` or the name of a data set, detected from content; FormatError when it is none of them."""
    if not path.exists():
        raise FormatError(f"{path}: no such file or folder; expected {_KINDS}")
    if path.is_file():
        if path.suffix.lower() == bvh_motions.SUFFIX:
            return "bvh"
        kind = _detect_dataset(path, [path]) or ("mocap" if path.suffix.lower() in SUFFIXES else None)
    elif bvh_motions.find_files(path):
        return "bvh"
    else:
        files = files_in_folder(path, (*SUFFIXES, ".pkl", ".pickle"))
        has_arrays = any(file.suffix.lower() in SUFFIXES for file in files)
        kind = _detect_dataset(path, files) or ("mocap" if has_arrays else None)
    if kind is None:
        raise FormatError(f"{path}: expected {_KINDS}, found {describe(path)}")
    return kind


def _detect_dataset(root: Path, files: Sequence[Path]) -> str | None:
    for name, required in _DATASET_FIELDS:
        if any(required <= fields(file) for file in files):
            return name
    if (root / "sequenceFiles").is_dir():
        return "3dpw"
    if any((root / f"TS{i}" / "annot_data.mat").is_file() for i in range(1, 7)):
        return "3dhp"
    return "h36m" if root.is_dir() and _h36m_hdf5.find_folder(root) is not None else None


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
        files = [path] if path.is_file() else files_in_folder(path, SUFFIXES)
        parts = [mocap.load(file, split, skeleton=skeleton) for file in files]
        return Mixture.from_parts(parts).motions, 0
    assert kind in DATASETS
    if kind == "h36m" and (file := _videopose_file(path)) is not None:
        return _h36m_videopose.motions(file, split or "train").to_skeleton(skeleton, str(path)), 0
    return _load_dataset(path, kind, skeleton, split or "train"), 0


def _videopose_file(path: Path) -> Path | None:
    """VideoPose3D's file of positions, if Human3.6M is in that form, whose world is upright without cameras."""
    files = [path] if path.is_file() else files_in_folder(path, (".npz", ".pkl", ".pickle"))
    if any(fields(file) >= set(_h36m_pickle.SAMPLE_FIELDS) for file in files):
        return None  # which `h36m` reads first
    return next((file for file in files if _h36m_videopose.ARRAY_3D in fields(file)), None)


def _load_dataset(path: Path, kind: str, skeleton: Skeleton, split: str) -> Motions:
    """The true poses of a data set, from camera axes to axes with y up."""
    samples = load_samples(kind, path, split)
    used = np.flatnonzero(conversion(H36M17, skeleton).weights.any(0))
    if missing := {H36M17.joints[joint] for joint in used} - set(samples.evaluated):
        raise FormatError(
            f"{path}: {kind} in this format lacks {', '.join(sorted(missing))}, which {skeleton.name} needs; "
            "train with --skeleton lsp-14"
        )
    return Motions(
        positions=samples.joints_cam.astype(np.float32) * Y_UP_FROM_CAM,
        sequence=samples.sequence,
        names=samples.sequences,
        sources=(kind,) * len(samples.sequences),
        fps=(30.0,) * len(samples.sequences),
    ).to_skeleton(skeleton, str(path))


def _digest(motions: Motions) -> str:
    return hashlib.sha256(motions.positions.tobytes()).hexdigest()
