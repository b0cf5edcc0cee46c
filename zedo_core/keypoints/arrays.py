"""npy and npz of plain arrays, (frame, joint, 2 or 3) or (frame, person, joint, 2 or 3); the user names the joints."""

from __future__ import annotations

import numpy as np
from numpy import ndarray

from zedo_core.errors import FormatError
from zedo_core.keypoints._joint_order import BY_COUNT
from zedo_core.keypoints._named import keypoints_by_name
from zedo_core.keypoints._source import Source
from zedo_core.types import Keypoints

FORM = "npy and npz with --skeleton, an array (frame, [person,] joint, 2 or 3)"

_VALUES = ("keypoints", "kpts", "keypoints_2d", "kpts_2d", "poses_2d", "pose", "poses", "joints_2d", "data", "arr_0")
_SCORES = ("scores", "keypoint_scores", "confidence", "confidences", "conf", "visibility", "score")
_OTHER = {"positions_2d", "landmarks", "positions", "retargeted", "joints"}  # of other forms
_MAX_VALUES = 200_000_000


def reads(source: Source) -> bool:
    """Whether one of the arrays has the shape of joints in frames, and the file is of no other form."""
    return not _OTHER & source.arrays.keys() and _name(source) is not None


def read(source: Source) -> Keypoints:
    """The people of every frame; NaN and (0, 0) are missing joints, all others are seen where there is no confidence.

    FormatError without the joint set.
    """
    name = _name(source)
    assert name is not None
    array = source.arrays[name]
    if source.skeleton is None:
        sets = " or ".join(skeleton.name for skeleton in BY_COUNT.get(array.shape[-2], ()))
        raise FormatError(
            f"{source.path}: expected keypoints that say their {array.shape[-2]} joints, found the array {name}; give "
            f"--skeleton NAME|FILE{f', such as {sets}' if sets else ''}, or 'joints' with its name in an npz"
        )
    if array.shape[-2] != len(source.skeleton):
        raise FormatError(
            f"{source.path}: {name}: expected {len(source.skeleton)} joints of {source.skeleton.name} (--skeleton), "
            f"found {array.shape}"
        )
    values = _people(source, name, array)
    t, p, k = values.shape[:3]
    names = [str(joint) for joint in range(k)]
    frame = np.repeat(np.arange(t), p)
    return keypoints_by_name(
        source, values.reshape(t * p, k, 3), names, frame, range(t), [i + 1 for _ in range(t) for i in range(p)]
    )


def _people(source: Source, name: str, array: ndarray) -> ndarray:
    """The values (t, p, k, 3), with NaN for confidences that are not given."""
    values = array.astype(float).reshape(len(array) if array.ndim > 2 else 1, -1, *array.shape[-2:])
    rows = np.full((*values.shape[:3], 3), np.nan)
    rows[..., : min(3, values.shape[-1])] = values[..., :3]
    if array.shape[-1] == 2:
        scores = next((source.arrays[key] for key in _SCORES if key in source.arrays), None)
        if scores is not None and scores.dtype.kind in "fiub" and scores.size == rows[..., 2].size:
            rows[..., 2] = scores.astype(float).reshape(rows.shape[:3])
        elif scores is not None:
            raise FormatError(f"{source.path}: expected as many confidences as joints in {name}, found {scores.shape}")
    return rows


def _name(source: Source) -> str | None:
    """The array that is to be read: one of the usual names, or the only one of such a shape."""
    fitting = [name for name, array in source.arrays.items() if _fits(source, array)]
    usual = next((name for name in _VALUES if name in fitting), None)
    return usual or (fitting[0] if len(fitting) == 1 else None)


def _fits(source: Source, array: ndarray) -> bool:
    if array.dtype.kind not in "fiu" or not 2 <= array.ndim <= 4 or array.shape[-1] not in (2, 3):
        return False
    if 0 in array.shape or array.size > _MAX_VALUES:
        return False
    return array.shape[-2] in ((len(source.skeleton),) if source.skeleton else ()) or array.shape[-2] in range(8, 200)
