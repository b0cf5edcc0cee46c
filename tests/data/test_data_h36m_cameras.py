"""The cameras of Human3.6M: files of several forms, the published ones, and what cannot be read."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets_h36m as made_of
import h5py
import numpy as np
import pytest
from datasets_h36m import NUMBERS, Studio, studio
from h36m_cases import check_takes, fails, write_videopose

from zedo_core.data._h36m_cameras import published_cameras
from zedo_core.data.h36m import load

CAMERA_FILES: dict[str, Callable[[Path, Studio], None]] = {
    "JSON, quaternions, mm": lambda folder, made: made_of.write_json_cameras(folder / "cameras.json", made),
    "JSON, matrices": lambda folder, made: made_of.write_json_cameras(folder / "calib.json", made, quaternion=False),
    "JSON, metres": lambda folder, made: made_of.write_json_cameras(folder / "calib.json", made, metres=True),
    "HDF5, columns": lambda folder, made: made_of.write_h5_cameras(folder / "cameras.h5", made),
    "HDF5, rows": lambda folder, made: made_of.write_h5_cameras(folder / "any.h5", made, by_columns=False),
}


@pytest.mark.parametrize("name", CAMERA_FILES)
def test_camera_files(tmp_path: Path, name: str) -> None:
    made = studio()
    made_of.write_videopose(tmp_path, made)
    (tmp_path / "notes.json").write_text('{"S": 1}')  # not of cameras
    CAMERA_FILES[name](tmp_path, made)
    check_takes(load(tmp_path), made, "test", "gt", list(range(17)))


def test_cameras_of_subjects_without_poses_may_be_empty(tmp_path: Path) -> None:
    made = studio()
    write_videopose(tmp_path, made)
    edited(lambda table: table.update(S2=[{}, {}, {}, {}]))(tmp_path / "cameras.json")
    check_takes(load(tmp_path), made, "test", "gt", list(range(17)))
    made_of.write_h5_cameras(tmp_path / "cameras.h5", made)
    with h5py.File(tmp_path / "cameras.h5", "a") as file:
        file["subject2/camera1/R"] = np.full((3, 3), np.nan)
    check_takes(load(tmp_path), made, "test", "gt", list(range(17)))


def test_published_cameras_where_there_is_no_file(tmp_path: Path) -> None:
    made = studio()
    known = published_cameras()
    lenses = {
        subject: {
            number: made_of.Lens(
                R=np.array(camera.R_cam_from_world),
                place=-1000 * np.array(camera.R_cam_from_world).T @ np.array(camera.t_cam_from_world),
                f=(camera.fx, camera.fy),
                c=(camera.cx, camera.cy),
                k=(camera.distortion[0], camera.distortion[1], camera.distortion[4]),
                p=(camera.distortion[2], camera.distortion[3]),
            )
            for number, camera in row.items()
        }
        for subject, row in known.items()
    }
    made = Studio(takes=made.takes, lenses=lenses)
    made_of.write_videopose(tmp_path, made)
    check_takes(load(tmp_path), made, "test", "gt", list(range(17)))
    made_of.write_hdf5(tmp_path / "hdf5", made)
    (tmp_path / "hdf5" / "cameras.h5").unlink()
    check_takes(load(tmp_path / "hdf5"), made, "test", "gt", list(range(17)))


# Rotations from world axes and places in mm as others print them, in matrices.
ROTATIONS = {
    ("S1", "54138969"): (
        [
            [-0.91536173, 0.40180837, 0.02574754],
            [0.05154812, 0.18037357, -0.98224649],
            [-0.39931903, -0.89778361, -0.18581953],
        ],
        [1841.10702775, 4955.28462345, 1563.4453959],
    ),
    ("S6", "54138969"): (
        [
            [-0.9149503344107554, 0.4034864343564006, 0.008036345687245266],
            [0.07174776353922047, 0.1822275975157708, -0.9806351824867137],
            [-0.3971374371533952, -0.896655898321083, -0.19567845056940925],
        ],
        [1935.4517822265625, 4950.24560546875, 1618.0838623046875],
    ),
}


@pytest.mark.parametrize(("subject", "number"), ROTATIONS)
def test_published_rotations(subject: str, number: str) -> None:
    R, place = ROTATIONS[subject, number]
    camera = published_cameras()[subject][number]
    np.testing.assert_allclose(np.array(camera.R_cam_from_world), R, atol=3e-7)  # float32 of a quaternion
    np.testing.assert_allclose(np.array(camera.t_cam_from_world), -np.array(R) @ place / 1000, atol=3e-6)


def test_published_intrinsics() -> None:
    camera = published_cameras()["S11"]["54138969"]
    found = (camera.fx, camera.fy, camera.cx, camera.cy)
    np.testing.assert_allclose(found, (1145.04940459, 1143.78109572, 512.54150496, 515.45148698), rtol=1e-7)
    assert {row["58860488"].size for row in published_cameras().values()} == {(1000, 1000)}


def test_published_cameras_are_possible_ones() -> None:
    """They stand upright, some 4 to 6 m from the middle of the room, look at it, and differ little by subject."""
    cameras = published_cameras()
    assert list(cameras) == ["S1", "S5", "S6", "S7", "S8", "S9", "S11"]
    for number in NUMBERS:
        places = []
        for row in cameras.values():
            R, t = np.array(row[number].R_cam_from_world), np.array(row[number].t_cam_from_world)
            place = -R.T @ t
            places.append(place)
            assert abs(R[0, 2]) < 0.1 < abs(R[2, 0]) / 3 and R[1, 2] < -0.95  # x level, y down in a world with z up
            assert 4 < np.hypot(*place[:2]) < 6 and 1.4 < place[2] < 1.7
            x, y, z = R @ (0, 0, 1) + t
            assert z > 4 and abs(x / z) < 0.15 and abs(y / z) < 0.15
        assert np.ptp(places, axis=0).max() < 0.5


def test_published_numbers_are_in_float32() -> None:
    """A mistyped digit would not be a number of float32 written out in full."""
    from zedo_core.data import _h36m_cameras as module

    numbers = [value for rows in module._PLACES.values() for row in rows for value in row]
    numbers += [value for row in module._INTRINSICS for value in row[3:] if isinstance(value, float)]
    assert len(numbers) == 7 * 4 * 7 + 4 * 9
    assert [number for number in numbers if float(np.float32(number)) != number] == []


def edited(change: Callable[[dict[str, Any]], Any]) -> Callable[[Path], None]:
    def edit(path: Path) -> None:
        table = json.loads(path.read_text())
        change(table)
        path.write_text(json.dumps(table))

    return edit


BAD_CAMERAS: dict[str, tuple[Callable[[Path], Any], str]] = {
    "no subject": (edited(lambda t: t.pop("S11")), r"cameras\.json: expected camera 54138969 of S11, found S9"),
    "no camera": (
        edited(lambda t: t["S9"].pop("58860488")),
        r"expected camera 58860488 of S9, found 54138969, 55011271",
    ),
    "no distortion": (
        edited(lambda t: t["S9"]["58860488"].pop("radial_distortion")),
        r"camera 58860488 of S9: expected 'radial_distortion' to be 3 finite numbers, found None",
    ),
    "no rotation": (
        edited(lambda t: t["S9"]["58860488"].update(R=np.ones((3, 3)).tolist())),
        r"camera 58860488 of S9: expected a rotation, found",
    ),
    "a list": (edited(lambda t: t.update(S9=[1])), r"cameras\.json: S9: expected fields by name, found list"),
    "no focal length": (
        edited(lambda t: t["S9"]["58860488"].update(focal_length=[0, 1145])),
        r"camera 58860488 of S9.*expected focal lengths above 0",
    ),
    "those of others": (
        edited(lambda t: t["S9"]["58860488"].update(center=[700, 500])),
        r"keypoints of S9/Directions 1/58860488 near its 3D joints \(3 px\), found them \d+ px off",
    ),
}


@pytest.mark.parametrize("name", BAD_CAMERAS)
def test_bad_cameras(tmp_path: Path, name: str) -> None:
    change, message = BAD_CAMERAS[name]
    write_videopose(tmp_path, studio())
    change(tmp_path / "cameras.json")
    fails(tmp_path, message)


@pytest.mark.parametrize(
    ("field", "array", "message"),
    [
        ("R", np.eye(2), r"'subject9/camera2/R' to be 9 finite numbers"),
        ("R", np.ones((3, 3)), r"subject9/camera2: expected a rotation"),
        ("k", np.zeros((2, 1)), r"'subject9/camera2/k' to be 3 finite numbers"),
        ("f", None, r"expected arrays of numbers subject9/camera2/f, found"),
        ("Name", np.array([[ord(c)] for c in "00000000"]), r"expected camera 55011271 of S9, found 54138969, 00000000"),
    ],
)
def test_bad_cameras_in_hdf5(tmp_path: Path, field: str, array: np.ndarray | None, message: str) -> None:
    made_of.write_hdf5(tmp_path, studio())
    with h5py.File(tmp_path / "cameras.h5", "a") as file:
        del file[f"subject9/camera2/{field}"]
        if array is not None:
            file[f"subject9/camera2/{field}"] = array
    fails(tmp_path, r"cameras\.h5.*" + message)
