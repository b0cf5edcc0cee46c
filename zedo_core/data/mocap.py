"""Motion capture: npz or Parquet with positions (n, j, 3) in metres, y up, or npy. Also random views of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray
from scipy.spatial.transform import Rotation

from zedo_core.data import mocap_parquet
from zedo_core.errors import FormatError
from zedo_core.skeleton import H36M17, Skeleton, conversion
from zedo_core.storage.files import load_array_or_arrays


@dataclass(frozen=True, kw_only=True)
class Motions:
    """Concatenated sequences of poses.

    `positions` in metres with y up; frame i belongs to sequence `sequence[i]`, whose name, source and frame rate are in
    the tuples.
    """

    positions: Float[ndarray, "n j 3"]
    sequence: Int[ndarray, " n"]
    names: tuple[str, ...]
    sources: tuple[str, ...]
    fps: tuple[float, ...]
    skeleton: Skeleton = H36M17
    note: str = ""  # what was taken for granted of the files, for the user

    def __len__(self) -> int:
        return len(self.positions)

    def take(self, rows: Int[ndarray, " m"]) -> Motions:
        """A subset of the frames."""
        return replace(self, positions=self.positions[rows], sequence=self.sequence[rows])

    def to_skeleton(self, target: Skeleton, where: str = "motion capture") -> Motions:
        """The motions in another joint set, converted by joint name; FormatError when a joint cannot be derived."""
        if target == self.skeleton:
            return self
        rule = conversion(self.skeleton, target)
        if missing := [name for name, row in zip(target.joints, rule.weights, strict=True) if not row.any()]:
            raise FormatError(
                f"{where}: its joints are those of {self.skeleton.name}, from which {', '.join(missing)} of "
                f"{target.name} cannot be derived; give poses (n, {len(target)}, 3) in the joints of {target.name}"
            )
        return replace(self, positions=rule.points(self.positions).astype(np.float32), skeleton=target)


def load(
    path: str | Path,
    split: str | None = None,
    *,
    rig: str = "retargeted",
    skeleton: Skeleton = H36M17,
    group: int | None = None,
) -> Motions:
    """Read an npz or Parquet of motion capture, or an npy (n, j, 3) as one sequence; FormatError for anything else.

    Only sequences of `split` are read (all if None). `rig` is `retargeted` (bone directions on one adult skeleton) or
    `positions` (as captured); if the file has only one, that is used. The joints in the file must be those of
    `skeleton` or of h36m-17, which are then converted by name: `retargeted` is always h36m-17; otherwise, an array
    `joint_names` in the file or the number of joints decides. `group` is a row group of a Parquet file.
    """
    path = Path(path)
    if not path.is_file():
        raise FormatError(f"{path}: no such file; expected motion capture as an npz, npy or Parquet")
    if mocap_parquet.is_parquet(path):
        arrays = mocap_parquet.read_arrays(path, group)
    else:
        arrays = load_array_or_arrays(path, "positions", "motion capture")
    key = rig if rig in arrays else next((name for name in ("retargeted", "positions") if name in arrays), None)
    if key is None:
        raise FormatError(
            f"{path}: expected an array 'positions' (n, {len(skeleton)}, 3) in metres, found "
            f"{', '.join(arrays) or 'nothing'}"
        )
    own = file_skeleton(path, arrays, key, skeleton)
    return _read_motions(path, arrays, key, split, own).to_skeleton(skeleton, str(path))


def file_skeleton(path: Path, arrays: dict[str, ndarray], key: str, wanted: Skeleton) -> Skeleton:
    """The joint set of the file."""
    if "joint_names" in arrays:
        names = tuple(str(name) for name in arrays["joint_names"].ravel())
        for known in (wanted, H36M17):
            if names == known.joints:
                return known
        raise FormatError(
            f"{path}: expected joint_names of {wanted.name} ({', '.join(wanted.joints)}) or h36m-17, found "
            f"{', '.join(names)}"
        )
    array = arrays[key]
    fits = array.ndim == 3 and array.shape[1] == len(wanted)
    as_h36m = key == "retargeted" or (not fits and array.ndim == 3 and array.shape[1] == len(H36M17))
    return H36M17 if as_h36m else wanted


def _read_motions(path: Path, arrays: dict[str, ndarray], key: str, split: str | None, own: Skeleton) -> Motions:
    positions = _check_positions(path, key, arrays[key], own)
    offsets = check_offsets(path, arrays.get("offsets", np.array([0, len(positions)])), len(positions))
    count = len(offsets) - 1
    names, sources, splits = (
        _per_sequence(path, arrays, name, default, count)
        for name, default in (("names", ""), ("sources", "own"), ("split", split or ""))
    )
    fps = _per_sequence(path, arrays, "fps", 30.0, count)
    chosen = np.flatnonzero(splits == split) if split is not None else np.arange(count)
    rows = np.flatnonzero(np.isin(np.repeat(np.arange(count), np.diff(offsets)), chosen))
    if len(rows) == 0:
        raise FormatError(f"{path}: expected frames of the split '{split}', found {', '.join(np.unique(splits))}")
    return Motions(
        positions=positions[rows],
        sequence=np.repeat(np.arange(len(chosen)), np.diff(offsets)[chosen]),
        names=tuple(str(names[i]) for i in chosen),
        sources=tuple(str(sources[i]) for i in chosen),
        fps=tuple(float(fps[i]) for i in chosen),
        skeleton=own,
    )


def check_offsets(path: Path, offsets: ndarray, frames: int) -> Int[ndarray, " count_plus_1"]:
    """The starts of the sequences and the end; FormatError when they are not valid."""
    integers = offsets.ndim == 1 and len(offsets) > 1 and offsets.dtype.kind in "iu"
    if not integers or offsets[0] != 0 or offsets[-1] != frames or (np.diff(offsets.astype(np.int64)) < 0).any():
        raise FormatError(
            f"{path}: expected 'offsets' as whole numbers that increase from 0 to the number of frames ({frames}), got "
            f"{offsets.dtype} {offsets.shape}"
        )
    return offsets.astype(np.int64)


def _per_sequence(path: Path, arrays: dict[str, ndarray], name: str, default: str | float, count: int) -> ndarray:
    """One value per sequence, or one for all: texts, or positive numbers if the default is a number."""
    values = arrays.get(name, np.array(default))
    texts = isinstance(default, str)
    valid = values.shape in ((), (1,), (count,)) and values.dtype.kind in ("U" if texts else "iuf")
    if not valid or not (texts or (np.isfinite(values) & (values > 0)).all()):
        what = "texts" if texts else "numbers above 0"
        raise FormatError(
            f"{path}: expected '{name}' as {what}, one for each of the {count} sequences, got {values.dtype} "
            f"{values.shape}"
        )
    return np.broadcast_to(values, (count,))


def _check_positions(path: Path, key: str, positions: ndarray, own: Skeleton) -> Float[ndarray, "n j 3"]:
    expected = (len(own), 3)
    if positions.ndim != 3 or positions.shape[1:] != expected or positions.dtype.kind != "f" or not len(positions):
        raise FormatError(
            f"{path}: expected '{key}' of shape (n, {expected[0]}, {expected[1]}) in metres, got "
            f"{positions.dtype} {positions.shape}"
        )
    if not np.isfinite(positions).all():
        raise FormatError(f"{path}: '{key}' contains values that are not finite; leave those frames out")
    return positions.astype(np.float32)


@dataclass(frozen=True, kw_only=True)
class Views:
    """Poses seen by random cameras: joints in camera axes in metres, pixels, and the matrix K of each camera."""

    joints_cam: Float[ndarray, "b j 3"]
    xy: Float[ndarray, "b j 2"]
    K: Float[ndarray, "b 3 3"]


def random_views(motions: Motions, count: int, seed: int = 0) -> Views:
    """`count` different frames, each seen by a random camera; body sizes vary by 5 % (one standard deviation)."""
    rng = np.random.default_rng(seed)
    rows = rng.choice(len(motions), size=min(count, len(motions)), replace=False)
    n = len(rows)
    root = motions.skeleton.root
    bodies = motions.positions[rows].astype(float)
    bodies = (bodies - bodies[:, [root]]) * rng.normal(1.0, 0.05, (n, 1, 1))
    R, T, K = random_cameras(rng, n)
    joints_cam = bodies @ np.swapaxes(R, 1, 2) + T[:, None]
    xy = joints_cam[..., :2] / joints_cam[..., 2:] * K[:, None, [0, 1], [0, 1]] + K[:, None, :2, 2]
    return Views(joints_cam=joints_cam, xy=xy, K=K)


def random_cameras(
    rng: np.random.Generator, n: int
) -> tuple[Float[ndarray, "n 3 3"], Float[ndarray, "n 3"], Float[ndarray, "n 3 3"]]:
    """Rotations from a world with y up, positions of the body's root in camera axes in metres, and matrices K.

    Headings are uniform over the circle; the camera looks down by -10 to 25 degrees, rolls by up to 5 degrees, is 3 to
    7 m away, has a focal length of 900 to 1600 px and a picture of 1001 x 1001 px.
    """
    heading, pitch, roll = rng.uniform((-180, -10, -5), (180, 25, 5), (n, 3)).T
    angles = np.stack([roll, pitch + 180, heading], axis=1)  # half a turn maps y up to y down
    R = Rotation.from_euler("ZXY", angles, degrees=True).as_matrix()
    T = rng.uniform((-0.8, -0.5, 3.0), (0.8, 0.5, 7.0), (n, 3))
    focal = rng.uniform(900, 1600, n)
    K = np.zeros((n, 3, 3))
    K[:, 0, 0] = K[:, 1, 1] = focal
    K[:, :2, 2], K[:, 2, 2] = 500.0, 1.0
    return R, T, K
