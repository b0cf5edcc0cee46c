"""Calibration files: every format gives the same camera, and anything else is refused in one line."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zedo_core.camera import Camera, read_camera
from zedo_core.errors import CameraError, FormatError, ZedoError

K = [[1000.5, 0.0, 320.25], [0.0, 1001.5, 240.75], [0.0, 0.0, 1.0]]
DISTORTION = [0.1, -0.2, 0.001, 0.002, 0.05]
SIZE = (640, 480)
TOML = """
[cam_a]
name = "cam_a"
size = [640.0, 480.0]
matrix = [[1000.5, 0.0, 320.25], [0.0, 1001.5, 240.75], [0.0, 0.0, 1.0]]
distortions = [0.1, -0.2, 0.001, 0.002]
rotation = [0.0, 0.0, 1.5707963267948966]
translation = [1.0, 2.0, 3.0]
fisheye = false

[cam_b]
matrix = [[500.0, 0.0, 320.0], [0.0, 500.0, 240.0], [0.0, 0.0, 1.0]]
fisheye = true

[metadata]
error = 0.0
"""


@pytest.fixture
def write(tmp_path):
    def write(content: str, name: str = "camera.txt") -> Path:
        (tmp_path / name).write_text(content, encoding="utf-8")
        return tmp_path / name

    return write


ONE_CAMERA = {
    "four numbers": {"fx": 1000.5, "fy": 1001.5, "cx": 320.25, "cy": 240.75},
    "four numbers as text": {"fx": "1000.5", "fy": "1001.5", "cx": "3.2025e2", "cy": "240.75"},
    "K": {"K": K},
    "flat K": {"K": [value for row in K for value in row]},
    "matrix": {"matrix": K},
    "camera_matrix": {"camera_matrix": K},
    "cameraMatrix": {"cameraMatrix": K},
    "intrinsics": {"intrinsics": K},
    "nested numbers": {"intrinsics": {"fx": 1000.5, "fy": 1001.5, "cx": 320.25, "cy": 240.75}},
    "ROS": {"camera_matrix": {"rows": 3, "cols": 3, "data": [value for row in K for value in row]}},
    "bare": K,
}


@pytest.mark.parametrize("dump", [json.dumps, yaml.safe_dump], ids=["JSON", "YAML"])
@pytest.mark.parametrize("spelling", ONE_CAMERA)
def test_one_camera_in_every_spelling(write, spelling, dump):
    camera = read_camera(write(dump(ONE_CAMERA[spelling])))
    np.testing.assert_array_equal(camera.matrix, K)
    assert camera.source == "camera.txt"


@pytest.mark.parametrize(
    "extra",
    [
        {"size": SIZE, "distortions": DISTORTION},
        {"image_size": [640, 480], "dist": [DISTORTION]},
        {"width": 640, "height": 480, "distortion": DISTORTION},
        {"image_width": 640.0, "image_height": 480.0, "distortion_coefficients": {"data": DISTORTION}},
        {"resolution": [640, 480], "D": DISTORTION, "distortion_model": "plumb_bob"},
    ],
)
def test_size_and_distortion_in_every_spelling(write, extra):
    camera = read_camera(write(json.dumps({"K": K} | extra)))
    assert camera.size == SIZE
    assert camera.distortion == tuple(DISTORTION)


@pytest.mark.parametrize(
    "cameras",
    [
        {"a": {"K": K}, "b": {"K": np.eye(3).tolist()}},
        {"a": K, "b": np.eye(3).tolist()},
        {"cameras": {"a": {"matrix": K}, "b": {"fx": 1, "fy": 1, "cx": 0, "cy": 0}}, "note": "x"},
        {"intrinsics": {"a": {"K": K}, "b": {"K": np.eye(3).tolist()}}},
        {"cameras": [{"name": "a", "K": K}, {"name": "b", "K": np.eye(3).tolist()}]},
    ],
)
def test_several_cameras_are_chosen_by_name(write, cameras):
    path = write(json.dumps(cameras))
    camera = read_camera(path, "a")
    np.testing.assert_array_equal(camera.matrix, K)
    assert camera.source == "camera.txt, camera a"
    assert read_camera(path, "b").fx == 1
    with pytest.raises(CameraError, match=r"2 cameras, choose one by name: a, b"):
        read_camera(path)
    with pytest.raises(CameraError, match=r"no camera 'c'; it has a, b"):
        read_camera(path, "c")


def test_an_unnamed_camera_is_not_found_by_name(write):
    with pytest.raises(CameraError, match="one camera without a name"):
        read_camera(write(json.dumps({"K": K})), "a")


def test_pose2sim_toml(write):
    camera = read_camera(write(TOML), "cam_a")
    np.testing.assert_array_equal(camera.matrix, K)
    assert camera.size == SIZE
    assert camera.distortion == tuple(DISTORTION[:4])
    # A quarter turn about z maps x to y; OpenCV's Rodrigues is exact to rounding.
    np.testing.assert_allclose(np.array(camera.R_cam_from_world), [[0, -1, 0], [1, 0, 0], [0, 0, 1]], atol=1e-15)
    assert camera.t_cam_from_world == (1.0, 2.0, 3.0)
    assert read_camera(write(TOML), "cam_b").lens == "fisheye"


def test_real_toml(shared):
    path = shared / "assets/videos/balance/calibration.toml"
    camera = read_camera(path, "cam_03")
    assert (camera.fx, camera.fy, camera.cx) == (1681.598388671875, 1681.509887703125, 513.20837403125)
    assert camera.size == (1088, 1920)
    assert camera.source == "calibration.toml, camera cam_03"
    R = np.array(camera.R_cam_from_world)
    np.testing.assert_allclose(R @ R.T, np.eye(3), atol=1e-12)
    with pytest.raises(CameraError, match="cam_01, cam_02, cam_03, cam_04"):
        read_camera(path)


@pytest.mark.parametrize("suffix", ["yml", "xml", "json"])
def test_files_of_opencv(tmp_path, suffix):
    path = tmp_path / f"calibration.{suffix}"
    storage = cv2.FileStorage(str(path), cv2.FILE_STORAGE_WRITE)
    storage.write("calibration_time", "Thu 01 Jan")
    storage.write("image_width", 640)
    storage.write("image_height", 480)
    storage.write("camera_matrix", np.array(K))
    storage.write("distortion_coefficients", np.array([DISTORTION]).T)
    storage.release()
    camera = read_camera(path)
    np.testing.assert_array_equal(camera.matrix, K)
    assert camera.size == SIZE
    assert camera.distortion == tuple(DISTORTION)


def test_older_yaml_of_opencv(write):
    text = "%YAML:1.0\n---\ncamera_matrix: !!opencv-matrix\n   rows: 3\n   cols: 3\n   dt: d\n   data: "
    camera = read_camera(write(text + str([value for row in K for value in row])))
    np.testing.assert_array_equal(camera.matrix, K)


def test_npz(tmp_path):
    np.savez(tmp_path / "one.npz", K=K, dist=DISTORTION, keypoints=np.zeros((9, 17, 3)), joints="coco-17")
    camera = read_camera(tmp_path / "one.npz")
    np.testing.assert_array_equal(camera.matrix, K)
    assert camera.distortion == tuple(DISTORTION)
    np.savez(tmp_path / "two.npz", left=K, right=np.eye(3))
    np.testing.assert_array_equal(read_camera(tmp_path / "two.npz", "left").matrix, K)


@pytest.mark.parametrize(
    ("camera", "match"),
    [
        ({"K": np.zeros((3, 3)).tolist()}, "expected K as"),
        ({"K": [[float("nan"), 0, 0], [0, 1, 0], [0, 0, 1]]}, "not finite"),
        ({"K": [[1, 0, 0], [0, 1, 0]]}, r"3x3 matrix K, got shape \(2, 3\)"),
        ({"K": [[1, 0], [0]]}, "expected numbers"),
        ({"K": [[0, 0, 1], [0, 0, 1], [0, 0, 1]]}, "focal lengths above 0"),
        ({"K": {"data": ["x"] * 9}}, "expected numbers"),
        ({"fx": 1, "fy": 1}, "cx, cy is missing"),
        ({"fx": None, "fy": 1, "cx": 1, "cy": 1}, "fx is missing"),
        ({"fx": "wide", "fy": 1, "cx": 1, "cy": 1}, "fx: expected numbers"),
        ({"fx": [1, 2], "fy": 1, "cx": 1, "cy": 1}, "fx: expected 1 finite"),
        ({"fx": 10**400, "fy": 1, "cx": 1, "cy": 1}, "fx: expected numbers"),
        ({"K": K, "size": [640]}, "image size: expected 2"),
        ({"K": K, "size": [640.5, 480]}, "whole pixels"),
        ({"K": K, "size": [float("inf"), 480]}, "image size: expected 2 finite"),
        ({"K": K, "size": [0, 480]}, "image size above 0"),
        ({"K": K, "width": 640}, "image size"),
        ({"K": K, "dist": [1, 2, 3]}, "distortion coefficients"),
        ({"K": K, "distortion_model": "omni"}, "lens model 'omni' is not supported"),
        ({"K": K, "fisheye": True, "dist": [0.1, 0, 0, 0, 0.2]}, "4 distortion coefficients of a fisheye lens, got 5"),
        ({"K": K, "k4": 0.1}, "k4 without k5 and k6"),
        ({"K": K, "rotation": [1, 2], "translation": [0, 0, 0]}, "rotation: expected 3"),
        ({"K": K, "rotation": [[2, 0, 0], [0, 1, 0], [0, 0, 1]], "translation": [0, 0, 0]}, "rotation matrix"),
        ({"K": K, "rotation": [0, 0, 0], "translation": [0, 0]}, "translation: expected 3"),
        ({"error": 1}, "found no camera"),
        ([], "found no camera"),
    ],
)
def test_invalid_cameras_are_refused(write, camera, match):
    with pytest.raises(CameraError, match=match) as caught:
        read_camera(write(json.dumps(camera)))
    assert "\n" not in str(caught.value) and "camera.txt" in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"\xff\xfe\x00\x01",
        b"PK\x03\x04",
        b"<a",
        b"[" * 100_000,
        b"a: !!python/object:os.system x",
        b"a: 2020-99-99",
    ],
    ids=lambda content: str(content[:6]),
)
def test_unreadable_files_are_refused(tmp_path, content):
    (tmp_path / "camera.txt").write_bytes(content)
    with pytest.raises(FormatError, match=r"camera\.txt"):
        read_camera(tmp_path / "camera.txt")


def test_missing_file_is_refused(tmp_path):
    for name in (None, "a"):
        with pytest.raises(FormatError, match=r"camera\.toml: cannot read the camera \(No such file") as caught:
            read_camera(tmp_path / "camera.toml", name)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", [None, "a"])
def test_a_pipe_is_read_once(tmp_path, name):
    path = tmp_path / "camera.pipe"
    os.mkfifo(path)
    content = json.dumps({"K": K} if name is None else {"a": {"K": K}, "b": {"K": K}})
    writer = threading.Thread(target=path.write_text, args=(content,), daemon=True)
    writer.start()
    np.testing.assert_array_equal(read_camera(path, name).matrix, K)
    writer.join(5)
    assert not writer.is_alive()


KEYS = ["K", "fx", "fy", "cx", "cy", "size", "dist", "rotation", "translation", "fisheye", "cameras", "data", "name"]
TABLES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4) | st.just(K),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=6),
    max_leaves=12,
)


@given(table=TABLES)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_arbitrary_tables_lead_to_a_camera_or_one_line(write, table):
    try:
        assert isinstance(read_camera(write(json.dumps(table)), None), Camera)
    except ZedoError as error:
        assert "\n" not in str(error)
