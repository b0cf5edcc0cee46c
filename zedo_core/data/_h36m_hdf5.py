"""Human3.6M in the format of earlier work on lifting: an HDF5 file for every take, with hourglass detections.

Martinez et al., A Simple yet Effective Baseline for 3D Human Pose Estimation, ICCV 2017.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from zedo_core.data._h36m_cameras import NUMBERS, find_camera, find_cameras
from zedo_core.data._h36m_sequences import (
    ALL_JOINTS,
    JOINTS,
    SPLITS,
    Sequence,
    Take,
    concatenate,
    describe_split,
    parse_take,
    sort_takes,
    true_sequence,
    warn_of_missing,
    with_keypoints,
)
from zedo_core.data._hdf5 import floats, read_hdf5, summarize_folder
from zedo_core.data._samples import Samples
from zedo_core.errors import FormatError
from zedo_core.skeleton import H36M17

_POSITIONS, _POSES = "3D_positions", "poses"  # arrays of the files; the first is also the name of their folder
FIELDS = (_POSITIONS, _POSES, "subject9")
_DETECTIONS = "StackedHourglass"
_MM = 1e-3
# Official table: joint i of the detections is MPII[i]. H36M-17 has no upper neck.
MPII = (
    *("right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle", "pelvis", "thorax"),
    *("upper_neck", "head_top", "right_wrist", "right_elbow", "right_shoulder"),
    *("left_shoulder", "left_elbow", "left_wrist"),
)


def find_folder(root: Path) -> Path | None:
    """The folder with S*/MyPoses/3D_positions: `root` itself, or one that contains the file `root`; else None."""
    candidates = root.resolve().parents[:4] if root.is_file() else (root,)
    return next((folder for folder in candidates if any(folder.glob(f"S*/MyPoses/{_POSITIONS}/*.h5"))), None)


def read(root: Path, split: str, input: str) -> Samples:
    """The samples of a split; 2D is the projection of the ground truth or the detections, without lens distortion."""
    folder = find_folder(root)
    if folder is None:
        raise FormatError(f"{root}: expected S*/MyPoses/{_POSITIONS}/*.h5, found {summarize_folder(root)}")
    files = {subject: sorted(_folder_3d(folder, subject).glob("*.h5")) for subject in SPLITS[split]}
    missing = [subject for subject, paths in files.items() if not paths]
    if missing and len(missing) < len(files):
        warn_of_missing(folder, missing, split)
        files = {subject: paths for subject, paths in files.items() if paths}
    elif missing:
        where = ", ".join(f"{subject}/MyPoses/{_POSITIONS}/*.h5" for subject in missing)
        raise FormatError(
            f"{folder}: expected {where}, for {describe_split(split)}, found none; there is {summarize_folder(folder)}"
        )
    return concatenate(list(_sequences(folder, files, input)))


def _folder_3d(folder: Path, subject: str) -> Path:
    return folder / subject / "MyPoses" / _POSITIONS


def _sequences(folder: Path, files: dict[str, list[Path]], input: str) -> Iterator[Sequence]:
    """The sequences of all cameras, or of the one whose number the file name has (`Photo 1.54138969.h5`)."""
    cameras, source = find_cameras(folder)
    positions = _group_by_take([(subject, path) for subject, paths in files.items() for path in paths])
    detections: dict[Take, dict[str, Path]] = {}
    if input == "detected":
        found = [(s, path) for s in files for path in sorted((folder / s / _DETECTIONS).glob("*.h5"))]
        if not found:
            where = ", ".join(f"{subject}/{_DETECTIONS}/*.h5" for subject in files)
            raise FormatError(f"{folder}: expected detections in {where}, found none; use the input 'gt'")
        detections = _group_by_take(found)
    for take in sort_takes(positions):
        paths = positions[take]
        for number in NUMBERS:
            path = paths.get(number, paths.get(""))
            if path is None:
                continue
            camera = find_camera(cameras, source, take.subject, number)
            points = _read_points(path)
            true = true_sequence(take, number, camera, points)
            if input == "gt":
                yield true
                continue
            path = detections.get(take, {}).get(number)
            if path is None:
                usual = folder / take.subject / _DETECTIONS / f"{take.name}.{number}.h5"
                raise FormatError(f"{usual}: no such file; expected the detections of {true.name}")
            pixels, confidence = _read_detections(path, len(points))
            yield with_keypoints(str(path), true, camera, pixels, confidence, input)


def _group_by_take(files: list[tuple[str, Path]]) -> dict[Take, dict[str, Path]]:
    """Files by take and camera number, '' for files without a number."""
    table: dict[Take, dict[str, Path]] = {}
    for subject, path in files:
        name, _, number = path.stem.partition(".")
        if number and number not in NUMBERS:
            raise FormatError(f"{path}: expected a camera {', '.join(NUMBERS)} in the name, found '{number}'")
        table.setdefault(parse_take(path, subject, name), {})[number] = path
    return table


def _read_points(path: Path) -> Float[ndarray, "t 17 3"]:
    """World positions in metres, from (96, t) or (t, 96) in mm."""
    stored = read_hdf5(path, [_POSITIONS])[_POSITIONS]
    size = ALL_JOINTS * 3
    if stored.ndim == 2 and stored.shape[0] == size:  # MATLAB's axis order
        stored = stored.T
    values = floats(path, _POSITIONS, stored, (None, size))
    return values.reshape(-1, ALL_JOINTS, 3)[:, JOINTS] * _MM


def _read_detections(path: Path, frames: int) -> tuple[Float[ndarray, "t 17 2"], Float[ndarray, "17"]]:
    """Keypoints of the frames for which there is 3D, joints by name; confidence 0 for joints that are not detected."""
    pixels = floats(path, _POSES, read_hdf5(path, [_POSES])[_POSES], (None, len(MPII), 2))
    if len(pixels) < frames:
        raise FormatError(f"{path}: expected at least {frames} frames, as in the 3D file, found {len(pixels)}")
    known = [joint for joint in H36M17.joints if joint in MPII]
    xy, confidence = np.zeros((frames, len(H36M17), 2)), np.zeros(len(H36M17))
    xy[:, H36M17.indices(tuple(known))] = pixels[:frames, [MPII.index(joint) for joint in known]]
    confidence[H36M17.indices(tuple(known))] = 1.0
    return xy, confidence
