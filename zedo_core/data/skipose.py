"""SkiPose: alpine skiers filmed by cameras that pan, tilt and zoom, as an HDF5 file of labels.

Rhodin et al., Learning Monocular 3D Human Pose Estimation from Multi-view Images, CVPR 2018.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from zedo_core.data._hdf5 import check_options, floats, read_hdf5, summarize_folder
from zedo_core.data._samples import Samples, index_labels, project
from zedo_core.errors import FormatError
from zedo_core.skeleton import H36M17

NAME = "ski"
SPLITS = ("train", "test")
PICTURE_PX = 256  # 2D and cameras are in units of the side of the picture
_FIELDS = ("3D", "2D", "cam_intrinsic", "seq", "cam", "frame")
_AT_ORIGIN_M = 1e-4  # pelvises closer to the camera than this mean that poses are relative to them


def load(root: Path, split: str = "test", input: str = "gt") -> Samples:
    """Read SkiPose from `ski_<split>.h5` (official ZeDO) or, in its absence, `<split>/labels.h5` (SkiPose).

    `root` is the folder of either or one such file. A sequence is one run as seen by one camera. If all poses have
    their pelvis at the origin, the file has no translations: these are then found by least squares from 2D and K (see
    `root_translations`). Samples with values that are not finite are left out and counted.
    InputError for an unknown split or input, FormatError for a file that is missing, damaged or of another data set.
    """
    check_options(NAME, split, SPLITS, input)
    path = _find_file(Path(root), split)
    arrays = read_hdf5(path, _FIELDS)
    joints = len(H36M17)
    joints_cam = floats(path, "3D", arrays["3D"], (None, joints * 3)).reshape(-1, joints, 3)
    n = len(joints_cam)
    xy = floats(path, "2D", arrays["2D"], (n, joints * 2)).reshape(n, joints, 2) * PICTURE_PX
    K = floats(path, "cam_intrinsic", arrays["cam_intrinsic"], (n, 3, 3)) * [[PICTURE_PX], [PICTURE_PX], [1]]
    seq, cam, frame = (_integers(path, name, arrays[name], n) for name in ("seq", "cam", "frame"))
    sequence, sequences = index_labels([f"seq_{s:03d}/cam_{c:02d}" for s, c in zip(seq, cam, strict=True)])
    if (np.linalg.norm(joints_cam[:, H36M17.index("pelvis")], axis=-1) < _AT_ORIGIN_M).all():
        joints_cam = joints_cam + root_translations(joints_cam, xy, K)[:, None]
    samples = Samples(
        name=NAME,
        joints_cam=joints_cam,
        xy=xy,
        confidence=np.ones((n, joints)),
        K=K,
        sequence=sequence,
        sequences=sequences,
        frame=frame,
        action=np.zeros(n, int),
        actions=("all",),
    )
    return samples.take(np.lexsort((frame, sequence))).drop_nonfinite()


def _find_file(root: Path, split: str) -> Path:
    if root.is_file():
        return root
    paths = (root / f"ski_{split}.h5", root / split / "labels.h5")
    path = next((path for path in paths if path.is_file()), None)
    if path is None:
        raise FormatError(
            f"{root}: expected ski_{split}.h5 or {split}/labels.h5 of SkiPose, found {summarize_folder(root)}"
        )
    return path


def _integers(path: Path, name: str, array: ndarray, n: int) -> Int[ndarray, " n"]:
    """One whole number per sample, from (n,) or (n, 1)."""
    values = floats(path, name, array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array, (n,))
    if not np.array_equal(values, np.round(values)):
        raise FormatError(f"{path}: expected whole numbers in '{name}', found others")
    return values.astype(int)


def root_translations(
    poses: Float[ndarray, "n j 3"], xy: Float[ndarray, "n j 2"], K: Float[ndarray, "n 3 3"]
) -> Float[ndarray, "n 3"]:
    """The translation of each root-relative pose with the least squared error in pixels; NaN where there is none.

    With k a row of K and u a pixel coordinate, (k - u k_z)·(X + T) = 0 is linear in T. The solution is refined by three
    Gauss-Newton steps: the same rows at the pixel of X + T, each divided by its depth.
    """
    A = K[:, None, :2] - xy[..., None] * K[:, None, 2:]
    T = _least_squares(A, -(A @ poses[..., None])[..., 0])
    for _ in range(3):
        points = poses + T[:, None]
        points = np.where(points[..., 2:] > 0, points, np.nan)  # points behind the camera have no pixel
        pixels = project(points, K)
        J = (K[:, None, :2] - pixels[..., None] * K[:, None, 2:]) / points[..., 2, None, None]
        T = T + _least_squares(J, xy - pixels)
    return T


def _least_squares(A: Float[ndarray, "n j 2 3"], b: Float[ndarray, "n j 2"]) -> Float[ndarray, "n 3"]:
    """The least-squares solution of every sample; NaN where a value is not finite."""
    n, j = A.shape[:2]
    rows, right = A.reshape(n, 2 * j, 3), b.reshape(n, 2 * j, 1)
    T = np.full((n, 3), np.nan)
    valid = np.isfinite(rows).all((1, 2)) & np.isfinite(right).all((1, 2))
    T[valid] = (np.linalg.pinv(rows[valid]) @ right[valid])[..., 0]
    return T
