"""Motion capture in the joints of H36M-17: npz with `retargeted` or `positions` (n, 17, 3), metres, y up."""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from zedo_core.errors import FormatError
from zedo_core.skeleton import H36M17


@dataclass(frozen=True, kw_only=True)
class Motions:
    """Sequences of poses, one after the other.

    `positions` in metres with y up; frame i belongs to sequence `sequence[i]`, whose name, source
    and frame rate stand in the tuples.
    """

    positions: Float[ndarray, "n 17 3"]
    sequence: Int[ndarray, " n"]
    names: tuple[str, ...]
    sources: tuple[str, ...]
    fps: tuple[float, ...]

    def __len__(self) -> int:
        return len(self.positions)

    def take(self, rows: Int[ndarray, " m"]) -> Motions:
        """Some of the frames."""
        return Motions(
            positions=self.positions[rows],
            sequence=self.sequence[rows],
            names=self.names,
            sources=self.sources,
            fps=self.fps,
        )


def load(path: str | Path, split: str | None = None, *, rig: str = "retargeted") -> Motions:
    """Read an npz of motion capture; FormatError when it is damaged or of another form.

    `split` keeps the sequences marked with that word (all when None). `rig` is `retargeted` (bone
    directions on one adult skeleton) or `positions` (as captured); a file with only one has it used.
    """
    path = Path(path)
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as data:
            arrays = {name: data[name] for name in data.files}
    except FileNotFoundError:
        raise FormatError(f"{path}: no such file; expected an npz of motion capture") from None
    except (OSError, ValueError, zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise FormatError(f"{path}: expected an npz of motion capture, cannot read it ({error})") from None
    key = rig if rig in arrays else next((name for name in ("retargeted", "positions") if name in arrays), None)
    if key is None:
        raise FormatError(f"{path}: expected an array 'positions' (n, 17, 3) in metres, found {', '.join(arrays)}")
    return _select(path, arrays, key, split)


def _select(path: Path, arrays: dict[str, ndarray], key: str, split: str | None) -> Motions:
    positions = _checked_positions(path, key, arrays[key])
    offsets = arrays.get("offsets", np.array([0, len(positions)])).astype(np.int64)
    count = len(offsets) - 1
    if count < 1 or offsets[0] != 0 or offsets[-1] != len(positions) or (np.diff(offsets) < 0).any():
        raise FormatError(f"{path}: 'offsets' must rise from 0 to the {len(positions)} frames of '{key}'")
    labels = {
        name: np.broadcast_to(arrays.get(name, default), (count,))
        for name, default in (("names", ""), ("sources", "own"), ("fps", 30.0), ("split", split or ""))
    }
    kept = np.flatnonzero(labels["split"] == split) if split is not None else np.arange(count)
    if len(kept) == 0:
        raise FormatError(f"{path}: no sequence is marked '{split}'; found {', '.join(np.unique(labels['split']))}")
    rows = np.flatnonzero(np.isin(np.repeat(np.arange(count), np.diff(offsets)), kept))
    return Motions(
        positions=positions[rows],
        sequence=np.repeat(np.arange(len(kept)), np.diff(offsets)[kept]),
        names=tuple(str(labels["names"][i]) for i in kept),
        sources=tuple(str(labels["sources"][i]) for i in kept),
        fps=tuple(float(labels["fps"][i]) for i in kept),
    )


def _checked_positions(path: Path, key: str, positions: ndarray) -> Float[ndarray, "n 17 3"]:
    expected = (len(H36M17), 3)
    if positions.ndim != 3 or positions.shape[1:] != expected or positions.dtype.kind != "f" or not len(positions):
        raise FormatError(
            f"{path}: expected '{key}' of shape (n, {expected[0]}, {expected[1]}) in metres, got "
            f"{positions.dtype} {positions.shape}"
        )
    if not np.isfinite(positions).all():
        raise FormatError(f"{path}: '{key}' holds values that are not finite; leave those frames out")
    return positions.astype(np.float32)


@dataclass(frozen=True, kw_only=True)
class Views:
    """Poses before random cameras: joints in metres in camera axes, their pixels, and the matrix K of each."""

    joints_cam: Float[ndarray, "b 17 3"]
    xy: Float[ndarray, "b 17 2"]
    K: Float[ndarray, "b 3 3"]


def random_views(motions: Motions, count: int, seed: int = 0) -> Views:
    """`count` different frames, each of a body of random size before a random camera.

    Sizes vary by 5 % (one standard deviation); headings are even over the circle; the camera looks
    down by -10 to 25 degrees, rolls by up to 5, stands 3 to 7 m away, has a focal length of 900 to
    1600 px and a picture of 1001 x 1001 px.
    """
    rng = np.random.default_rng(seed)
    rows = rng.choice(len(motions), size=min(count, len(motions)), replace=False)
    n = len(rows)
    root = H36M17.index("pelvis")
    bodies = motions.positions[rows].astype(float)
    bodies = (bodies - bodies[:, [root]]) * rng.normal(1.0, 0.05, (n, 1, 1))
    heading, pitch, roll = rng.uniform((-180, -10, -5), (180, 25, 5), (n, 3)).T
    down = np.diag((1.0, -1.0, -1.0))  # world y up to camera y down
    R = _turn("z", roll) @ _turn("x", pitch) @ down @ _turn("y", heading)
    T = rng.uniform((-0.8, -0.5, 3.0), (0.8, 0.5, 7.0), (n, 3))
    joints_cam = bodies @ np.swapaxes(R, 1, 2) + T[:, None]
    focal = rng.uniform(900, 1600, n)
    K = np.zeros((n, 3, 3))
    K[:, 0, 0] = K[:, 1, 1] = focal
    K[:, :2, 2], K[:, 2, 2] = 500.0, 1.0
    xy = joints_cam[..., :2] / joints_cam[..., 2:] * focal[:, None, None] + 500.0
    return Views(joints_cam=joints_cam, xy=xy, K=K)


def _turn(axis: str, angle_deg: Float[ndarray, " n"]) -> Float[ndarray, "n 3 3"]:
    """Rotations about a coordinate axis."""
    i, j = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[axis]
    R = np.tile(np.eye(3), (len(angle_deg), 1, 1))
    c, s = np.cos(np.radians(angle_deg)), np.sin(np.radians(angle_deg))
    R[:, i, i], R[:, i, j], R[:, j, i], R[:, j, j] = c, -s, s, c
    return R
