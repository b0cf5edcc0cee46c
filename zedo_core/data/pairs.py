"""Pairs for training lifters: keypoints of a detector beside the true pose, from a data set or one's own npz.

An npz holds `keypoints` (n, j, 2) in undistorted pixels, or (n, j, 3) with confidences, `joints` (n, j, 3) in metres in
camera axes, `K` (3, 3) or (n, 3, 3), and optionally `joint_names` and the starts of sequences as `offsets`. Missing
keypoints have confidence 0 or are not finite; frames with joints that are not finite are left out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from zedo_core.data import load_samples
from zedo_core.data._h36m_files import describe, fields
from zedo_core.data._samples import project
from zedo_core.data.mixture import Mixture, held_out_frames
from zedo_core.data.mocap import Motions, check_offsets, file_skeleton
from zedo_core.data.training import Y_UP_FROM_CAM, DataSource, detect_kind
from zedo_core.errors import FormatError
from zedo_core.skeleton import H36M17, Skeleton, conversion
from zedo_core.storage.files import load_arrays, sha256_of

_EXPECTED = "pairs as an npz with 'keypoints' (n, j, 2 or 3), 'joints' (n, j, 3) and 'K', or Human3.6M with detections"
# Largest median distance of the keypoints from the projected joints, as a fraction of the size of the person: far above
# the errors of detectors, below what wrong frames, axes, joints or cameras cause.
_MAX_MEDIAN = 0.15
_CHECKED = 10_000  # frames, spread evenly
_BODY_M = (0.05, 5.0)  # valid median distance of joints from the root


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """Single people in single frames, in camera axes in metres and undistorted pixels.

    A missing keypoint has confidence 0. Frame i belongs to sequence `sequence[i]` of data set `part[i]`, whose weight
    sets how often it is drawn.
    """

    joints_cam: Float[ndarray, "n j 3"]
    xy: Float[ndarray, "n j 2"]
    confidence: Float[ndarray, "n j"]
    K: Float[ndarray, "n 3 3"]
    sequence: Int[ndarray, " n"]
    part: Int[ndarray, " n"]
    weights: tuple[float, ...]

    def __len__(self) -> int:
        return len(self.joints_cam)

    @property
    def sha256(self) -> str:
        """SHA-256 of everything that training depends on."""
        digest = hashlib.sha256(repr(self.weights).encode())
        for array in (self.joints_cam, self.xy, self.confidence, self.K):
            digest.update(np.ascontiguousarray(array, np.float32).tobytes())
        for array in (self.sequence, self.part):
            digest.update(np.ascontiguousarray(array, "<i8").tobytes())
        return digest.hexdigest()

    def take(self, rows: Int[ndarray, " m"]) -> Pairs:
        """A subset of the frames."""
        names = ("joints_cam", "xy", "confidence", "K", "sequence", "part")
        return replace(self, **{name: getattr(self, name)[rows] for name in names})

    def as_mixture(self, skeleton: Skeleton) -> Mixture:
        """The poses as motion capture, with the camera taken as level."""
        count = int(self.sequence.max()) + 1
        motions = Motions(
            positions=self.joints_cam * Y_UP_FROM_CAM,
            sequence=self.sequence,
            names=("",) * count,
            sources=("pairs",) * count,
            fps=(30.0,) * count,
            skeleton=skeleton,
        )
        return Mixture(motions=motions, part=self.part, weights=self.weights)

    def hold_out(self, share: float, seed: int) -> tuple[Pairs, Pairs]:
        """Frames to train on, and held-out frames, as by `mixture.hold_out`."""
        training, held = held_out_frames(self.part, self.sequence, share, seed)
        return self.take(training), self.take(held)


def load_pairs(
    data: Sequence[tuple[Path, float]], skeleton: Skeleton = H36M17, split: str | None = None
) -> tuple[Pairs, tuple[DataSource, ...]]:
    """Read pairs with their weights, in the joints of `skeleton`; `split` (default: `train`) applies to data sets.

    InputError or FormatError when something cannot be used, among them frames whose joints do not project onto their
    keypoints.
    """
    parts, sources = [], []
    for path, weight in data:
        kind, part, damaged = _read(path, skeleton, split)
        _check_fit(path, part, skeleton)
        parts.append(part)
        count = len(np.unique(part.sequence))
        digest = sha256_of(path) if path.is_file() else part.sha256
        sources.append(
            DataSource(
                path=str(path), kind=kind, weight=weight, sequences=count, frames=len(part), damaged=damaged,
                sha256=digest,
            )
        )  # fmt: skip
    starts = np.cumsum([0, *(int(part.sequence.max()) + 1 for part in parts)])
    arrays = {name: [getattr(part, name) for part in parts] for name in ("joints_cam", "xy", "confidence", "K")}
    return Pairs(
        **{name: np.concatenate(values) for name, values in arrays.items()},
        sequence=np.concatenate([part.sequence + start for part, start in zip(parts, starts, strict=False)]),
        part=np.repeat(np.arange(len(parts)), [len(part) for part in parts]),
        weights=tuple(weight for _, weight in data),
    ), tuple(sources)


def _read(path: Path, skeleton: Skeleton, split: str | None) -> tuple[str, Pairs, int]:
    """The kind of a path, its pairs, and the number of frames left out."""
    if path.is_file() and {"keypoints", "joints"} & fields(path):
        return "pairs", *_read_npz(path, skeleton)
    kind = detect_kind(path)
    if kind in ("mocap", "bvh"):
        raise FormatError(f"{path}: expected {_EXPECTED}, found {describe(path)}")
    samples = load_samples(kind, path, split or "train", "detected").drop_nonfinite()
    pairs = _pairs(samples.joints_cam, samples.xy, samples.confidence, samples.K, samples.sequence)
    return kind, _converted(path, pairs, H36M17, skeleton), samples.left_out


def _converted(path: Path, pairs: Pairs, own: Skeleton, skeleton: Skeleton) -> Pairs:
    """The pairs in another joint set."""
    if own == skeleton:
        return pairs
    rule = conversion(own, skeleton)
    if missing := [name for name, row in zip(skeleton.joints, rule.weights, strict=True) if not row.any()]:
        raise FormatError(f"{path}: from {own.name}, {', '.join(missing)} of {skeleton.name} cannot be derived")
    return replace(
        pairs,
        joints_cam=rule.points(pairs.joints_cam).astype(np.float32),
        xy=rule.points(pairs.xy).astype(np.float32),
        confidence=rule.confidence(pairs.confidence).astype(np.float32),
    )


def _read_npz(path: Path, skeleton: Skeleton) -> tuple[Pairs, int]:
    """The pairs of a file, and the number of frames left out."""
    arrays = load_arrays(path)
    if missing := [name for name in ("keypoints", "joints", "K") if name not in arrays]:
        raise FormatError(f"{path}: expected {_EXPECTED}, found no {' and no '.join(missing)}")
    own = file_skeleton(path, arrays, "joints", skeleton)
    keypoints, joints, K = (_numbers(path, arrays, name) for name in ("keypoints", "joints", "K"))
    n, j = len(joints), len(own)
    if joints.shape != (n, j, 3) or n == 0 or keypoints.shape not in ((n, j, 2), (n, j, 3)):
        raise FormatError(
            f"{path}: expected keypoints (n, {j}, 2 or 3) and joints (n, {j}, 3) of the same frames, got "
            f"{keypoints.shape} and {joints.shape}"
        )
    if K.shape not in ((3, 3), (n, 3, 3)) or not (K[..., [0, 1], [0, 1]] > 0).all() or not np.isfinite(K).all():
        raise FormatError(
            f"{path}: expected K of shape (3, 3) or ({n}, 3, 3) with focal lengths above 0, got {K.shape}"
        )
    offsets = check_offsets(path, arrays.get("offsets", np.array([0, n])), n)
    confidence = keypoints[..., 2] if keypoints.shape[2] == 3 else np.ones((n, j))
    sequence = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    pairs = _pairs(joints, keypoints[..., :2], confidence, np.broadcast_to(K, (n, 3, 3)), sequence)
    whole = np.flatnonzero(np.isfinite(joints).all((1, 2)) & (pairs.confidence > 0).any(1))
    if not len(whole):
        raise FormatError(f"{path}: expected frames with finite joints and keypoints, found none among {n}")
    return _converted(path, pairs.take(whole), own, skeleton), n - len(whole)


def _numbers(path: Path, arrays: dict[str, ndarray], name: str) -> ndarray:
    if arrays[name].dtype.kind not in "fiu" or arrays[name].ndim < 2:
        raise FormatError(f"{path}: expected '{name}' as numbers, got {arrays[name].dtype} {arrays[name].shape}")
    return arrays[name].astype(float)


def _pairs(joints: ndarray, xy: ndarray, confidence: ndarray, K: ndarray, sequence: ndarray) -> Pairs:
    """Pairs of one part; keypoints that are not finite are missing."""
    found = np.isfinite(xy).all(-1) & np.isfinite(confidence) & (confidence > 0)
    return Pairs(
        joints_cam=joints.astype(np.float32),
        xy=np.where(found[..., None], xy, 0.0).astype(np.float32),
        confidence=np.where(found, confidence, 0.0).clip(0.0, 1.0).astype(np.float32),
        K=K.astype(np.float32),
        sequence=sequence,
        part=np.zeros(len(joints), int),
        weights=(1.0,),
    )


def _check_fit(path: Path, pairs: Pairs, skeleton: Skeleton) -> None:
    """FormatError unless the joints are in front of the camera, of human size, and project onto the keypoints."""
    pairs = pairs.take(np.unique(np.linspace(0, len(pairs) - 1, _CHECKED).astype(int)))
    joints = pairs.joints_cam.astype(float)
    size = float(np.median(np.linalg.norm(joints - joints[:, [skeleton.root]], axis=-1)))
    if not _BODY_M[0] <= size <= _BODY_M[1] or (joints[..., 2] <= 0).any():
        raise FormatError(
            f"{path}: expected joints in metres in camera axes (x right, y down, z forward), got some "
            f"{size:.3g} from the root and at depths from {joints[..., 2].min():.3g}; convert them"
        )
    projected = project(joints, pairs.K.astype(float))
    box = np.ptp(projected, axis=1).max(-1, keepdims=True)
    distance = (np.linalg.norm(projected - pairs.xy, axis=-1) / box)[pairs.confidence > 0]
    if np.median(distance) > _MAX_MEDIAN:
        raise FormatError(
            f"{path}: expected joints that project onto the keypoints, found half of them more than "
            f"{100 * np.median(distance):.0f} % of the person's size away; check that frames, joints, axes and K "
            "belong together"
        )
