"""Human3.6M: people in a studio with four cameras, in each of the formats common in work on lifting.

Ionescu et al., Human3.6M: Large Scale Datasets and Predictive Methods for 3D Human Sensing in Natural
Environments, TPAMI 2014. Split by subjects: S9 and S11 are the test set.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from zedo_core.data import _h36m_hdf5, _h36m_pickle, _h36m_videopose
from zedo_core.data._h36m_files import describe, fields, files_in_folder
from zedo_core.data._h36m_sequences import ACTIONS, INPUTS, NAME, SPLITS
from zedo_core.data._samples import Samples
from zedo_core.errors import FormatError, InputError

__all__ = ["ACTIONS", "INPUTS", "NAME", "SPLITS", "load"]

_FORMATS = (
    "h36m_test.pkl (official ZeDO), data_3d_h36m.npz with data_2d_h36m_gt.npz (VideoPose3D) or "
    "S*/MyPoses/3D_positions/*.h5"
)


def load(root: Path, split: str = "test", input: str = "gt") -> Samples:
    """Read Human3.6M; `root` is a folder with one of its formats, detected from content, or a file of it.

    `split` is `test` or `train`; `input` is `gt`, the projection of the ground truth, or `detected`. If a folder has
    several formats, the first of these is read: pickles of single samples (official ZeDO: h36m_test.pkl,
    h36m_sh_dt_ft.pkl), npz of takes (VideoPose3D), HDF5 of takes (S9/MyPoses/3D_positions, S9/StackedHourglass). The
    latter two need cameras: those of a camera file in the folder (see `_h36m_cameras`), else the published ones.
    Sequences are sorted by subject, action and camera; samples with values that are not finite are left out and
    counted.
    InputError for an unknown split or input, FormatError for a file that is missing, damaged or of another data set.
    """
    if split not in SPLITS:
        raise InputError(f"{NAME}: split '{split}' is not known; expected {' or '.join(SPLITS)}")
    if input not in INPUTS:
        raise InputError(f"{NAME}: input '{input}' is not known; expected {' or '.join(INPUTS)}")
    root = Path(root)
    read = _find_reader(root) if root.exists() else None
    if read is None:
        raise FormatError(f"{root}: expected Human3.6M as {_FORMATS}, found {describe(root)}")
    return read(root, split, input)


def _find_reader(root: Path) -> Callable[[Path, str, str], Samples] | None:
    """The reader for the format of a file, or for the first format found in a folder."""
    contents = [fields(path) for path in ([root] if root.is_file() else files_in_folder(root))]

    def contains(*names: str) -> bool:
        return any(content.issuperset(names) for content in contents)

    if contains(*_h36m_pickle.SAMPLE_FIELDS) or contains(*_h36m_pickle.DETECTION_FIELDS):
        return _h36m_pickle.read
    if contains(_h36m_videopose.ARRAY_3D) or contains(_h36m_videopose.ARRAY_2D):
        return _h36m_videopose.read
    if _h36m_hdf5.find_folder(root) is not None and (root.is_dir() or any(map(contains, _h36m_hdf5.FIELDS))):
        return _h36m_hdf5.read
    return None
