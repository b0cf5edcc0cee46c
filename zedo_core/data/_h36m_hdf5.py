"""Human3.6M as the earlier work on lifting has it: HDF5 for every take, with hourglass detections.

Martinez et al., A Simple yet Effective Baseline for 3D Human Pose Estimation, ICCV 2017.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from zedo_core.data._h36m_cameras import NUMBERS, camera_of, find_cameras
from zedo_core.data._h36m_sequences import (
    ALL_JOINTS,
    JOINTS,
    SPLITS,
    Sequence,
    Take,
    assembled,
    in_order,
    split_word,
    take_of,
    true_sequence,
    with_keypoints,
)
from zedo_core.data._hdf5 import floats, listed_folder, read_hdf5
from zedo_core.data._samples import Samples
from zedo_core.errors import FormatError
from zedo_core.skeleton import H36M17

_POSITIONS, _POSES = "3D_positions", "poses"  # arrays of the files; the first names their folder as well
MARKS = (_POSITIONS, _POSES, "subject9")
_DETECTIONS = "StackedHourglass"
_MM = 1e-3
# Official table: joint i of the detections is MPII[i]. The upper neck is no joint of H36M-17.
MPII = (
    *("right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle", "pelvis", "thorax"),
    *("upper_neck", "head_top", "right_wrist", "right_elbow", "right_shoulder"),
    *("left_shoulder", "left_elbow", "left_wrist"),
)


def folder_of(root: Path) -> Path | None:
    """The folder with S*/MyPoses/3D_positions that `root` is, or that it lies in as a file; None when there is none."""
    candidates = root.resolve().parents[:4] if root.is_file() else (root,)
    return next((folder for folder in candidates if any(folder.glob(f"S*/MyPoses/{_POSITIONS}/*.h5"))), None)


def read(root: Path, split: str, input: str) -> Samples:
    """The samples of a split; 2D as a camera without lens distortion sees the truth, or the detections freed of it."""
    folder = folder_of(root)
    if folder is None:
        raise FormatError(f"{root}: expected S*/MyPoses/{_POSITIONS}/*.h5, found {listed_folder(root)}")
    files = {subject: sorted(_folder_3d(folder, subject).glob("*.h5")) for subject in SPLITS[split]}
    missing = [subject for subject, paths in files.items() if not paths]
    if missing:
        where = ", ".join(f"{subject}/MyPoses/{_POSITIONS}/*.h5" for subject in missing)
        raise FormatError(
            f"{folder}: expected {where}, for {split_word(split)}, found none; there is {listed_folder(folder)}"
        )
    return assembled(list(_sequences(folder, files, input)))


def _folder_3d(folder: Path, subject: str) -> Path:
    return folder / subject / "MyPoses" / _POSITIONS


def _sequences(folder: Path, files: dict[str, list[Path]], input: str) -> Iterator[Sequence]:
    """What every camera sees, or of a file with a camera's number in its name (`Photo 1.54138969.h5`) that one."""
    cameras, source = find_cameras(folder)
    positions = _by_take([(subject, path) for subject, paths in files.items() for path in paths])
    detections: dict[Take, dict[str, Path]] = {}
    if input == "detected":
        found = [(s, path) for s in files for path in sorted((folder / s / _DETECTIONS).glob("*.h5"))]
        if not found:
            where = ", ".join(f"{subject}/{_DETECTIONS}/*.h5" for subject in files)
            raise FormatError(f"{folder}: expected detections in {where}, found none; use the input 'gt'")
        detections = _by_take(found)
    for take in in_order(positions):
        paths = positions[take]
        for number in NUMBERS:
            path = paths.get(number, paths.get(""))
            if path is None:
                continue
            camera = camera_of(cameras, source, take.subject, number)
            points = _points(path)
            true = true_sequence(take, number, camera, points)
            if input == "gt":
                yield true
                continue
            path = detections.get(take, {}).get(number)
            if path is None:
                usual = folder / take.subject / _DETECTIONS / f"{take.name}.{number}.h5"
                raise FormatError(f"{usual}: no such file; expected the detections of {true.name}")
            pixels, confidence = _detected(path, len(points))
            yield with_keypoints(str(path), true, camera, pixels, confidence, input)


def _by_take(files: list[tuple[str, Path]]) -> dict[Take, dict[str, Path]]:
    """Files by what they are about and the number of their camera, '' for those without one."""
    table: dict[Take, dict[str, Path]] = {}
    for subject, path in files:
        name, _, number = path.stem.partition(".")
        if number and number not in NUMBERS:
            raise FormatError(f"{path}: expected a camera {', '.join(NUMBERS)} in the name, found '{number}'")
        table.setdefault(take_of(path, subject, name), {})[number] = path
    return table


def _points(path: Path) -> Float[ndarray, "t 17 3"]:
    """World positions in metres, from (96, t) or (t, 96) in mm."""
    stored = read_hdf5(path, [_POSITIONS])[_POSITIONS]
    size = ALL_JOINTS * 3
    if stored.ndim == 2 and stored.shape[0] == size:  # as MATLAB stores it
        stored = stored.T
    values = floats(path, _POSITIONS, stored, (None, size))
    return values.reshape(-1, ALL_JOINTS, 3)[:, JOINTS] * _MM


def _detected(path: Path, frames: int) -> tuple[Float[ndarray, "t 17 2"], Float[ndarray, "17"]]:
    """Keypoints of the frames for which there is 3D, joints by name; confidence 0 for those that are not detected."""
    pixels = floats(path, _POSES, read_hdf5(path, [_POSES])[_POSES], (None, len(MPII), 2))
    if len(pixels) < frames:
        raise FormatError(f"{path}: expected at least {frames} frames, as in the 3D, found {len(pixels)}")
    known = [joint for joint in H36M17.joints if joint in MPII]
    xy, confidence = np.zeros((frames, len(H36M17), 2)), np.zeros(len(H36M17))
    xy[:, H36M17.indices(tuple(known))] = pixels[:frames, [MPII.index(joint) for joint in known]]
    confidence[H36M17.indices(tuple(known))] = 1.0
    return xy, confidence
