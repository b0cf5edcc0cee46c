"""MediaPipe's pose landmarks: frames of 33 times [x, y, z, visibility], x and y in parts of the picture.

MediaPipe itself writes no files; this is the usual way to save what it gives. JSON is a list with an entry per frame
(or an object with it as `landmarks`): 33 lists of 4 numbers, 33 objects {x, y, z, visibility}, or null or [] where
nobody was found. An npz has `landmarks` (t, 33, 4), NaN where nobody was found.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from zedo_core.errors import FormatError
from zedo_core.keypoints import _json
from zedo_core.keypoints._people import as_tracks, checked, of_size
from zedo_core.keypoints._source import Source
from zedo_core.skeleton import BLAZEPOSE33
from zedo_core.types import Keypoints

FORM = "MediaPipe, [33 landmarks a frame]"

_KEYS = ("x", "y", "z", "visibility")
_NAME = "landmarks"
_SHAPE = (len(BLAZEPOSE33), len(_KEYS))


def reads(source: Source) -> bool:
    """Whether it is an npz or an object with `landmarks`, or a list whose first person is a list of landmarks."""
    if _NAME in source.arrays:
        return True
    document = source.document
    if isinstance(document, dict):
        return _NAME in document
    first = next((frame for frame in document if frame), None) if isinstance(document, list) else None
    return isinstance(first, list) and _is_landmark(first[0])


def read(source: Source) -> Keypoints:
    """One person in every frame, counted from 0; `visibility` is the confidence, z is not used.

    A part of the picture is counted from its edge, a pixel from the centre of the first. FormatError without the
    size of the picture.
    """
    size = source.need_size("MediaPipe")
    values = _of_npz(source) if source.arrays else _of_json(source)
    xy = values[..., :2] * size - 0.5
    joints = np.concatenate([xy, values[..., 3:]], axis=-1)
    joints[np.isnan(values).all((1, 2))] = 0.0
    joints = checked(joints, BLAZEPOSE33, lambda at: f"{source.path}: frame {at[0]}")
    return as_tracks(joints[:, None], BLAZEPOSE33, range(len(joints)), [1], source.path, image_sizes=(size,))


def _is_landmark(value: Any) -> bool:
    if isinstance(value, dict):
        return {"x", "y"} <= value.keys()
    return isinstance(value, list) and bool(value) and type(value[0]) in (int, float)


def _of_npz(source: Source) -> Float[ndarray, "t 33 4"]:
    array = source.arrays[_NAME]
    if array.dtype.kind not in "fiu" or array.ndim != 3 or array.shape[1:] != _SHAPE:
        raise FormatError(
            f"{source.path}: {_NAME}: expected numbers of shape (t, 33, 4), found {array.dtype} of shape {array.shape}"
        )
    return array.astype(np.float64)


def _of_json(source: Source) -> Float[ndarray, "t 33 4"]:
    document = source.document[_NAME] if isinstance(source.document, dict) else source.document
    frames = _json.listed(document, f"{source.path}: {_NAME}")
    return np.array([_frame(frame, f"{source.path}: frame {t}") for t, frame in enumerate(frames)]).reshape(-1, *_SHAPE)


def _frame(frame: Any, where: str) -> Float[ndarray, "33 4"]:
    if frame is None or frame == []:
        return np.full(_SHAPE, np.nan)
    of_size(len(_json.listed(frame, where)), (BLAZEPOSE33,), where)
    rows = [_landmark(one, f"{where}, landmark {i}") for i, one in enumerate(frame)]
    return np.stack(rows)


def _landmark(value: Any, where: str) -> Float[ndarray, " 4"]:
    if isinstance(value, dict):
        return np.array([_json.number(_json.member(value, key, where), f"{where}, {key}") for key in _KEYS])
    row = _json.numbers(value, where)
    if len(row) != len(_KEYS):
        raise FormatError(f"{where}: has {len(row)} values, expected 4 (x, y, z, visibility)")
    if not np.isfinite(row).all():
        raise FormatError(f"{where}: holds a number that is not finite; write [] for a frame of nobody")
    return row
