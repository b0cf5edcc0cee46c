"""VideoPose3D's npz of 2D keypoints: subjects, their actions, and a motion per camera, one of which is read.

It is named by `FILE:subject/action/camera`, cameras counted from 0; parts may be omitted where there is one choice.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from zedo_core.errors import FormatError
from zedo_core.keypoints import _json
from zedo_core.keypoints._people import keypoints_from_arrays, validate_joints
from zedo_core.keypoints._source import Source
from zedo_core.skeleton import COCO17, H36M17, Skeleton
from zedo_core.types import Keypoints

FORM = "VideoPose3D's npz, positions_2d with metadata"
PARTS = True

_ARRAY = "positions_2d"
_LAYOUTS = {"h36m": H36M17, "coco": COCO17}  # names in the metadata
_MAX_LISTED = 12


def reads(source: Source) -> bool:
    """Whether the source is an npz with `positions_2d`."""
    return _ARRAY in source.arrays


def read(source: Source) -> Keypoints:
    """One person in the named motion; a frame of NaN is a gap, a third value is a confidence."""
    path = str(source.path)
    metadata = _unwrap(source.arrays.get("metadata"))
    skeleton = _skeleton(metadata, path)
    name, motion = _choose(_motions(_unwrap(source.arrays[_ARRAY]), path), source.part, path)
    values = _values(motion, skeleton, f"{path}:{name}")
    values = validate_joints(values, skeleton, lambda index: f"{path}:{name}, frame {index[0]}")
    size = _size(metadata, name.split("/")[0])
    fields = {} if size is None else {"image_sizes": (size,)}
    return keypoints_from_arrays(values[:, None], skeleton, range(len(values)), [1], source.path, **fields)


def _unwrap(array: ndarray | None) -> Any:
    """An array of an npz, or the object in it; VideoPose3D wraps objects in arrays without axes."""
    return array.item() if array is not None and array.ndim == 0 else array


def _skeleton(metadata: Any, path: str) -> Skeleton:
    layout = metadata.get("layout_name") if isinstance(metadata, dict) else None
    if not isinstance(layout, str) or layout not in _LAYOUTS:
        found = _json.describe(layout) if isinstance(layout, str) else "none"
        raise FormatError(f"{path}: expected metadata with the layout_name {' or '.join(_LAYOUTS)}, found {found}")
    return _LAYOUTS[layout]


def _motions(subjects: Any, path: str) -> dict[str, Any]:
    """Every motion by subject/action/camera."""
    if not isinstance(subjects, dict) or not all(isinstance(actions, dict) for actions in subjects.values()):
        raise FormatError(f"{path}: expected {_ARRAY}[subject][action], found {type(subjects).__name__}")
    takes = [(f"{s}/{a}", cameras) for s, actions in subjects.items() for a, cameras in actions.items()]
    for name, cameras in takes:
        if not isinstance(cameras, list | tuple | ndarray):
            raise FormatError(
                f"{path}:{name}: expected a list with an array per camera, found {type(cameras).__name__}"
            )
    return {f"{name}/{i}": motion for name, cameras in takes for i, motion in enumerate(cameras)}


def _choose(motions: dict[str, Any], part: str | None, path: str) -> tuple[str, Any]:
    """The motion whose name is or begins with `part`; FormatError unless there is exactly one."""
    wanted = (part or "").strip("/")
    matches = {name: m for name, m in motions.items() if not wanted or name == wanted or name.startswith(f"{wanted}/")}
    if len(matches) == 1:
        return next(iter(matches.items()))
    listed = matches or motions
    names = ", ".join(map(ascii, list(listed)[:_MAX_LISTED])) + (", ..." if len(listed) > _MAX_LISTED else "")
    problem = f"contains {len(listed)} motions" if matches else f"has no motion {wanted!a}"
    raise FormatError(f"{path}: {problem}; name one as FILE:subject/action/camera, out of {names or 'none'}")


def _values(motion: Any, skeleton: Skeleton, where: str) -> Float[ndarray, "t j 3"]:
    array, j = np.asarray(motion), len(skeleton)
    if array.dtype.kind not in "fiu" or array.ndim != 3 or array.shape[1] != j or array.shape[2] not in (2, 3):
        raise FormatError(f"{where}: expected numbers of shape (t, {j}, 2), found {array.dtype} of shape {array.shape}")
    values = np.ones((len(array), j, 3))
    values[..., : array.shape[2]] = array
    values[np.isnan(values[..., :2]).all((1, 2))] = 0.0
    return values


def _size(metadata: dict[str, Any], subject: str) -> tuple[int, int] | None:
    """Size of the video, which is in the metadata of custom data sets."""
    videos = metadata.get("video_metadata")
    video = videos.get(subject) if isinstance(videos, dict) else None
    size = (video.get("w"), video.get("h")) if isinstance(video, dict) else (None, None)
    return (size[0], size[1]) if all(type(side) is int and side > 0 for side in size) else None  # type: ignore[return-value]
