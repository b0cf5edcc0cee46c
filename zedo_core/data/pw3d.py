"""3DPW: people in the wild with true 3D, in the format of the official ZeDO code or the original one.

von Marcard et al., Recovering Accurate 3D Human Pose in The Wild Using IMUs and a Moving Camera, ECCV 2018.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from pathlib import Path, PurePosixPath

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from zedo_core.data._hdf5 import ZIP, check_options, floats, starts_with, summarize, summarize_folder
from zedo_core.data._samples import Samples, index_labels, pinhole_matrices, project
from zedo_core.errors import FormatError
from zedo_core.skeleton import H36M17, LSP14, conversion
from zedo_core.storage.pickles import load_object_npz, load_pickle

NAME = "3dpw"
SPLITS = ("train", "validation", "test")
_NPZ_FIELDS = ("keypoints3d17_relative", "root_cam", "cam_param", "image_path")
_PKL_FIELDS = ("sequence", "jointPositions", "cam_poses", "cam_intrinsics", "campose_valid")
# Official table of the npz: its joint i is joint TO_H36M[i] of H36M-17.
TO_H36M = (5, 2, 6, 3, 11, 14, 12, 15, 13, 16, 1, 4, 8, 10, 0, 7, 9)
# Official table of SMPL's joints; those with an equivalent in LSP-14 have its names. As usual, SMPL's neck and head are
# used for thorax and head top.
SMPL = (
    *("root", "left_hip", "right_hip", "spine1", "left_knee", "right_knee", "spine2", "left_ankle", "right_ankle"),
    *("spine3", "left_foot", "right_foot", "thorax", "left_collar", "right_collar", "head_top"),
    *("left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist"),
    *("left_hand", "right_hand"),
)


def load(root: Path, split: str = "test", input: str = "gt") -> Samples:
    """Read 3DPW from `pw3d_<split>.npz` (official ZeDO) or, in its absence, `sequenceFiles/<split>/*.pkl` (3DPW).

    `root` is the folder of either or one such file, detected from its content. The 2D is the projection of the 3D.
    Every person is a separate sequence: `name`, `name_p1`, ... The pickles contain SMPL's joints: `evaluated` are the
    14 of LSP-14, with SMPL's neck and head as thorax and head top; pelvis, spine and nose are derived from these and
    have confidence 0. Frames in which the camera pose is not valid, a joint is behind the camera or a value is not
    finite are left out and counted.
    InputError for an unknown split or input, FormatError for files that are missing, damaged or of another data set.
    """
    check_options(NAME, split, SPLITS, input)
    root = Path(root)
    if root.is_file():
        return _from_npz(root) if starts_with(root, ZIP) else _from_pickles([root])
    if (root / f"pw3d_{split}.npz").is_file():
        return _from_npz(root / f"pw3d_{split}.npz")
    folders = [root / "sequenceFiles" / split, root / split, *([root] if root.name == split else [])]
    for folder in folders:
        if paths := sorted(folder.glob("*.pkl")):
            return _from_pickles(paths)
    raise FormatError(
        f"{root}: expected pw3d_{split}.npz or sequenceFiles/{split}/*.pkl of 3DPW, found {summarize_folder(root)}"
    )


def _from_npz(path: Path) -> Samples:
    arrays = load_object_npz(path)
    if missing := [name for name in _NPZ_FIELDS if name not in arrays]:
        raise FormatError(f"{path}: expected an npz of 3DPW with {', '.join(missing)}, found {summarize(arrays)}")
    camera = arrays["cam_param"].item() if arrays["cam_param"].size == 1 else None
    if not isinstance(camera, dict) or not {"f", "c"} <= camera.keys():
        raise FormatError(f"{path}: expected 'cam_param' to be a dict with f and c, found {arrays['cam_param'].dtype}")
    n = arrays["image_path"].size
    relative = floats(path, "keypoints3d17_relative", arrays["keypoints3d17_relative"], (n, len(TO_H36M), 4))
    root_cam = floats(path, "root_cam", arrays["root_cam"], (n, 3))
    joints_cam = np.empty((n, len(H36M17), 3))
    joints_cam[:, list(TO_H36M)] = relative[..., :3] + root_cam[:, None]
    K = pinhole_matrices(*(floats(path, f"cam_param[{name}]", camera[name], (n, 2)) for name in "fc"))
    labels, frames = _tracks(path, [str(name) for name in arrays["image_path"].flat])
    return _samples(joints_cam, K, labels, frames)


def _tracks(path: Path, image_paths: list[str]) -> tuple[list[str], Int[ndarray, " n"]]:
    """The name of the person's sequence and the frame number for every picture path.

    A repeated picture shows another person. Usually, a sequence lists all frames of one person after another; then the
    next person begins where the frame number decreases. Otherwise, the first entry of a picture is the first person,
    and so on.
    """
    pictures = [PurePosixPath(name.replace("\\", "/")) for name in image_paths]
    numbers = [re.findall(r"\d{1,15}", picture.stem) for picture in pictures]
    if not all(numbers):
        entry = [bool(found) for found in numbers].index(False)
        raise FormatError(f"{path}: expected a frame number in image_path[{entry}], found '{image_paths[entry]}'")
    frames = np.array([int(found[-1]) for found in numbers], int)
    rows_of: dict[str, list[int]] = defaultdict(list)
    for row, picture in enumerate(pictures):
        rows_of[picture.parent.name].append(row)
    labels = [""] * len(pictures)
    for name, rows in rows_of.items():
        for row, person in zip(rows, _person_numbers(frames[rows]), strict=True):
            labels[row] = _label(name, int(person))
    return labels, frames


def _person_numbers(frames: Int[ndarray, " n"]) -> Int[ndarray, " n"]:
    """The number of the person in every entry of one sequence, see `_tracks`."""
    seen: Counter[int] = Counter()
    rank_in_picture = np.zeros(len(frames), int)
    for i, frame in enumerate(frames.tolist()):
        rank_in_picture[i] = seen[frame]
        seen[frame] += 1
    passes = np.concatenate(([0], np.cumsum(np.diff(frames) <= 0)))
    return passes if passes[-1] == rank_in_picture.max() else rank_in_picture


def _label(sequence: str, person: int) -> str:
    return f"{sequence}_p{person}" if person else sequence


def _from_pickles(paths: list[Path]) -> Samples:
    tracks = [track for path in paths for track in _read_people(path)]
    joints_cam, K, labels, frames, valid = zip(*tracks, strict=True)
    all_labels = [label for label, track in zip(labels, frames, strict=True) for _ in track]
    return _samples(
        *(np.concatenate(joints_cam), np.concatenate(K), all_labels, np.concatenate(frames)),
        valid=np.concatenate(valid),
        evaluated=LSP14.joints,
    )


def _read_people(path: Path) -> list[tuple[ndarray, ndarray, str, ndarray, ndarray]]:
    """For each person in the pickle of a sequence: joints in camera axes, K, label, frames, and which are valid."""
    data = load_pickle(path)
    found = [str(name) for name in data] if isinstance(data, dict) else [type(data).__name__]
    if missing := [name for name in _PKL_FIELDS if name not in found]:
        raise FormatError(f"{path}: expected a sequence of 3DPW with {', '.join(missing)}, found {summarize(found)}")
    people, validities = (data[name] for name in ("jointPositions", "campose_valid"))
    if not isinstance(people, list) or not isinstance(validities, list) or len(people) != len(validities) or not people:
        raise FormatError(
            f"{path}: expected jointPositions and campose_valid to be lists with an entry for each person"
        )
    cam_from_world = floats(path, "cam_poses", data["cam_poses"], (None, 4, 4))
    frames = np.arange(len(cam_from_world))
    K = np.tile(floats(path, "cam_intrinsics", data["cam_intrinsics"], (3, 3)), (len(frames), 1, 1))
    smpl = [SMPL.index(joint) for joint in LSP14.joints]
    tracks = []
    for person, (positions, validity) in enumerate(zip(people, validities, strict=True)):
        flat = floats(path, f"jointPositions[{person}]", positions, (len(frames), len(SMPL) * 3))
        valid = floats(path, f"campose_valid[{person}]", validity, (len(frames),)) > 0
        known = flat.reshape(len(frames), len(SMPL), 3)[:, smpl]
        known_cam = known @ np.swapaxes(cam_from_world[:, :3, :3], 1, 2) + cam_from_world[:, None, :3, 3]
        joints_cam = conversion(LSP14, H36M17).points(known_cam)
        tracks.append((joints_cam, K, _label(str(data["sequence"]), person), frames, valid))
    return tracks


def _samples(
    joints_cam: Float[ndarray, "n 17 3"],
    K: Float[ndarray, "n 3 3"],
    labels: list[str],
    frames: Int[ndarray, " n"],
    *,
    valid: ndarray | None = None,
    evaluated: tuple[str, ...] = H36M17.joints,
) -> Samples:
    """The valid samples with their projections, in order."""
    known = H36M17.indices(evaluated)
    in_front = np.where(joints_cam[..., 2:] > 0, joints_cam, np.nan)  # joints behind the camera are dropped as NaN
    xy = np.zeros((*joints_cam.shape[:2], 2))
    xy[:, known] = project(in_front[:, known], K)
    confidence = np.zeros(joints_cam.shape[:2])
    confidence[:, known] = 1.0
    sequence, sequences = index_labels(labels)
    order = np.lexsort((frames, sequence))
    rows = order if valid is None else order[valid[order]]
    samples = Samples(
        name=NAME,
        joints_cam=joints_cam,
        xy=xy,
        confidence=confidence,
        K=K,
        sequence=sequence,
        sequences=sequences,
        frame=frames,
        action=np.zeros(len(frames), int),
        actions=("all",),
        evaluated=evaluated,
        left_out=len(order) - len(rows),
    )
    return samples.take(rows).drop_nonfinite()
