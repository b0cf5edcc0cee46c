"""The cameras of Human3.6M: files in several formats, the published cameras, and invalid files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets_h36m as h36m
import h5py
import numpy as np
import pytest
from datasets_h36m import NUMBERS, Studio, make_studio
from h36m_cases import assert_fails, check_takes, write_videopose

from zedo_core.data._h36m_cameras import published_cameras
from zedo_core.data.h36m import load

CAMERA_FILES: dict[str, Callable[[Path, Studio], None]] = {
    "JSON, quaternions, mm": lambda folder, studio: h36m.write_json_cameras(folder / "cameras.json", studio),
    "JSON, matrices": lambda folder, studio: h36m.write_json_cameras(folder / "calib.json", studio, quaternion=False),
    "JSON, metres": lambda folder, studio: h36m.write_json_cameras(folder / "calib.json", studio, metres=True),
    "HDF5, columns": lambda folder, studio: h36m.write_h5_cameras(folder / "cameras.h5", studio),
    "HDF5, rows": lambda folder, studio: h36m.write_h5_cameras(folder / "any.h5", studio, by_columns=False),
}


@pytest.mark.parametrize("name", CAMERA_FILES)
def test_camera_files(tmp_path: Path, name: str) -> None:
    studio = make_studio()
    h36m.write_videopose(tmp_path, studio)
    (tmp_path / "notes.json").write_text('{"S": 1}')  # not a camera file
    CAMERA_FILES[name](tmp_path, studio)
    check_takes(load(tmp_path), studio, "test", "gt", list(range(17)))


def test_cameras_of_subjects_without_poses_may_be_empty(tmp_path: Path) -> None:
    studio = make_studio()
    write_videopose(tmp_path, studio)
    edit_json(lambda table: table.update(S2=[{}, {}, {}, {}]))(tmp_path / "cameras.json")
    check_takes(load(tmp_path), studio, "test", "gt", list(range(17)))
    h36m.write_h5_cameras(tmp_path / "cameras.h5", studio)
    with h5py.File(tmp_path / "cameras.h5", "a") as file:
        file["subject2/camera1/R"] = np.full((3, 3), np.nan)
    check_takes(load(tmp_path), studio, "test", "gt", list(range(17)))


def test_published_cameras_are_used_without_a_file(tmp_path: Path) -> None:
    studio = make_studio()
    cameras = published_cameras()
    lenses = {
        subject: {
            number: h36m.Lens(
                R=np.array(camera.R_cam_from_world),
                position=-1000 * np.array(camera.R_cam_from_world).T @ np.array(camera.t_cam_from_world),
                f=(camera.fx, camera.fy),
                c=(camera.cx, camera.cy),
                k=(camera.distortion[0], camera.distortion[1], camera.distortion[4]),
                p=(camera.distortion[2], camera.distortion[3]),
            )
            for number, camera in row.items()
        }
        for subject, row in cameras.items()
    }
    studio = Studio(takes=studio.takes, lenses=lenses)
    h36m.write_videopose(tmp_path, studio)
    check_takes(load(tmp_path), studio, "test", "gt", list(range(17)))
    h36m.write_hdf5(tmp_path / "hdf5", studio)
    (tmp_path / "hdf5" / "cameras.h5").unlink()
    check_takes(load(tmp_path / "hdf5"), studio, "test", "gt", list(range(17)))


# Rotations from world axes and positions in mm, as matrices in other publications.
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
    R, position = ROTATIONS[subject, number]
    camera = published_cameras()[subject][number]
    np.testing.assert_allclose(np.array(camera.R_cam_from_world), R, atol=3e-7)  # float32 of a quaternion
    np.testing.assert_allclose(np.array(camera.t_cam_from_world), -np.array(R) @ position / 1000, atol=3e-6)


def test_published_intrinsics() -> None:
    camera = published_cameras()["S11"]["54138969"]
    found = (camera.fx, camera.fy, camera.cx, camera.cy)
    np.testing.assert_allclose(found, (1145.04940459, 1143.78109572, 512.54150496, 515.45148698), rtol=1e-7)
    assert {row["58860488"].size for row in published_cameras().values()} == {(1000, 1000)}


def test_published_cameras_are_plausible() -> None:
    """They are level, 4 to 6 m from the centre of the room and directed at it, and differ little between subjects."""
    cameras = published_cameras()
    assert list(cameras) == ["S1", "S5", "S6", "S7", "S8", "S9", "S11"]
    for number in NUMBERS:
        positions = []
        for row in cameras.values():
            R, t = np.array(row[number].R_cam_from_world), np.array(row[number].t_cam_from_world)
            position = -R.T @ t
            positions.append(position)
            assert abs(R[0, 2]) < 0.1 < abs(R[2, 0]) / 3 and R[1, 2] < -0.95  # x level, y down in a world with z up
            assert 4 < np.hypot(*position[:2]) < 6 and 1.4 < position[2] < 1.7
            x, y, z = R @ (0, 0, 1) + t
            assert z > 4 and abs(x / z) < 0.15 and abs(y / z) < 0.15
        assert np.ptp(positions, axis=0).max() < 0.5


def test_published_numbers_are_float32() -> None:
    """A mistyped digit would not give the exact decimal value of a float32."""
    from zedo_core.data import _h36m_cameras as module

    numbers = [value for rows in module._EXTRINSICS.values() for row in rows for value in row]
    numbers += [value for row in module._INTRINSICS for value in row[3:] if isinstance(value, float)]
    assert len(numbers) == 7 * 4 * 7 + 4 * 9
    assert [number for number in numbers if float(np.float32(number)) != number] == []


def edit_json(change: Callable[[dict[str, Any]], Any]) -> Callable[[Path], None]:
    def edit(path: Path) -> None:
        table = json.loads(path.read_text())
        change(table)
        path.write_text(json.dumps(table))

    return edit


BAD_CAMERAS: dict[str, tuple[Callable[[Path], Any], str]] = {
    "no subject": (edit_json(lambda t: t.pop("S11")), r"cameras\.json: expected camera 54138969 of S11, found S9"),
    "no camera": (
        edit_json(lambda t: t["S9"].pop("58860488")),
        r"expected camera 58860488 of S9, found 54138969, 55011271",
    ),
    "no distortion": (
        edit_json(lambda t: t["S9"]["58860488"].pop("radial_distortion")),
        r"camera 58860488 of S9: expected 'radial_distortion' to be 3 finite numbers, found None",
    ),
    "no rotation": (
        edit_json(lambda t: t["S9"]["58860488"].update(R=np.ones((3, 3)).tolist())),
        r"camera 58860488 of S9: expected a rotation, found",
    ),
    "a list": (edit_json(lambda t: t.update(S9=[1])), r"cameras\.json: S9: expected fields by name, found list"),
    "no focal length": (
        edit_json(lambda t: t["S9"]["58860488"].update(focal_length=[0, 1145])),
        r"camera 58860488 of S9.*expected focal lengths above 0",
    ),
    "cameras of another subject": (
        edit_json(lambda t: t["S9"]["58860488"].update(center=[700, 500])),
        r"keypoints of S9/Directions 1/58860488 near its 3D joints \(3 px\), found them \d+ px off",
    ),
}


@pytest.mark.parametrize("name", BAD_CAMERAS)
def test_invalid_cameras(tmp_path: Path, name: str) -> None:
    change, message = BAD_CAMERAS[name]
    write_videopose(tmp_path, make_studio())
    change(tmp_path / "cameras.json")
    assert_fails(tmp_path, message)


@pytest.mark.parametrize(
    ("field", "array", "message"),
    [
        ("R", np.eye(2), r"'subject9/camera2/R' to be 9 finite numbers"),
        ("R", np.ones((3, 3)), r"subject9/camera2: expected a rotation"),
        ("k", np.zeros((2, 1)), r"'subject9/camera2/k' to be 3 finite numbers"),
        ("f", None, r"expected numeric arrays subject9/camera2/f, found"),
        ("Name", np.array([[ord(c)] for c in "00000000"]), r"expected camera 55011271 of S9, found 54138969, 00000000"),
    ],
)
def test_invalid_cameras_in_hdf5(tmp_path: Path, field: str, array: np.ndarray | None, message: str) -> None:
    h36m.write_hdf5(tmp_path, make_studio())
    with h5py.File(tmp_path / "cameras.h5", "a") as file:
        del file[f"subject9/camera2/{field}"]
        if array is not None:
            file[f"subject9/camera2/{field}"] = array
    assert_fails(tmp_path, r"cameras\.h5.*" + message)
