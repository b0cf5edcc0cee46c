"""Lifting 2D keypoints to 3D: checks at the door, then the method."""

from __future__ import annotations

import operator
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from reprlib import repr as short
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray

from zedo_core import weights as hub
from zedo_core.camera import Camera
from zedo_core.errors import CameraError, DeviceError, InputError, WeightsError
from zedo_core.methods.zedo import ZedoLifter, ZedoOptions
from zedo_core.methods.zedo.checkpoint import load_clusters, load_prior
from zedo_core.skeleton import H36M17, Skeleton
from zedo_core.types import Keypoints, Poses, Provenance
from zedo_core.version import __version__

DEFAULT_WEIGHTS = "prior"
# Measured on 6000 poses of motions that the prior has not seen, lifted with ten hypotheses from keypoints that were
# exact, with 2 px of noise and 15 % missing, with 5 px, and with 8 px.
#
# Mean joint error of the chosen pose against its residual under prior and rays: LEAST + SLOPE residual, in each tenth
# of the residuals within 5 % (12 % on other people's motions). A pose that fits perfectly has an unseen depth still.
_LEAST_ERROR_M, _ERROR_SLOPE = 0.0420, 0.650
# Root mean square error of a joint against the spread of its hypotheses, SCALE (spread / 1 m) ^ POWER, within 7 % up to
# 130 mm of spread; the twelfth of the joints above errs by 10 to 40 % more. A factor alone is off by four times: all
# hypotheses err together, so that the error is larger than a small spread and smaller than a large one.
_SPREAD_SCALE_M, _SPREAD_POWER = 0.303, 0.387
LEAST_JOINTS = 4  # with fewer, size and so depth are anybody's guess: such a person is a gap


def load_lifter(
    weights: str | Path = DEFAULT_WEIGHTS,
    *,
    clusters: str | Path | None = None,
    options: ZedoOptions | None = None,
    device: str = "auto",
) -> ZedoLifter:
    """The ZeDO lifter with weights by name or path (a folder, a safetensors file or an official `.pth`).

    `clusters` is a file of initial poses; without it those beside the weights are used, and the
    packaged ones for weights that come without. WeightsError or DeviceError when something is missing.
    """
    path = hub.find_weights(str(weights), "prior")
    beside = path if path.is_dir() else path.parent
    if clusters is None and not (beside / "clusters.npz").is_file():
        clusters = hub.find_weights(DEFAULT_WEIGHTS, "prior")
    where = find_device(device)
    prior, poses = load_prior(path), load_clusters(clusters or beside)
    sizes, wanted = {array.shape[1] for array in poses.values()}, len(prior.skeleton)
    if sizes != {wanted}:
        raise WeightsError(
            f"{clusters or beside}: expected initial poses of {wanted} joints ({prior.skeleton.name}), found "
            f"{min(sizes)}; make them with `zedo train clusters --out {beside}`"
        )
    return ZedoLifter.build(prior, poses, options or ZedoOptions(), where)


def find_device(name: str) -> torch.device:
    """The device called `name`; `auto` is the best there is. DeviceError when it is not there."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's own about names that it gives up
            device = torch.device(name)
            torch.zeros(1, device=device).cpu()
    except Exception:  # torch answers odd names with almost any of them
        raise DeviceError(f"device '{name}' is not available; use auto, cpu, cuda, cuda:N or mps") from None
    return device


def lift(
    keypoints: Keypoints | Float[ndarray, "t j d"] | Sequence[Any],
    camera: Camera | Sequence[Any] | Float[ndarray, "3 3"] | Float[ndarray, "n 3 3"],
    *,
    hypotheses: int = 10,
    seed: int = 0,
    lifter: ZedoLifter | None = None,
    skeleton: Skeleton = H36M17,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Poses:
    """3D poses of all people in all frames, several hypotheses each, the most plausible one first and chosen.

    `keypoints` may be an array (t, j, 2) in pixels or (t, j, 3) with confidence, joints as in
    `skeleton`. `camera` is one Camera or matrix K for all frames, or one per frame; lists will do for
    arrays. Keypoints are undistorted and converted to the lifter's joint set; a person who then has
    fewer than 4 joints is a gap. `on_progress` gets the people done and their number. InputError when
    shapes, cameras or the number of hypotheses do not fit.
    """
    hypotheses, seed = _whole(hypotheses, "number of hypotheses"), _whole(seed, "seed")
    if not 0 <= seed < 2**63:
        raise InputError(f"expected a seed from 0 to 2^63 - 1, got {seed}")
    people = keypoints if isinstance(keypoints, Keypoints) else _from_array(keypoints, skeleton)
    cameras = _as_cameras(camera, len(people.frame_numbers))
    lifter = lifter or load_lifter()
    pinhole = people.undistorted(cameras).to_skeleton(lifter.skeleton)
    present = np.count_nonzero(pinhole.confidence > 0, axis=-1) >= LEAST_JOINTS
    if people.present.any() and not present.any():
        raise InputError(
            f"camera ({cameras[0].source}): expected people with {LEAST_JOINTS} usable joints, found none; check the "
            "keypoints and the lens distortion"
        )
    frames = np.nonzero(present)[0]
    K = np.stack([c.matrix for c in cameras])[frames if len(cameras) > 1 else np.zeros_like(frames)]
    total = len(frames)
    found = lifter.lift_rows(
        pinhole.xy[present], pinhole.confidence[present], K, hypotheses, lambda done: on_progress(done, total), seed
    )
    options = {**lifter.settings, "hypotheses": hypotheses, "seed": seed}
    provenance = Provenance(
        method=lifter.name,
        weights=lifter.prior.name,
        weights_sha256=lifter.prior.sha256,
        version=__version__,
        options=options,
    )
    return Poses(
        joints=_spread_out(found.joints, present),
        score=_spread_out(-expected_pose_error(-found.score), present),
        chosen=np.where(present, 0, -1),
        spread=_spread_out(expected_joint_error(found.spread), present),
        skeleton=lifter.skeleton,
        cameras=cameras,
        frame_numbers=people.frame_numbers,
        track_ids=people.track_ids,
        provenance=provenance,
        fps=people.fps,
        times_s=people.times_s,
        who=people.who,
    )


def expected_pose_error(residual_m: Float[ndarray, "*b"]) -> Float[ndarray, "*b"]:
    """Mean joint error in metres to expect of poses that miss prior and rays by `residual_m`, relative to the root."""
    return _LEAST_ERROR_M + _ERROR_SLOPE * residual_m


def expected_joint_error(spread_m: Float[ndarray, "*b"]) -> Float[ndarray, "*b"]:
    """Root mean square error in metres to expect of joints whose hypotheses differ by `spread_m`, both to the root."""
    return _SPREAD_SCALE_M * spread_m**_SPREAD_POWER


def _spread_out(rows: Float[ndarray, "b *d"], present: ndarray) -> Float[ndarray, "t p *d"]:
    """Rows back to (t, p), NaN where nobody is."""
    full = np.full((*present.shape, *rows.shape[1:]), np.nan, np.float32)
    full[present] = rows
    return full


def _whole(value: Any, what: str) -> int:
    try:
        return operator.index(value)
    except TypeError:
        raise InputError(f"expected a whole number as the {what}, got {short(value)}") from None


def _numbers(values: Any) -> ndarray | None:
    """An array-like of real numbers in float64; None for anything else."""
    try:
        array = np.asarray(values)
    except Exception:  # ragged lists, and whatever a foreign `__array__` raises
        return None
    return array.astype(float) if array.dtype.kind in "fiu" else None


def _found(values: Any, array: ndarray | None) -> str:
    """What was given, for a message: its shape, or its beginning when it is no array."""
    return short(values)[:80] if array is None else str(array.shape)


def _from_array(values: Any, skeleton: Skeleton) -> Keypoints:
    points = _numbers(values)
    if points is None or points.ndim != 3 or points.shape[1] != len(skeleton) or points.shape[2] not in (2, 3):
        raise InputError(
            f"expected keypoints of shape (frame, {len(skeleton)}, 2 or 3) in the joints of {skeleton.name}, got "
            f"{_found(values, points)}"
        )
    confidence = points[..., 2] if points.shape[2] == 3 else np.ones(points.shape[:2])
    return Keypoints(
        xy=points[:, None, :, :2],
        confidence=confidence[:, None],
        skeleton=skeleton,
        frame_numbers=np.arange(len(points)),
        track_ids=np.zeros(1, int),
    )


def _as_cameras(camera: Any, frames: int) -> tuple[Camera, ...]:
    if isinstance(camera, Camera):
        return (camera,)
    if isinstance(camera, Sequence) and camera and all(isinstance(one, Camera) for one in camera):
        cameras = tuple(camera)
    else:
        cameras = tuple(Camera.from_matrix(K) for K in _matrices(camera))
    if len(cameras) not in (1, frames):
        raise InputError(f"expected one camera or one per frame ({frames}), got {len(cameras)}")
    return cameras


def _matrices(values: Any) -> Float[ndarray, "n 3 3"]:
    """One matrix K or several."""
    K = _numbers(values)
    if K is None or K.shape[-2:] != (3, 3) or K.ndim not in (2, 3) or not len(K):
        raise CameraError(
            f"expected a Camera, one per frame, or matrices K of shape (3, 3) or (frame, 3, 3), got {_found(values, K)}"
        )
    return K.reshape(-1, 3, 3)
