"""Human3.6M as the official ZeDO has it: pickles of single samples, and of detections in the same order."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from zedo_core.data._h36m_files import described, holding
from zedo_core.data._h36m_sequences import ACTIONS, FIRST_ACTION, NAME, SPLITS, split_word
from zedo_core.data._hdf5 import floats, listed
from zedo_core.data._samples import Samples, pinhole
from zedo_core.errors import FormatError
from zedo_core.skeleton import H36M17
from zedo_core.storage.pickles import load_pickle

MARKS = ("joint_3d_camera", "joint_3d_image")
DETECTION_MARKS = ("joint3d_image",)

_MM = 1e-3
# As in s_09_act_02_subact_01_ca_01/s_09_act_02_subact_01_ca_01_000001.jpg: the sequence, its subject, the frame.
_IMAGE = re.compile(r"(s_(\d+)_act_\d+_subact_\d+_ca_\d+)_(\d+)\.\w+$")
_INTRINSICS = ("fx", "fy", "cx", "cy")


def read(root: Path, split: str, input: str) -> Samples:
    """The samples of a split; 2D as the pickle has it, without lens distortion, or the detections beside it."""
    path, entries, images = _entries_of(root, split)
    subjects = [f"S{int(subject)}" for _, subject, _ in images]
    rows = np.flatnonzero(np.isin(subjects, SPLITS[split]))
    joints = len(H36M17)
    joints_cam = _stacked(path, entries, "'joint_3d_camera'", lambda entry: entry["joint_3d_camera"], (joints, 3))
    joints_cam = (joints_cam[rows] * _MM).astype(np.float32)
    camera = _stacked(path, entries, "'camera_param' fx, fy, cx, cy", _camera, (len(_INTRINSICS),))[rows]
    action = _actions(path, entries)[rows]
    if input == "gt":
        image = _stacked(path, entries, "'joint_3d_image'", lambda entry: entry["joint_3d_image"], (joints, 3))
        xy, confidence = image[..., :2], np.ones(image.shape[:2], np.float32)
    else:
        xy, confidence = _detections(root, split, path, len(entries))
    del entries
    sequences, sequence = np.unique([images[i][0] for i in rows], return_inverse=True)
    frame = np.array([int(images[i][2]) for i in rows])
    samples = Samples(
        name=NAME,
        joints_cam=joints_cam,
        xy=xy[rows].astype(np.float32),
        confidence=confidence[rows].astype(np.float32),
        K=pinhole(camera[:, :2], camera[:, 2:]),
        sequence=sequence.astype(int),
        sequences=tuple(str(name) for name in sequences),
        frame=frame,
        action=action,
        actions=ACTIONS,
    )
    return samples.take(np.lexsort((frame, sequence))).finite()


def _entries_of(root: Path, split: str) -> tuple[Path, list[dict[str, Any]], list[tuple[str, str, str]]]:
    """The pickle that has samples of the split, with sequence, subject and frame of each."""
    paths = holding(root, *MARKS)
    if not paths:
        raise FormatError(f"{root}: expected h36m_{split}.pkl of the official ZeDO, found {described(root)}")
    found: list[str] = []
    # Names only say where to look first: a pickle of the training samples takes minutes to read.
    for path in sorted(paths, key=lambda path: split not in path.stem):
        entries = load_pickle(path)
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise FormatError(f"{path}: expected a list of samples, found {type(entries).__name__} or other entries")
        images = [_image(path, i, entry) for i, entry in enumerate(entries)]
        subjects = sorted({int(subject) for _, subject, _ in images})
        if any(f"S{subject}" in SPLITS[split] for subject in subjects):
            return path, entries, images
        found.append(f"{path.name} with {', '.join(f'S{subject}' for subject in subjects) or 'nothing'}")
    raise FormatError(f"{root}: expected samples of {split_word(split)}, found {'; '.join(found)}")


def _image(path: Path, i: int, entry: dict[str, Any]) -> tuple[str, str, str]:
    match = _IMAGE.search(str(entry.get("image_path")))
    if match is None:
        raise FormatError(
            f"{path}: entry {i}: expected 'image_path' such as s_09_act_02_subact_01_ca_01_000001.jpg, found "
            f"'{str(entry.get('image_path'))[:80]}'"
        )
    return match[1], match[2], match[3]


def _camera(entry: dict[str, Any]) -> list[float]:
    """Values that are numbers or arrays of one."""
    return [np.asarray(entry["camera_param"][name], float).item() for name in _INTRINSICS]


def _stacked(
    path: Path,
    entries: list[dict[str, Any]],
    name: str,
    value: Callable[[dict[str, Any]], Any],
    shape: tuple[int, ...],
) -> ndarray:
    """One value of every entry; FormatError names the first entry in which it is not of this shape."""
    try:
        array = np.array([value(entry) for entry in entries], float)
        if array.shape[1:] == shape:
            return array
    except (KeyError, TypeError, ValueError, IndexError, OverflowError):
        pass
    for i, entry in enumerate(entries):
        try:
            found = np.asarray(value(entry), float).shape
        except (KeyError, TypeError, ValueError, IndexError, OverflowError):
            raise FormatError(
                f"{path}: entry {i}: expected {name} to be numbers of shape {shape}, found none in {listed(entry)}"
            ) from None
        if found != shape:
            raise FormatError(f"{path}: entry {i}: expected {name} of shape {shape}, found {found}")
    raise AssertionError("some entry does not fit")


def _actions(path: Path, entries: list[dict[str, Any]]) -> Int[ndarray, " n"]:
    numbers = _stacked(path, entries, "'action'", lambda entry: np.asarray(entry["action"]).item(), ())
    last = FIRST_ACTION + len(ACTIONS) - 1
    wrong = np.flatnonzero(~np.isin(numbers, range(FIRST_ACTION, last + 1)))
    if len(wrong):
        raise FormatError(
            f"{path}: entry {wrong[0]}: expected 'action' from {FIRST_ACTION} to {last}, found {numbers[wrong[0]]:g}"
        )
    return numbers.astype(int) - FIRST_ACTION


def _detections(
    root: Path, split: str, truth: Path, count: int
) -> tuple[Float[ndarray, "n 17 2"], Float[ndarray, "n 17"]]:
    """Keypoints and confidences, one row for each entry of the pickle of the truth."""
    paths = holding(root, *DETECTION_MARKS)
    if len(paths) != 1:
        found = ", ".join(path.name for path in paths) or described(truth.parent)
        raise FormatError(
            f"{truth.parent}: expected one pickle of detections, h36m_sh_dt_ft.pkl, beside {truth.name}, found {found}"
        )
    (path,) = paths
    table = load_pickle(path)
    part = table.get(split) if isinstance(table, dict) else None
    if not isinstance(part, dict) or not {"joint3d_image", "confidence"} <= set(part):
        raise FormatError(f"{path}: expected detections joint3d_image and confidence under '{split}', found others")
    joints = len(H36M17)
    pixels = floats(path, f"{split}/joint3d_image", part["joint3d_image"], (None, joints, 3))[..., :2]
    confidence = floats(path, f"{split}/confidence", part["confidence"], (None, joints, 1))[..., 0]
    if not len(pixels) == len(confidence) == count:
        raise FormatError(
            f"{path}: expected {count} detections under '{split}', one for each entry of {truth.name}, found "
            f"{len(pixels)} keypoints and {len(confidence)} confidences"
        )
    return pixels, confidence
