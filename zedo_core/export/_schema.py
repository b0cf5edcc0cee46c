"""Common parts of the npz, JSON and Parquet formats of poses: the schema's name, and shared values and checks.

Every change that breaks existing readers needs a new number in `SCHEMA`.
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
from zedo_core.skeleton import SKELETONS, Skeleton
from zedo_core.types import FRAME_RATES, Poses

SCHEMA = "zedo-poses-1"
UNITS = "m"
AXES = "camera: x right, y down, z forward"
_KINDS = {
    **dict.fromkeys(("joints", "score", "spread", "times_s", "feet"), "f"),
    **dict.fromkeys(("chosen", "track", "frame_numbers"), "iu"),
    **dict.fromkeys(("filled", "contact", "seen"), "b"),
}
_LARGEST_M = 1e6


@contextmanager
def format_errors(path: Path) -> Iterator[None]:
    """Convert the exceptions that a damaged file causes into a FormatError."""
    try:
        yield
    except KeyError as error:
        raise FormatError(f"{path}: expected poses in the format {SCHEMA}, {error} is missing") from None
    except (AttributeError, IndexError, InputError, MemoryError, OverflowError, TypeError, ValueError) as error:
        raise FormatError(f"{path}: expected poses in the format {SCHEMA}, found damage ({error})") from None


def check_schema(schema: Any, path: Path) -> None:
    """FormatError when the file has another schema."""
    if schema != SCHEMA:
        raise FormatError(
            f"{path}: expected poses in the format {SCHEMA}, found {str(schema)[:40]!a}; update zedo or the file"
        )


def check_fields(poses: Poses) -> None:
    """ValueError for values of a file that `Poses` does not check and that no exporter could write."""
    for name, kinds in _KINDS.items():
        array = getattr(poses, name)
        if array is not None and array.dtype.kind not in kinds:
            raise ValueError(f"{name} has the type {array.dtype}")
    for points in (poses.joints, *(() if poses.feet is None else (poses.feet,))):
        if max(np.nanmax(points, initial=0.0), -np.nanmin(points, initial=0.0)) > _LARGEST_M:
            raise ValueError(f"joints have a coordinate beyond {_LARGEST_M:g} m")
    least, most = FRAME_RATES
    if poses.fps is not None and not (isinstance(poses.fps, int | float) and least <= poses.fps <= most):
        raise ValueError(f"fps is {poses.fps!a:.40}")
    origin = poses.provenance
    texts = (poses.skeleton.name, *poses.skeleton.joints, origin.method, origin.weights, origin.weights_sha256)
    texts += (origin.version, *(camera.source for camera in poses.cameras))
    if not all(isinstance(text, str) for text in texts) or not isinstance(origin.options, dict):
        raise ValueError("a name, a source or the options have another type")


def restored_skeleton(name: str, joints: Sequence[str], parents: Sequence[int]) -> Skeleton:
    """The joint set of a file: zedo's own if name and joints agree, otherwise one built from the file."""
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
    lens: Any = "brown",
    world_is_camera: Any = False,
) -> Camera:
    """The camera of a file; None for unknown values."""
    if size is not None:
        width, height = map(int, size)
        size = (width, height)
    camera = Camera.from_matrix(
        np.array(K, dtype=float), size=size, distortion=tuple(map(float, distortion)), source=source, lens=lens
    )
    return replace(
        camera,
        R_cam_from_world=None if R is None else tuple(tuple(map(float, row)) for row in R),
        t_cam_from_world=None if t is None else tuple(map(float, t)),
        world_is_camera=bool(world_is_camera),
    )


def up_transform(poses: Poses) -> tuple[Float[ndarray, "u 3 3"], Float[ndarray, "u 3"], str]:
    """Rotation and translation to y up with the floor at 0, once if the same for all frames, and their source."""
    up = upright(poses)
    R, t = up.R_up_from_cam, up.t_up_from_cam
    is_fixed = len(R) > 0 and bool((R[0] == R).all() and (t == t[0]).all())
    return (R[:1], t[:1], up.source) if is_fixed else (R, t, up.source)


def upright_table(poses: Poses) -> dict[str, Any]:
    """`up_transform` as JSON values."""
    R, t, source = up_transform(poses)
    return {"R_up_from_cam": R.tolist(), "t_up_from_cam": t.tolist(), "source": source}


def camera_table(camera: Camera) -> dict[str, Any]:
    """A camera as JSON values."""
    return {
        "K": camera.matrix.tolist(),
        "distortion": camera.distortion,
        "image_size": camera.size,
        "R_cam_from_world": camera.R_cam_from_world,
        "t_cam_from_world": camera.t_cam_from_world,
        "source": camera.source,
        **({"lens": camera.lens} if camera.lens != "brown" else {}),
        **({"world_is_camera": True} if camera.world_is_camera else {}),
    }


def camera_from_table(table: dict[str, Any]) -> Camera:
    """The camera that `camera_table` made JSON values of."""
    return restored_camera(
        table["K"],
        distortion=table["distortion"],
        size=table["image_size"],
        R=table["R_cam_from_world"],
        t=table["t_cam_from_world"],
        source=table["source"],
        lens=table.get("lens", "brown"),
        world_is_camera=table.get("world_is_camera", False),
    )


def to_json(value: Any) -> Any:
    """Options as JSON values: tuples become lists, NaN and infinities null, other objects strings."""
    if isinstance(value, dict):
        return {str(key): to_json(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(entry) for entry in value]
    if isinstance(value, np.generic):
        return to_json(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, str | int) else str(value)
