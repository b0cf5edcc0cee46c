"""Human3.6M that cannot be read: an empty folder, another data set, damaged or missing files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets_h36m as h36m
import h5py
import numpy as np
import pytest
from datasets_h36m import make_studio
from h36m_cases import assert_fails, write_npz, write_videopose, write_zedo

from zedo_core.data.h36m import load
from zedo_core.errors import InputError


@pytest.mark.parametrize(
    ("split", "input", "message"),
    [("val", "gt", "split 'val' is not known; expected test or train"), ("test", "dt", "input 'dt' is not known; exp")],
)
def test_unknown_options(tmp_path: Path, split: str, input: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load(tmp_path, split, input)


def test_missing_and_empty_folders(tmp_path: Path) -> None:
    assert_fails(
        tmp_path / "nowhere", r"nowhere: expected Human3\.6M as .*data_3d_h36m.*, found no such file or folder$"
    )
    assert_fails(tmp_path, r"expected Human3\.6M as h36m_test\.pkl .*, found nothing$")


def write_ski(folder: Path) -> None:
    with h5py.File(folder / "ski_test.h5", "w") as file:
        file["3D"], file["2D"], file["cam_intrinsic"] = np.zeros((2, 51)), np.zeros((2, 34)), np.zeros((2, 3, 3))


FOREIGN: dict[str, tuple[Callable[[Path], Any], str]] = {
    "3DPW": (lambda f: write_npz(f / "pw3d_test.npz", keypoints3d17_relative=np.zeros(3)), "looks like 3DPW"),
    "3DPW, named as Human3.6M": (
        lambda f: write_npz(f / "data_3d_h36m.npz", keypoints3d17_relative=np.zeros(3)),
        r"found data_3d_h36m\.npz \(with keypoints3d17_relative: this looks like 3DPW",
    ),
    "3DPW, sequences": (
        lambda f: h36m.dump(f / "h36m_test.pkl", {"poses2d": 1, "jointPositions": 2}),
        r"h36m_test\.pkl \(with jointPositions, poses2d: this looks like 3DPW",
    ),
    "SkiPose": (write_ski, r"ski_test\.h5 \(with 2D, 3D, cam_intrinsic: this looks like SkiPose"),
    "MPI-INF-3DHP": (
        lambda f: h36m.dump(f / "h36m_test.pkl", [{"joint_3d_camera": 1, "joint_2d": 2}]),
        r"with joint_2d, joint_3d_camera: this looks like MPI-INF-3DHP",
    ),
    "MPI-INF-3DHP, folders": (lambda f: (f / "TS1").mkdir(), "found TS1: this looks like MPI-INF-3DHP"),
    "other content": (
        lambda f: h36m.dump(f / "h36m_test.pkl", [1, 2]),
        r"found h36m_test\.pkl \(damaged or in an unknown format\)",
    ),
    "an empty file": (lambda f: (f / "h36m_test.pkl").touch(), r"h36m_test\.pkl \(damaged or in an unknown format\)"),
    "text": (lambda f: (f / "data_3d_h36m.npz").write_text("<html>"), r"data_3d_h36m\.npz \(damaged or in an"),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_another_data_set(tmp_path: Path, name: str) -> None:
    write, message = FOREIGN[name]
    write(tmp_path)
    assert_fails(tmp_path, r"expected Human3\.6M as .*" + message)


def test_a_given_file_of_another_data_set(tmp_path: Path) -> None:
    """A file given by its path is not ignored in favour of valid files in its folder."""
    write_videopose(tmp_path, make_studio())
    write_npz(tmp_path / "pw3d_test.npz", keypoints3d17_relative=np.zeros(3))
    assert_fails(tmp_path / "pw3d_test.npz", r"expected Human3\.6M.*found pw3d_test\.npz \(with.*looks like 3DPW")


class CodeObject:
    def __reduce__(self) -> tuple[Any, ...]:
        return eval, ("1/0",)


def test_a_pickle_with_code_is_refused(tmp_path: Path) -> None:
    rows = h36m.entries(make_studio())
    rows[5]["extra"] = CodeObject()  # running it would divide by zero
    h36m.dump(tmp_path / "h36m_test.pkl", rows)
    assert_fails(
        tmp_path, r"h36m_test\.pkl: expected a pickle of only arrays and plain containers, refused \(.*builtins.eval"
    )
    positions = np.array({"S9": {"Photo": CodeObject()}}, object)
    write_npz(tmp_path / "data_3d_h36m.npz", positions_3d=positions)
    write_npz(tmp_path / "data_2d_h36m_gt.npz", positions_2d=positions)
    assert_fails(tmp_path / "data_3d_h36m.npz", r"data_3d_h36m\.npz: expected an npz .*, refused \(.*builtins.eval")


@pytest.mark.parametrize(
    ("format", "name", "message"),
    [
        ("zedo", "h36m_test.pkl", r"h36m_test\.pkl: expected a pickle .*refused"),
        ("zedo", "h36m_sh_dt_ft.pkl", r"h36m_sh_dt_ft\.pkl: expected a pickle .*refused"),
        ("videopose", "data_3d_h36m.npz", r"expected data_3d_h36m\.npz with positions_3d, found .*damaged or in an"),
        ("videopose", "data_2d_h36m_cpn_ft_h36m_dbb.npz", r"expected data_2d_h36m_cpn\S*npz with positions_2d, found"),
        (
            "videopose",
            "cameras.json",
            r"cameras\.json: expected the cameras of Human3\.6M .*remove it to use the pub",
        ),
        ("hdf5", "cameras.h5", r"cameras\.h5: expected the cameras of Human3\.6M"),
        ("hdf5", "S9/MyPoses/3D_positions/Photo.h5", r"Photo\.h5: expected HDF5, cannot read it"),
        ("hdf5", "S11/StackedHourglass/WalkDog.60457274.h5", r"WalkDog\.60457274\.h5: expected HDF5, cannot read it"),
    ],
)
@pytest.mark.parametrize("fraction", [0.5, 0.98])
def test_truncated_files(tmp_path: Path, format: str, name: str, message: str, fraction: float) -> None:
    write = {"zedo": write_zedo, "videopose": write_videopose, "hdf5": h36m.write_hdf5}[format]
    write(tmp_path, make_studio())
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[: int(fraction * len(content))])
    assert_fails(tmp_path, message, input="detected")


def test_a_damaged_member_of_an_npz(tmp_path: Path) -> None:
    write_videopose(tmp_path, make_studio())
    path = tmp_path / "data_3d_h36m.npz"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    assert_fails(tmp_path, r"data_3d_h36m\.npz: expected an npz .*refused")


MISSING: dict[str, tuple[str, str, str, str]] = {
    "no pickle of samples": (
        "zedo",
        "h36m_test.pkl",
        "gt",
        r"expected h36m_test\.pkl of the official ZeDO, found h36m_sh",
    ),
    "no pickle of detections": (
        "zedo",
        "h36m_sh_dt_ft.pkl",
        "detected",
        r"one pickle of detections, h36m_sh_dt_ft\.pkl, n",
    ),
    "no 3D": (
        "videopose",
        "data_3d_h36m.npz",
        "gt",
        r"expected data_3d_h36m\.npz with positions_3d, found data_2d_h36m_",
    ),
    "no 2D": (
        "videopose",
        "data_2d_h36m_gt.npz",
        "gt",
        r"expected data_2d_h36m_gt\.npz with positions_2d, found data_2d_",
    ),
    "no detections": (
        *("videopose", "data_2d_h36m_cpn_ft_h36m_dbb.npz", "detected"),
        r"expected data_2d_h36m_cpn_ft_h36m_dbb\.npz with positions_2d, found data_2d_h36m_gt\.npz",
    ),
    "no folder of detections": (
        *("hdf5", "S*/StackedHourglass", "detected"),
        r"expected detections in S9/StackedHourglass/\*\.h5, S11/StackedHourglass/\*\.h5, found none",
    ),
    "no detections of a camera": (
        *("hdf5", "S9/StackedHourglass/Photo.58860488.h5", "detected"),
        r"Photo\.58860488\.h5: no such file; expected the detections of S9/Photo/58860488",
    ),
}


@pytest.mark.parametrize("name", MISSING)
def test_missing_files(tmp_path: Path, name: str) -> None:
    format, pattern, input, message = MISSING[name]
    {"zedo": write_zedo, "videopose": write_videopose, "hdf5": h36m.write_hdf5}[format](tmp_path, make_studio())
    paths = list(tmp_path.glob(pattern))
    assert paths
    for path in paths:
        path.rename(tmp_path / "away") if path.is_file() else path.rename(path.with_name("away"))
    assert_fails(tmp_path, message, input=input)


def test_samples_of_the_other_split(tmp_path: Path) -> None:
    write_zedo(tmp_path, make_studio())
    assert_fails(
        tmp_path, r"expected samples of the train split \(S1, .*S8\), found h36m_test\.pkl with S9, S11", "train"
    )
