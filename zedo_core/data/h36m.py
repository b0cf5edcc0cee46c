"""Human3.6M: people in a studio before four cameras, in each of the forms that work on lifting passes on.

Ionescu et al., Human3.6M: Large Scale Datasets and Predictive Methods for 3D Human Sensing in Natural
Environments, TPAMI 2014. Split by subjects: S9 and S11 are the test set.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from zedo_core.data import _h36m_hdf5, _h36m_pickle, _h36m_videopose
from zedo_core.data._h36m_files import described, fields, files_beside
from zedo_core.data._h36m_sequences import ACTIONS, INPUTS, NAME, SPLITS
from zedo_core.data._samples import Samples
from zedo_core.errors import FormatError, InputError

__all__ = ["ACTIONS", "INPUTS", "NAME", "SPLITS", "load"]

_FORMS = (
    "h36m_test.pkl (official ZeDO), data_3d_h36m.npz with data_2d_h36m_gt.npz (VideoPose3D) or "
    "S*/MyPoses/3D_positions/*.h5"
)


def load(root: Path, split: str = "test", input: str = "gt") -> Samples:
    """Read Human3.6M; `root` is a folder with one of its forms, told by content, or a file of it.

    `split` is `test` or `train`; `input` is `gt`, the projection of the truth, or `detected`. Where a folder has
    several forms the first is read: pickles of single samples (official ZeDO: h36m_test.pkl, h36m_sh_dt_ft.pkl),
    npz of takes (VideoPose3D), HDF5 of takes (S9/MyPoses/3D_positions, S9/StackedHourglass). The latter two need
    cameras: those of a camera file beside them (see `_h36m_cameras`), else the published ones. Sequences are sorted
    by subject, action and camera; samples with values that are not finite are left out and counted.
    InputError for an unknown split or input, FormatError for a file missing, damaged or of another data set.
    """
    if split not in SPLITS:
        raise InputError(f"{NAME}: split '{split}' is not known; expected {' or '.join(SPLITS)}")
    if input not in INPUTS:
        raise InputError(f"{NAME}: input '{input}' is not known; expected {' or '.join(INPUTS)}")
    root = Path(root)
    read = _reader(root) if root.exists() else None
    if read is None:
        raise FormatError(f"{root}: expected Human3.6M as {_FORMS}, found {described(root)}")
    return read(root, split, input)


def _reader(root: Path) -> Callable[[Path, str, str], Samples] | None:
    """The reader of the form that a file is of, or that a folder holds."""
    contents = [fields(path) for path in ([root] if root.is_file() else files_beside(root))]

    def holds(*names: str) -> bool:
        return any(content.issuperset(names) for content in contents)

    if holds(*_h36m_pickle.MARKS) or holds(*_h36m_pickle.DETECTION_MARKS):
        return _h36m_pickle.read
    if holds(_h36m_videopose.MARKS_3D) or holds(_h36m_videopose.MARKS_2D):
        return _h36m_videopose.read
    if _h36m_hdf5.folder_of(root) is not None and (root.is_dir() or any(map(holds, _h36m_hdf5.MARKS))):
        return _h36m_hdf5.read
    return None
