"""Human3.6M in the format of the official ZeDO code: pickles of single samples, and of detections in the same order."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from zedo_core.data._h36m_files import describe, files_with_fields
from zedo_core.data._h36m_sequences import ACTIONS, FIRST_ACTION, FPS, NAME, SPLITS, describe_split, warn_of_missing
from zedo_core.data._hdf5 import floats, summarize
from zedo_core.data._samples import Samples, pinhole_matrices
from zedo_core.errors import FormatError
from zedo_core.skeleton import H36M17
from zedo_core.storage.pickles import load_pickle

SAMPLE_FIELDS = ("joint_3d_camera", "joint_3d_image")
DETECTION_FIELDS = ("joint3d_image",)

_MM = 1e-3
# As in s_09_act_02_subact_01_ca_01/s_09_act_02_subact_01_ca_01_000001.jpg: the sequence, its subject, the frame.
_IMAGE = re.compile(r"(s_(\d+)_act_\d+_subact_\d+_ca_\d+)_(\d+)\.\w+$")
_INTRINSICS = ("fx", "fy", "cx", "cy")
_Image = tuple[str, str, str]  # sequence, subject and frame of an entry

_log = logging.getLogger(__name__)


def read(root: Path, split: str, input: str) -> Samples:
    """The samples of a split; 2D from the same pickle, without lens distortion, or from that of the detections.

    Entries without the usual names of pictures, of unknown subjects and frames, are all taken: a new sequence begins
    where action or camera changes.
    """
    path, entries, images = _read_entries(root, split)
    if images is None:
        images, rows = _by_change(path, entries, split), np.arange(len(entries))
    else:
        rows = np.flatnonzero(np.isin([f"S{int(subject)}" for _, subject, _ in images], SPLITS[split]))
        _warn_of_missing(path, images, split)
    joints = len(H36M17)
    joints_cam = _stack(path, entries, "'joint_3d_camera'", lambda entry: entry["joint_3d_camera"], (joints, 3))
    joints_cam = (joints_cam[rows] * _MM).astype(np.float32)
    camera = _stack(path, entries, "'camera_param' fx, fy, cx, cy", _camera, (len(_INTRINSICS),))[rows]
    action = _actions(path, entries)[rows]
    if input == "gt":
        image = _stack(path, entries, "'joint_3d_image'", lambda entry: entry["joint_3d_image"], (joints, 3))
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
        K=pinhole_matrices(camera[:, :2], camera[:, 2:]),
        sequence=sequence.astype(int),
        sequences=tuple(str(name) for name in sequences),
        frame=frame,
        action=action,
        actions=ACTIONS,
        fps=FPS,
    )
    return samples.take(np.lexsort((frame, sequence))).drop_nonfinite()


def _read_entries(root: Path, split: str) -> tuple[Path, list[dict[str, Any]], list[_Image] | None]:
    """The pickle with samples of the split, its entries, and sequence, subject and frame of each where known."""
    paths = files_with_fields(root, *SAMPLE_FIELDS)
    if not paths:
        raise FormatError(f"{root}: expected h36m_{split}.pkl of the official ZeDO, found {describe(root)}")
    found: list[str] = []
    # File names only determine which is read first: a pickle of the training samples takes minutes to read.
    for path in sorted(paths, key=lambda path: split not in path.stem):
        entries = load_pickle(path)
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise FormatError(f"{path}: expected a list of samples, found {type(entries).__name__} or other entries")
        if entries and not any(_IMAGE.search(str(entry.get("image_path"))) for entry in entries):
            return path, entries, None
        images = [_image(path, i, entry) for i, entry in enumerate(entries)]
        subjects = sorted({int(subject) for _, subject, _ in images})
        if any(f"S{subject}" in SPLITS[split] for subject in subjects):
            return path, entries, images
        found.append(f"{path.name} with {', '.join(f'S{subject}' for subject in subjects) or 'nothing'}")
    raise FormatError(f"{root}: expected samples of {describe_split(split)}, found {'; '.join(found)}")


def _by_change(path: Path, entries: list[dict[str, Any]], split: str) -> list[_Image]:
    """Sequence and frame of entries without names of pictures, which are in the order of the videos."""
    camera = _stack(path, entries, "'camera_param' fx, fy, cx, cy", _camera, (len(_INTRINSICS),))
    key = np.column_stack([camera, _actions(path, entries)])
    starts = (np.diff(key, axis=0, prepend=np.nan) != 0).any(1)
    number = np.cumsum(starts) - 1
    first = np.flatnonzero(starts)[number]
    _log.warning(
        "%s: its entries have no 'image_path' such as s_09_act_02_subact_01_ca_01_000001.jpg, so subjects and frames "
        "are unknown; all %d are taken as the %s split, in %d sequences by action and camera",
        path, len(entries), split, int(number[-1]) + 1,
    )  # fmt: skip
    return [(f"unknown {n:05d}", "", str(i - start)) for i, (n, start) in enumerate(zip(number, first, strict=True))]


def _warn_of_missing(path: Path, images: list[_Image], split: str) -> None:
    there = {f"S{int(subject)}" for _, subject, _ in images}
    if missing := [subject for subject in SPLITS[split] if subject not in there]:
        warn_of_missing(path, missing, split)


def _image(path: Path, i: int, entry: dict[str, Any]) -> tuple[str, str, str]:
    match = _IMAGE.search(str(entry.get("image_path")))
    if match is None:
        raise FormatError(
            f"{path}: entry {i}: expected 'image_path' such as s_09_act_02_subact_01_ca_01_000001.jpg, found "
            f"'{str(entry.get('image_path'))[:80]}'"
        )
    return match[1], match[2], match[3]


def _camera(entry: dict[str, Any]) -> list[float]:
    """The intrinsics, which are numbers or arrays of one number."""
    return [np.asarray(entry["camera_param"][name], float).item() for name in _INTRINSICS]


def _stack(
    path: Path,
    entries: list[dict[str, Any]],
    name: str,
    value: Callable[[dict[str, Any]], Any],
    shape: tuple[int, ...],
) -> ndarray:
    """One value of every entry as an array; FormatError names the first entry in which it has another shape."""
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
                f"{path}: entry {i}: expected {name} to be numbers of shape {shape}, found none in {summarize(entry)}"
            ) from None
        if found != shape:
            raise FormatError(f"{path}: entry {i}: expected {name} of shape {shape}, found {found}")
    raise AssertionError("one of the entries is invalid")


def _actions(path: Path, entries: list[dict[str, Any]]) -> Int[ndarray, " n"]:
    numbers = _stack(path, entries, "'action'", lambda entry: np.asarray(entry["action"]).item(), ())
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
    """Keypoints and confidences, one row for each entry of the pickle of ground truth."""
    paths = files_with_fields(root, *DETECTION_FIELDS)
    if len(paths) != 1:
        found = ", ".join(path.name for path in paths) or describe(truth.parent)
        raise FormatError(
            f"{truth.parent}: expected one pickle of detections, h36m_sh_dt_ft.pkl, next to {truth.name}, found {found}"
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
