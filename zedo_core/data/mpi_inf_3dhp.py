"""MPI-INF-3DHP in the format of the official ZeDO code, or its test set in the original one.

Mehta et al., Monocular 3D Human Pose Estimation In The Wild Using Improved CNN Supervision, 3DV 2017.
"""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from zedo_core.data._hdf5 import (
    HDF5,
    MATLAB,
    check_options,
    floats,
    read_hdf5,
    starts_with,
    summarize,
    summarize_folder,
)
from zedo_core.data._samples import Samples, index_labels, pinhole_matrices
from zedo_core.errors import FormatError
from zedo_core.skeleton import H36M17
from zedo_core.storage.pickles import load_pickle

NAME = "3dhp"
_log = logging.getLogger(__name__)
ACTIONS = (
    *("Standing/Walking", "Exercise", "Sitting", "Reaching/Crouching", "On the Floor", "Sports", "Miscellaneous"),
)
_SEQUENCES = tuple(f"TS{i}" for i in range(1, 7))
_ITEM_FIELDS = ("joint_3d_camera", "joint_2d", "camera_param", "imageid", "valid_i", "action")
_MAT_FIELDS = ("annot2", "annot3", "valid_frame", "activity_annotation")
# Official table of annot_data.mat: joint i of H36M-17 is its joint JOINTS[i].
JOINTS = (14, 8, 9, 10, 11, 12, 13, 15, 1, 16, 0, 5, 6, 7, 2, 3, 4)
_MM = 1e-3
_MAX_VALUE = 1e9  # of a pixel or the slope of a ray; a fit of larger values is not accurate
_MAX_ERROR_PX = 30.0  # above the uncertainty of annotations, below the error due to wrong axes or joints


def load(root: Path, split: str = "test", input: str = "gt") -> Samples:
    """Read a split from `mpii3d_test.pkl` or `mpii3d_train.pkl` (official ZeDO) or, in the absence of the former,
    `TS1..TS6/annot_data.mat` (3DHP).

    `root` is the folder of either or one such file, detected from its content (one annot_data.mat is one sequence).
    Ground truth is in the original scale (annot3, not univ_annot3). As annot_data.mat has no camera, K is fitted to
    each sequence by least squares from annot3 to annot2. Sequences that are missing are said in a warning.
    Frames that are not marked valid or have values that are not
    finite are left out and counted.
    InputError for an unknown split or input, FormatError for files that are missing, damaged or of another data set.
    """
    check_options(NAME, split, ("test", "train"), input)
    root = Path(root)
    is_mat = root.is_file() and (starts_with(root, HDF5) or starts_with(root, MATLAB))
    pickled = root if root.is_file() else root / f"mpii3d_{split}.pkl"
    if pickled.is_file() and not is_mat:
        return _of_split(pickled, _from_pickle(pickled), split)
    if split == "train":
        found = "a file of the test set" if is_mat else summarize_folder(root)
        raise FormatError(f"{root}: expected mpii3d_train.pkl of MPI-INF-3DHP for the training split, found {found}")
    if is_mat:
        return _from_mats([root])
    paths = [root / name / "annot_data.mat" for name in _SEQUENCES]
    missing = [f"{path.parent.name}/{path.name}" for path in paths if not path.is_file()]
    if len(missing) == len(paths):
        wanted = "mpii3d_test.pkl or TS1/annot_data.mat to TS6/annot_data.mat of MPI-INF-3DHP"
        raise FormatError(f"{root}: expected {wanted}, found {summarize_folder(root)}")
    if missing:
        _log.warning(
            "%s: the test set lacks %s; the others are used, and figures are not comparable with those of the whole",
            root, ", ".join(missing),
        )  # fmt: skip
    return _from_mats([path for path in paths if path.is_file()])


def _of_split(path: Path, samples: Samples, split: str) -> Samples:
    """The samples; FormatError when sequences of the test set are to be trained on."""
    if split == "train" and (tests := [name for name in samples.sequences if name in _SEQUENCES]):
        raise FormatError(f"{path}: expected sequences of the training split, found {tests[0]} of the test set")
    return samples


def _from_pickle(path: Path) -> Samples:
    items = load_pickle(path)
    _check_items(path, items)
    valid = [i for i, item in enumerate(items) if _number(path, f"valid_i of entry {i}", item["valid_i"]) > 0]

    def stack(key: str, width: int) -> ndarray:
        entries = [floats(path, f"{key} of entry {i}", items[i][key], (len(H36M17), None)) for i in valid]
        for i, entry in zip(valid, entries, strict=True):
            if entry.shape[1] < width:
                raise FormatError(
                    f"{path}: expected {width} values per joint in '{key} of entry {i}', found {entry.shape}"
                )
        return np.array([entry[:, :width] for entry in entries]).reshape(-1, len(H36M17), width)

    camera = np.array([_camera(path, i, items[i]["camera_param"]) for i in valid]).reshape(-1, 2, 2)
    labels, frames = _sequences_and_frames(path, [items[i]["imageid"] for i in valid])
    sequence, sequences = index_labels(labels)
    samples = Samples(
        name=NAME,
        joints_cam=stack("joint_3d_camera", 3) * _MM,
        xy=stack("joint_2d", 2),
        confidence=np.ones((len(valid), len(H36M17))),
        K=pinhole_matrices(camera[:, 0], camera[:, 1]),
        sequence=sequence,
        sequences=sequences,
        frame=frames,
        action=_actions(path, np.array([_number(path, f"action of entry {i}", items[i]["action"]) for i in valid])),
        actions=ACTIONS,
        left_out=len(items) - len(valid),
    )
    return samples.take(np.lexsort((frames, sequence))).drop_nonfinite()


def _check_items(path: Path, items: Any) -> None:
    if not isinstance(items, list) or not items:
        found = summarize(map(str, items)) if isinstance(items, dict) else f"an empty or other {type(items).__name__}"
        raise FormatError(f"{path}: expected a list of samples of MPI-INF-3DHP, found {found}")
    for i, item in enumerate(items):
        fields = [str(name) for name in item] if isinstance(item, dict) else [type(item).__name__]
        if missing := [name for name in _ITEM_FIELDS if name not in fields]:
            raise FormatError(f"{path}: expected {', '.join(missing)} in entry {i}, found {summarize(fields)}")


def _number(path: Path, name: str, value: Any) -> float:
    """A number, possibly in an array with one element; NaN when not finite."""
    try:
        return float(floats(path, name, np.reshape(value, -1), (1,))[0])
    except ValueError:  # ragged lists
        raise FormatError(f"{path}: expected '{name}' to be a number, found a {type(value).__name__}") from None


def _camera(path: Path, i: int, param: Any) -> list[list[float]]:
    names = (("fx", "fy"), ("cx", "cy"))
    if not isinstance(param, dict) or not {"fx", "fy", "cx", "cy"} <= param.keys():
        raise FormatError(f"{path}: expected fx, fy, cx, cy in 'camera_param of entry {i}'")
    return [[_number(path, f"camera_param[{name}] of entry {i}", param[name]) for name in pair] for pair in names]


def _sequences_and_frames(path: Path, imageids: list[Any]) -> tuple[list[str], Int[ndarray, " n"]]:
    """Sequence and frame of every picture, from a path with a folder TS1 ... TS6 and a number, or only a number.

    If there are only numbers, a new sequence begins where they do not increase.
    """
    texts = [str(np.reshape(imageid, -1)[0]) if np.size(imageid) == 1 else str(imageid) for imageid in imageids]
    numbers = [re.findall(r"\d{1,15}", re.split(r"[/\\]", text)[-1]) for text in texts]
    if not all(numbers):
        text = texts[[bool(found) for found in numbers].index(False)]
        raise FormatError(f"{path}: expected every imageid to end in a frame number, found '{text}'")
    frames = np.array([int(found[-1]) for found in numbers], int)
    part = np.cumsum(np.diff(frames, prepend=-1) <= 0)
    named = [re.search(r"TS\d+", text) for text in texts]
    return [found.group() if found else f"part {i}" for found, i in zip(named, part, strict=True)], frames


def _actions(path: Path, numbers: Float[ndarray, " n"]) -> Int[ndarray, " n"]:
    """Indices in ACTIONS of the file's numbers 1 to 7."""
    if unknown := sorted({float(number) for number in numbers} - set(range(1, len(ACTIONS) + 1))):
        raise FormatError(f"{path}: expected actions 1 to {len(ACTIONS)} in valid frames, found {unknown[0]:g}")
    return numbers.astype(int) - 1


def _from_mats(paths: list[Path]) -> Samples:
    parts = [_read_sequence(path) for path in paths]
    joints_cam, xy, K, frame, action, left_out = zip(*parts, strict=True)
    n = sum(map(len, frame))
    return Samples(
        name=NAME,
        joints_cam=np.concatenate(joints_cam),
        xy=np.concatenate(xy),
        confidence=np.ones((n, len(H36M17))),
        K=np.concatenate(K),
        sequence=np.repeat(np.arange(len(paths)), list(map(len, frame))),
        sequences=tuple(path.absolute().parent.name for path in paths),
        frame=np.concatenate(frame),
        action=np.concatenate(action),
        actions=ACTIONS,
        left_out=sum(left_out),
    ).drop_nonfinite()


def _read_sequence(path: Path) -> tuple[ndarray, ndarray, ndarray, ndarray, ndarray, int]:
    """Joints in camera axes, pixels, K, frames and actions of the valid frames of annot_data.mat; number left out."""
    arrays = read_hdf5(path, _MAT_FIELDS)
    joints_cam = _joints(path, "annot3", arrays["annot3"], 3) * _MM
    n = len(joints_cam)
    xy = _joints(path, "annot2", arrays["annot2"], 2)
    valid, activity = (_per_frame(path, name, arrays[name]) for name in ("valid_frame", "activity_annotation"))
    lengths = {"annot2": len(xy), "valid_frame": len(valid), "activity_annotation": len(activity)}
    for name, length in lengths.items():
        if length != n:
            raise FormatError(f"{path}: expected '{name}' of {n} frames, as annot3, found {length}")
    frames = np.flatnonzero(valid > 0)
    joints_cam, xy = joints_cam[frames], xy[frames]
    K = np.tile(_fit_camera(path, joints_cam, xy), (len(frames), 1, 1))
    return joints_cam, xy, K, frames, _actions(path, activity[frames]), n - len(frames)


def _joints(path: Path, name: str, array: ndarray, width: int) -> Float[ndarray, "n 17 d"]:
    """Joints in the order of H36M-17, from (n, 1, 17, d) or, as in MATLAB itself, with reversed axes."""
    joints = len(H36M17)
    if array.ndim == 4 and array.shape[:3] == (width, joints, 1):
        array = array.T
    return floats(path, name, array, (None, 1, joints, width))[:, 0, list(JOINTS)]


def _per_frame(path: Path, name: str, array: ndarray) -> Float[ndarray, " n"]:
    """One value per frame, from (n, 1) or (1, n)."""
    if array.size != max(array.shape, default=0):
        raise FormatError(f"{path}: expected '{name}' of shape (n, 1), found {array.shape}")
    return floats(path, name, array.reshape(-1), (None,))


def _fit_camera(
    path: Path, joints_cam: Float[ndarray, "n 17 3"], xy: Float[ndarray, "n 17 2"]
) -> Float[ndarray, "3 3"]:
    """K by least squares in pixels: x = f X / Z + c for each axis, with unknown f and c."""
    points, pixels = joints_cam.reshape(-1, 3), xy.reshape(-1, 2)
    valid = np.isfinite(points).all(1) & np.isfinite(pixels).all(1) & (points[:, 2] > 0)
    rays, pixels = points[valid, :2] / points[valid, 2:], pixels[valid]
    K = np.eye(3)
    if len(rays) == 0:
        return K  # all frames of the sequence will be left out
    if not np.isfinite(rays).all() or max(np.abs(rays).max(), np.abs(pixels).max()) > _MAX_VALUE:
        raise FormatError(f"{path}: expected pixels in annot2 and mm in annot3, found values that are too large")
    for axis in range(2):
        A = np.stack([rays[:, axis], np.ones(len(rays))], axis=1)
        K[axis, axis], K[axis, 2] = np.linalg.lstsq(A, pixels[:, axis])[0]
    error = float(np.median(np.linalg.norm(rays * K[[0, 1], [0, 1]] + K[:2, 2] - pixels, axis=-1)))
    if error > _MAX_ERROR_PX or min(K[0, 0], K[1, 1]) <= 0:
        raise FormatError(
            f"{path}: expected annot2 to be the projection of annot3, but the best camera has an error of "
            f"{error:.0f} px and focal lengths {K[0, 0]:.0f}, {K[1, 1]:.0f}"
        )
    return K
