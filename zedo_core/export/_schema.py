"""What the npz and the JSON of poses have in common: the schema's name and the values that both spell the same way.

Every change that an existing reader would stumble over gets a new number in `SCHEMA`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from zedo_core.camera import Camera
from zedo_core.errors import FormatError, InputError
from zedo_core.motions.upright import upright
from zedo_core.packed import packed
from zedo_core.skeleton import SKELETONS, Skeleton
from zedo_core.types import Poses

SCHEMA = "zedo-poses-1"
UNITS = "m"
_REAL, _WHOLE = ("joints", "score", "spread"), ("chosen", "frame_numbers", "track_ids")
_LARGEST_M = 1e6
_FPS = (1e-3, 1e6)  # frames a second, from a picture in a quarter of an hour on
AXES = "camera: x right, y down, z forward"


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn whatever a damaged file leads to into one FormatError."""
    try:
        yield
    except KeyError as error:
        raise FormatError(f"{path}: expected poses in the form {SCHEMA}, {error} is missing") from None
    except (AttributeError, IndexError, InputError, MemoryError, OverflowError, TypeError, ValueError) as error:
        raise FormatError(f"{path}: expected poses in the form {SCHEMA}, found damage ({error})") from None


def check_schema(found: Any, path: Path) -> None:
    """FormatError when the file names another schema."""
    if found != SCHEMA:
        raise FormatError(
            f"{path}: expected poses in the form {SCHEMA}, found {str(found)[:40]!a}; update zedo or the file"
        )


def check_fields(poses: Poses) -> None:
    """ValueError for a field of a file that `Poses` takes as it is and that no exporter could write."""
    t, tracks = len(poses.chosen), poses.chosen.shape[1:] if poses.who is None else (poses.track_ids.size,)
    arrays = {name: getattr(poses, name) for name in (*_REAL, *_WHOLE)}
    arrays |= {} if poses.times_s is None else {"times_s": poses.times_s}
    for name, array in arrays.items():
        if array.dtype.kind not in ("iu" if name in _WHOLE else "f"):
            raise ValueError(f"{name} holds {array.dtype}")
        if name == "joints" and any((np.abs(frame) > _LARGEST_M).any() for frame in array):  # a copy might not fit
            raise ValueError(f"joints hold a value beyond {_LARGEST_M:g} m")
    if poses.frame_numbers.shape != (t,) or poses.track_ids.shape != tracks or poses.chosen.min(initial=-1) < -1:
        raise ValueError("frame_numbers, track_ids and chosen do not fit the joints")
    if poses.times_s is not None and poses.times_s.shape != (t,):
        raise ValueError(f"expected {t} times, found {poses.times_s.shape}")
    if poses.fps is not None and not (isinstance(poses.fps, int | float) and _FPS[0] <= poses.fps <= _FPS[1]):
        raise ValueError(f"fps is {poses.fps!a:.40}")
    if poses.filled is not None and poses.filled.dtype != bool:
        raise ValueError(f"filled holds {poses.filled.dtype}")
    made_by = poses.provenance
    texts = (poses.skeleton.name, *poses.skeleton.joints, made_by.method, made_by.weights, made_by.weights_sha256)
    texts += (made_by.version, *(camera.source for camera in poses.cameras))
    if not all(isinstance(text, str) for text in texts) or not isinstance(made_by.options, dict):
        raise ValueError("a name, a source or the options are of another kind")


def restored_skeleton(name: str, joints: Sequence[str], parents: Sequence[int]) -> Skeleton:
    """The joint set of a file: one of zedo's own where name and joints agree, else one made of what the file says."""
    known = SKELETONS.get(name)
    if known is not None and known.joints == tuple(joints):
        return known
    if len(parents) != len(joints) or not all(-1 <= parent < len(joints) for parent in parents):
        raise FormatError(f"joint set {name}: expected a parent (-1 for none) for each of {len(joints)} joints")
    bones = tuple((joint, joints[parent]) for joint, parent in zip(joints, parents, strict=True) if parent >= 0)
    return Skeleton(name, tuple(joints), bones)


def restored_camera(
    K: Any,
    *,
    distortion: Sequence[float],
    size: Sequence[int] | None,
    R: Sequence[Sequence[float]] | None,
    t: Sequence[float] | None,
    source: str,
) -> Camera:
    """The camera of a file; None for what is unknown."""
    if size is not None:
        width, height = map(int, size)
        size = (width, height)
    camera = Camera.from_matrix(
        np.array(K, dtype=float), size=size, distortion=tuple(map(float, distortion)), source=source
    )
    return replace(
        camera,
        R_cam_from_world=None if R is None else tuple(tuple(map(float, row)) for row in R),
        t_cam_from_world=None if t is None else tuple(map(float, t)),
    )


def way_up(poses: Poses) -> tuple[Float[ndarray, "u 3 3"], Float[ndarray, "u 3"], str]:
    """Rotation and shift to y up with the floor at 0, once where all frames share them, and the source of up."""
    found = upright(packed(poses))
    R, t = found.R_up_from_cam, found.t_up_from_cam
    same = len(R) > 0 and bool((R[0] == R).all() and (t == t[0]).all())
    return (R[:1], t[:1], found.source) if same else (R, t, found.source)


def plain(value: Any) -> Any:
    """Options as JSON can hold them: tuples as lists, NaN and infinities as null, the rest as text."""
    if isinstance(value, dict):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, str | int) else str(value)
