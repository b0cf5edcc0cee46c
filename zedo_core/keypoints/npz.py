"""zedo's own npz of keypoints, the simplest format to write from a script.

`keypoints` (t, j, 3) or (t, p, j, 3) as [x px, y px, confidence], `joints` the name of the joint set; optional are
`image_size` (width, height) or one per frame, `fps`, `frame_numbers` (t,), `track_ids` (p,), `times_s` (t,), and a
`K` (3, 3) that `read_camera` reads from the same file.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from zedo_core.errors import FormatError
from zedo_core.keypoints._people import joint_set_by_name, keypoints_from_arrays, validate_joints
from zedo_core.keypoints._source import Source
from zedo_core.skeleton import Skeleton
from zedo_core.types import Keypoints

FORM = "npz, keypoints (t, p, j, 3) with joints (the set's name)"

_REAL, _INTEGER = "fiu", "iu"


def reads(source: Source) -> bool:
    """Whether the source is an npz with `keypoints`, and the joint set is not left to the caller."""
    return "keypoints" in source.arrays and ("joints" in source.arrays or source.skeleton is None)


def read(source: Source) -> Keypoints:
    """Read the arrays; a missing joint may have NaN coordinates with confidence 0."""
    skeleton = _skeleton(source)
    values = _values(source, skeleton)
    t, p = values.shape[:2]
    frames = _ids(source, "frame_numbers", t, first=0)
    tracks = _ids(source, "track_ids", p, first=1)
    if frames != sorted(set(frames)) or len(set(tracks)) < p:
        raise FormatError(f"{source.path}: expected frame_numbers that increase and track_ids that differ")
    times_s = _array(source, "times_s", 1)
    if times_s is not None and len(times_s) != t:
        raise FormatError(f"{source.path}: times_s: expected {t} frame times, found {len(times_s)}")
    values = validate_joints(
        values, skeleton, lambda index: f"{source.path}: frame {frames[index[0]]}, person {tracks[index[1]]}"
    )
    return keypoints_from_arrays(
        values,
        skeleton,
        frames,
        tracks,
        source.path,
        image_sizes=_image_sizes(source),
        fps=_fps(source),
        times_s=times_s,
    )


def _array(source: Source, name: str, axes: int, kinds: str = _REAL) -> ndarray | None:
    """An optional array of numbers, integers as int64 and the rest as float64."""
    array = source.arrays.get(name)
    if array is None:
        return None
    if array.dtype.kind not in kinds or array.ndim != axes:
        what = "whole numbers" if kinds == _INTEGER else "numbers"
        raise FormatError(
            f"{source.path}: {name}: expected {what} with {axes} axes, found {array.dtype} of shape {array.shape}"
        )
    if name != "keypoints" and not np.isfinite(array).all():
        raise FormatError(f"{source.path}: {name} contains a value that is not finite")
    return array.astype(np.int64 if kinds == _INTEGER else np.float64)


def _axes(source: Source, name: str, expected: int, alternative: int) -> int:
    """The number of axes to expect of an array: `alternative` if it has that, else `expected`."""
    array = source.arrays.get(name)
    return alternative if array is not None and array.ndim == alternative else expected


def _skeleton(source: Source) -> Skeleton:
    name = source.arrays.get("joints")
    if name is None or name.dtype.kind != "U" or name.size != 1:
        raise FormatError(f"{source.path}: expected 'joints' with the name of the joint set, such as coco-17")
    return joint_set_by_name(str(name.item()), str(source.path))


def _values(source: Source, skeleton: Skeleton) -> Float[ndarray, "t p j 3"]:
    """The keypoints with an axis of people, which files of one person may leave out."""
    values = _array(source, "keypoints", _axes(source, "keypoints", 3, 4))
    j = len(skeleton)
    if values is None or values.shape[-2:] != (j, 3):
        found = source.arrays["keypoints"].shape
        raise FormatError(
            f"{source.path}: keypoints: expected (t, {j}, 3) or (t, p, {j}, 3) for {skeleton.name}, found {found}"
        )
    return values if values.ndim == 4 else values[:, None]


def _ids(source: Source, name: str, count: int, first: int) -> list[int]:
    """The whole numbers of an array, or numbers counted from `first` if the file has none."""
    ids = _array(source, name, 1, _INTEGER)
    if ids is None:
        return list(range(first, first + count))
    if len(ids) != count:
        raise FormatError(f"{source.path}: {name}: expected {count} as in keypoints, found {len(ids)}")
    return ids.tolist()


def _image_sizes(source: Source) -> tuple[tuple[int, int], ...] | None:
    sizes = _array(source, "image_size", _axes(source, "image_size", 1, 2), _INTEGER)
    if sizes is None:
        return None
    if sizes.shape[-1] != 2 or sizes.min(initial=1) < 1:
        raise FormatError(f"{source.path}: image_size: expected (width, height) above 0, found {sizes.tolist()}")
    return tuple((width, height) for width, height in sizes.reshape(-1, 2).tolist())


def _fps(source: Source) -> float | None:
    fps = _array(source, "fps", 0)
    if fps is not None and fps <= 0:
        raise FormatError(f"{source.path}: fps: expected a number above 0, found {fps:g}")
    return None if fps is None else float(fps)
