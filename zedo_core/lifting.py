"""Lifting 2D keypoints to 3D: the input is checked, then handed to a method."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from pathlib import Path
from reprlib import repr as short
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from zedo_core.camera import Camera
from zedo_core.errors import CameraError, InputError
from zedo_core.methods import DEFAULT_METHOD, Lifter, get_method
from zedo_core.skeleton import H36M17, Skeleton
from zedo_core.types import SEEN, Keypoints, Lifted, Poses, Provenance
from zedo_core.version import __version__

MIN_JOINTS = 4  # with fewer, the size of a person and thus the depth are undetermined: that row is dropped


def load_lifter(
    weights: str | Path | None = None, *, method: str = DEFAULT_METHOD, device: str = "auto", **settings: Any
) -> Lifter:
    """Load the lifter of a method, with weights given by name or path, or the method's default weights.

    `settings` are those of the method, such as `preset` and `iterations`. InputError for an unknown method or setting,
    WeightsError or DeviceError when something is missing.
    """
    chosen = get_method(method)
    return chosen.load(chosen.weights if weights is None else weights, device, **settings)


def lift(
    keypoints: Keypoints | Float[ndarray, "t j d"] | Sequence[Any],
    camera: Camera | Sequence[Any] | Float[ndarray, "3 3"] | Float[ndarray, "n 3 3"],
    *,
    hypotheses: int = 10,
    method: str = DEFAULT_METHOD,
    seed: int = 0,
    lifter: Lifter | None = None,
    skeleton: Skeleton = H36M17,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Poses:
    """3D poses of all people in all frames, several hypotheses each, the most plausible one chosen.

    `keypoints` may be an array (t, j, 2) in pixels or (t, j, 3) with confidence, joints as in `skeleton`. `camera` is
    one Camera or matrix K for all frames, or one per frame; lists are accepted in place of arrays. Without a `lifter`
    loaded beforehand, that of `method` is loaded with its defaults. Keypoints are undistorted and converted to the
    lifter's joint set; a person with fewer than 4 joints left in a frame has no pose there. `on_progress` is called
    with the number of rows done and their total. InputError when shapes, cameras, the method or the number of
    hypotheses are not valid.
    """
    hypotheses, seed = _as_integer(hypotheses, "number of hypotheses"), _as_integer(seed, "seed")
    if not 0 <= seed < 2**63:
        raise InputError(f"expected a seed from 0 to 2^63 - 1, got {seed}")
    people = keypoints if isinstance(keypoints, Keypoints) else _as_keypoints(keypoints, skeleton)
    cameras = _as_cameras(camera, len(people.frame_numbers))
    lifter = lifter or load_lifter(method=method)
    rows = usable_rows(people, cameras, lifter.skeleton)
    if len(people) and not len(rows):
        raise InputError(
            f"camera ({cameras[0].source}): expected people with {MIN_JOINTS} usable joints, found none; check the "
            "keypoints and the lens distortion"
        )
    lifted = lifter.lift(rows, cameras, hypotheses, seed, lambda done: on_progress(done, len(rows)))
    return _poses(lifted, rows, cameras, lifter, {"hypotheses": hypotheses, "seed": seed})


def usable_rows(keypoints: Keypoints, cameras: tuple[Camera, ...], skeleton: Skeleton) -> Keypoints:
    """The rows that a method lifts: undistorted, in its joint set, those with enough joints."""
    pinhole = keypoints.undistorted(cameras).to_skeleton(skeleton)
    return pinhole.take(np.count_nonzero(pinhole.confidence > 0, axis=-1) >= MIN_JOINTS)


def _poses(
    lifted: Lifted, rows: Keypoints, cameras: tuple[Camera, ...], lifter: Lifter, options: dict[str, Any]
) -> Poses:
    """The output of a lifter together with the clip's frames and cameras; values that the method lacks are NaN."""
    n, h, j, _ = lifted.joints.shape
    unknown = np.float32(np.nan)
    return Poses(
        frame=rows.frame,
        track=rows.track,
        joints=lifted.joints,
        score=np.full((n, h), unknown) if lifted.score is None else lifted.score,
        chosen=np.zeros(n, int),
        spread=np.full((n, j), unknown) if lifted.spread is None else lifted.spread,
        filled=np.zeros(n, bool),
        seen=rows.confidence >= SEEN,
        skeleton=lifter.skeleton,
        cameras=cameras,
        frame_numbers=rows.frame_numbers,
        provenance=Provenance(
            method=lifter.name,
            weights=lifter.weights,
            weights_sha256=lifter.weights_sha256,
            version=__version__,
            options={**lifter.settings, **options},
        ),
        fps=rows.fps,
        times_s=rows.times_s,
    )


def _as_integer(value: Any, what: str) -> int:
    try:
        return operator.index(value)
    except TypeError:
        raise InputError(f"expected a whole number as the {what}, got {short(value)}") from None


def _as_floats(values: Any) -> ndarray | None:
    """An array-like of real numbers in float64; None for anything else."""
    try:
        array = np.asarray(values)
    except Exception:  # ragged lists, and whatever a third-party `__array__` raises
        return None
    return array.astype(float) if array.dtype.kind in "fiu" else None


def _describe(values: Any, array: ndarray | None) -> str:
    """The given values for an error message: the shape, or the beginning when they are not an array."""
    return short(values)[:80] if array is None else str(array.shape)


def _as_keypoints(values: Any, skeleton: Skeleton) -> Keypoints:
    points = _as_floats(values)
    if points is None or points.ndim != 3 or points.shape[1] != len(skeleton) or points.shape[2] not in (2, 3):
        raise InputError(
            f"expected keypoints of shape (frame, {len(skeleton)}, 2 or 3) in the joints of {skeleton.name}, got "
            f"{_describe(values, points)}"
        )
    confidence = points[..., 2] if points.shape[2] == 3 else np.ones(points.shape[:2])
    return Keypoints.from_dense(points[:, None, :, :2], confidence[:, None], skeleton)


def _as_cameras(camera: Any, frames: int) -> tuple[Camera, ...]:
    if isinstance(camera, Camera):
        return (camera,)
    if isinstance(camera, Sequence) and camera and all(isinstance(entry, Camera) for entry in camera):
        cameras = tuple(camera)
    else:
        cameras = tuple(Camera.from_matrix(K) for K in _as_matrices(camera))
    if len(cameras) not in (1, frames):
        raise InputError(f"expected one camera or one per frame ({frames}), got {len(cameras)}")
    return cameras


def _as_matrices(values: Any) -> Float[ndarray, "n 3 3"]:
    """One matrix K or several."""
    K = _as_floats(values)
    if K is None or K.shape[-2:] != (3, 3) or K.ndim not in (2, 3) or not len(K):
        raise CameraError(
            "expected a Camera, one per frame, or matrices K of shape (3, 3) or (frame, 3, 3), got "
            f"{_describe(values, K)}"
        )
    return K.reshape(-1, 3, 3)
