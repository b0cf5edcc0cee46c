"""MediaPipe's pose landmarks: 33 times [x, y, z, visibility] per frame, x and y normalised by the picture size.

MediaPipe itself writes no files; these are the usual ways to save its results. JSON is a list with an entry per frame
(or an object with that list as `landmarks`): 33 lists of 4 numbers, 33 objects {x, y, z, visibility}, or null or [] for
no detection. An npz has `landmarks` (t, 33, 4), NaN for no detection.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from zedo_core.errors import FormatError
from zedo_core.keypoints import _json, nested
from zedo_core.keypoints._people import Person, joint_set_by_count, keypoints_from_people, validate_joints
from zedo_core.keypoints._source import Source
from zedo_core.skeleton import BLAZEPOSE33
from zedo_core.types import Keypoints

FORM = "MediaPipe, [33 landmarks per frame]"

_KEYS = ("x", "y", "z", "visibility")
_NAME = "landmarks"
_SHAPE = (len(BLAZEPOSE33), len(_KEYS))
_MAX_NORMALISED = 2.0  # larger coordinates are pixels


def reads(source: Source) -> bool:
    """Whether the source is an npz or object with `landmarks`, or a list whose first person is a list of landmarks."""
    if _NAME in source.arrays:
        return True
    document = source.document
    if isinstance(document, dict):
        document = None if any("orld" in key for key in document) else document.get(_NAME)
    first = next((frame for frame in document if frame), None) if isinstance(document, list) else None
    return isinstance(first, list) and _is_landmark(first[0])


def read(source: Source) -> Keypoints:
    """One person per frame, counted from 0; `visibility` is the confidence, z is ignored.

    Normalised coordinates are relative to the edge of the picture, pixels to the centre of the first pixel. FormatError
    without the picture size.
    """
    frames = _frames_of_npz(source) if source.arrays else _frames_of_json(source)
    seen = np.array([frame for frame in frames if frame is not None]).reshape(-1, *_SHAPE)
    if source.document is not None and seen.size and (seen[..., 3].max() <= 0 or seen[..., :2].max() > _MAX_NORMALISED):
        return nested.read(source)  # without visibility, or in pixels
    size = source.require_size("MediaPipe")
    people = [
        Person(frame=t, joints=_joints(values, size, f"{source.path}: frame {t}"), track=1)
        for t, values in enumerate(frames)
        if values is not None
    ]
    return keypoints_from_people(people, BLAZEPOSE33, range(len(frames)), source.path, image_sizes=(size,))


def _joints(values: Float[ndarray, "33 4"], size: tuple[int, int], where: str) -> Float[ndarray, "33 3"]:
    """Pixels and confidences of one person's landmarks."""
    return validate_joints(np.column_stack([values[:, :2] * size - 0.5, values[:, 3]]), BLAZEPOSE33, lambda _: where)


def _is_landmark(value: Any) -> bool:
    """Whether a value is a landmark with z and visibility; those without are read by `nested`."""
    if isinstance(value, dict):
        return set(_KEYS) <= value.keys()
    return isinstance(value, list) and len(value) == len(_KEYS) and type(value[0]) in (int, float)


def _frames_of_npz(source: Source) -> list[Float[ndarray, "33 4"] | None]:
    """The landmarks of every frame, None for no detection."""
    array = source.arrays[_NAME]
    if array.dtype.kind not in "fiu" or array.ndim != 3 or array.shape[1:] != _SHAPE:
        raise FormatError(
            f"{source.path}: {_NAME}: expected numbers of shape (t, 33, 4), found {array.dtype} of shape {array.shape}"
        )
    return [None if np.isnan(frame).all() else frame.astype(np.float64) for frame in array]


def _frames_of_json(source: Source) -> list[Float[ndarray, "33 4"] | None]:
    """The landmarks of every frame, None for no detection."""
    document = source.document[_NAME] if isinstance(source.document, dict) else source.document
    frames = _json.as_list(document, f"{source.path}: {_NAME}")
    return [_frame(frame, f"{source.path}: frame {t}") for t, frame in enumerate(frames)]


def _frame(frame: Any, where: str) -> Float[ndarray, "33 4"] | None:
    if frame is None or frame == []:
        return None
    joint_set_by_count(len(_json.as_list(frame, where)), (BLAZEPOSE33,), where)
    return np.stack([_landmark(entry, f"{where}, landmark {i}") for i, entry in enumerate(frame)])


def _landmark(value: Any, where: str) -> Float[ndarray, " 4"]:
    if isinstance(value, dict):
        return np.array([_json.number(_json.member(value, key, where), f"{where}, {key}") for key in _KEYS])
    row = _json.numbers(value, where)
    if len(row) != len(_KEYS):
        raise FormatError(f"{where}: expected 4 values (x, y, z, visibility), found {len(row)}")
    if not np.isfinite(row).all():
        raise FormatError(f"{where}: contains a number that is not finite; write [] for a frame without a person")
    return row
