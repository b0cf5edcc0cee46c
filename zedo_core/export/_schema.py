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

from zedo_core.camera import Camera
from zedo_core.errors import FormatError, InputError
from zedo_core.skeleton import SKELETONS, Skeleton

SCHEMA = "zedo-poses-1"
UNITS = "m"
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
