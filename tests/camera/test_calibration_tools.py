"""Calibrations as tools write them: the right K, distortion, pose and size, with OpenCV's projection as the oracle."""

from __future__ import annotations

import json
import logging
import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml
from calibration_cases import POINTS, SIZE, D, K, T, files
from scipy.spatial.transform import Rotation

from zedo_core.camera import Camera, read_camera
from zedo_core.camera.calibrations import find_cameras
from zedo_core.camera.calibrations._parsing import parse
from zedo_core.errors import CameraError, FormatError

CASES = files()


def seen_by_opencv(case) -> np.ndarray:
    """The world's points as OpenCV sees them with the case's own numbers."""
    points, rotation = POINTS[:, None], cv2.Rodrigues(case.R)[0]
    project = cv2.fisheye.projectPoints if case.lens == "fisheye" else cv2.projectPoints
    return project(points, rotation, case.t, case.K, np.array(case.distortion, float))[0].reshape(-1, 2)


@pytest.mark.parametrize("name", CASES)
def test_every_tool_gives_the_same_camera(tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture) -> None:
    case = CASES[name]
    for file, content in case.contents.items():
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(content, encoding="utf-8")
    camera = read_camera(tmp_path / next(iter(case.contents)), case.name)
    np.testing.assert_allclose(camera.matrix, case.K, atol=1e-6)
    assert camera.size == case.size and camera.lens == case.lens
    if case.exact:
        np.testing.assert_allclose(camera.distortion, case.distortion, atol=1e-9)
    if case.R is None:
        assert camera.R_cam_from_world is None
        return
    np.testing.assert_allclose(np.array(camera.R_cam_from_world), case.R, atol=1e-6)
    if not case.scaled:
        np.testing.assert_allclose(np.array(camera.t_cam_from_world), case.t, atol=1e-6)
    in_camera = POINTS @ np.array(camera.R_cam_from_world).T + camera.t_cam_from_world
    np.testing.assert_allclose(camera.project(in_camera), seen_by_opencv(case), atol=case.within_px)
    pinhole = POINTS @ case.R.T + case.t
    straight = (pinhole[:, :2] / pinhole[:, 2:]) * (case.K[0, 0], case.K[1, 1]) + case.K[:2, 2]
    np.testing.assert_allclose(camera.undistort(seen_by_opencv(case)), straight, atol=max(0.02, case.within_px))
    assert not [message for message in caplog.messages if "not read" in message]


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.name is not None])
def test_an_unknown_name_is_answered_with_the_names(tmp_path: Path, name: str) -> None:
    case = CASES[name]
    for file, content in case.contents.items():
        (tmp_path / file).write_text(content, encoding="utf-8")
    with pytest.raises(CameraError, match=f"has no camera 'nobody'; it has .*{case.name}"):
        read_camera(tmp_path / next(iter(case.contents)), "nobody")


SPELLINGS = (
    *("distCoef", "distortion_coeffs", "distortion_coefficients", "dist", "dist_coeffs", "distCoeffs", "distortions"),
    *("distortion", "D", "coeffs", "kc", "Distortion-Coefficients", "distortion_params", "dist_coeff"),
    "lens_distortion",
)  # fmt: skip
PLAIN = {"K": K.tolist(), "image_size": list(SIZE)}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_distortion_under_every_common_name(tmp_path: Path, spelling: str) -> None:
    (tmp_path / "c.json").write_text(json.dumps(PLAIN | {spelling: D}))
    assert read_camera(tmp_path / "c.json").distortion == tuple(D)


SINGLES: dict[str, tuple[dict[str, Any], tuple[float, ...]]] = {
    "k1": ({"k1": D[0]}, (D[0], 0, 0, 0)),
    "k1 k2 p1 p2": ({"k1": D[0], "k2": D[1], "p1": D[2], "p2": D[3]}, tuple(D[:4])),
    "five": (dict(zip(("k1", "k2", "p1", "p2", "k3"), D, strict=True)), tuple(D)),
    "eight": (
        dict(zip(("k1", "k2", "p1", "p2", "k3", "k4", "k5", "k6"), (*D, 0.1, 0.2, 0.3), strict=True)),
        (*D, 0.1, 0.2, 0.3),
    ),
    "capitals": ({"K1": D[0], "K2": D[1], "P1": D[2], "P2": D[3], "K3": D[4]}, tuple(D)),
    "nested": ({"distortion": {"k1": D[0], "k2": D[1], "p1": D[2], "p2": D[3], "k3": D[4]}}, tuple(D)),
    "radial and tangential": (
        {"radial_distortion": [D[0], D[1], D[4]], "tangential_distortion": D[2:4]},
        tuple(D),
    ),
    "zero k4 of nerfstudio": ({"k1": D[0], "k2": 0, "k3": 0, "k4": 0, "p1": 0, "p2": 0}, (D[0], 0, 0, 0)),
    "two": ({"dist": D[:2]}, (D[0], D[1], 0, 0)),
}


@pytest.mark.parametrize("form", SINGLES)
def test_distortion_in_parts(tmp_path: Path, form: str) -> None:
    entries, expected = SINGLES[form]
    (tmp_path / "c.json").write_text(json.dumps(PLAIN | entries))
    assert read_camera(tmp_path / "c.json").distortion == pytest.approx(expected)


@pytest.mark.parametrize(
    ("entries", "named"),
    [
        ({"distortion_of_lens": D}, "distortion_of_lens"),
        ({"k7": 0.1}, "k7"),
        ({"rotation_quaternion": [0, 0, 0, 1.0]}, "rotation_quaternion"),
        ({"rotation": [0.0, 0.1, 0]}, "rotation"),  # without a translation
        ({"tvec": [0.0, 0.1, 0]}, "tvec"),
        ({"pose_matrix": np.eye(4).tolist()}, "pose_matrix"),
        ({"radial_terms": {"a": 0.1}}, "radial_terms"),
        ({"t_03": 0.5}, "t_03"),
    ],
)
def test_what_looks_like_distortion_or_a_pose_is_named(tmp_path, caplog, entries, named) -> None:
    (tmp_path / "c.json").write_text(json.dumps(PLAIN | entries))
    read_camera(tmp_path / "c.json")
    assert caplog.messages == [f"c.json: '{named}' looks like distortion or a pose and is not read"]


def test_entries_beside_the_cameras_are_named(tmp_path, caplog) -> None:
    (tmp_path / "c.json").write_text(json.dumps({"dist": D, "cameras": {"a": PLAIN, "b": PLAIN}}))
    assert read_camera(tmp_path / "c.json", "a").distortion == ()
    assert caplog.messages == ["c.json: 'dist' stands beside the cameras, not in one, and is not read"]


@pytest.mark.parametrize(
    "entries", [{"distance": 3}, {"distortion_k": 0}, {"rotation_count": 1}, {"translation": None}]
)
def test_nothing_else_is_named(tmp_path, caplog, entries) -> None:
    (tmp_path / "c.json").write_text(json.dumps(PLAIN | entries))
    read_camera(tmp_path / "c.json")
    assert not caplog.messages


@pytest.mark.parametrize(
    ("scale", "name", "metres"), [(1000, "c.toml", True), (1, "c.toml", True), (0.5, "c.toml", False)]
)
def test_translations_in_millimetres_are_told_by_their_size(tmp_path, caplog, scale, name, metres) -> None:
    rows = [f"[{n}]\nmatrix = {K.tolist()}\nrotation = [0.1, 0.2, 0.3]\n" for n in ("a", "b")]
    rows[0] += f"translation = {(scale * T).tolist()}\n"
    rows[1] += "translation = [0.5, 0.0, 1.0]\n"
    (tmp_path / name).write_text("\n".join(rows))
    with caplog.at_level(logging.WARNING):
        camera = read_camera(tmp_path / name, "a")
    np.testing.assert_allclose(np.array(camera.t_cam_from_world), T if metres else scale * T)
    assert ("millimetres" in "".join(caplog.messages)) == (scale == 1000)


@pytest.mark.parametrize("tilt_deg", [0.0, 0.4, 5.0])
def test_a_world_with_the_axes_of_a_camera_is_marked(tmp_path, tilt_deg) -> None:
    first = Rotation.from_euler("x", tilt_deg, degrees=True).as_rotvec().tolist()
    text = f"[cam_0]\nname = 'A'\nmatrix = {K.tolist()}\nrotation = {first}\ntranslation = [0.0, 0.002, 0.0]\n"
    text += f"[cam_1]\nname = 'B'\nmatrix = {K.tolist()}\nrotation = [0.0, 0.5, 0.0]\ntranslation = [1.0, 0.0, 2.0]\n"
    (tmp_path / "c.toml").write_text(text)
    assert read_camera(tmp_path / "c.toml", "B").world_is_camera == (tilt_deg < 1)
    assert read_camera(tmp_path / "c.toml", "cam_1") == read_camera(tmp_path / "c.toml", "B")  # the key as well


OTHER: dict[str, tuple[Any, str | None, dict[str, Any]]] = {
    "multical": (
        {"cameras": {"c1": {"model": "standard", "image_size": SIZE, "K": K.tolist(), "dist": [D]}}},
        "c1",
        {"size": SIZE, "distortion": tuple(D)},
    ),
    "Gyroflow": (
        {
            "distortion_model": "opencv_fisheye",
            "fisheye_params": {"camera_matrix": K.tolist(), "distortion_coeffs": [0.1, 0, 0, 0]},
        },
        None,
        {"lens": "fisheye", "distortion": (0.1, 0, 0, 0)},
    ),
    "a table called fisheye": ({"fisheye": {"K": K.tolist()}}, None, {"lens": "fisheye"}),
    "OpenCV's flag": (PLAIN | {"fisheye_model": 1, "dist": [0.1, 0, 0, 0]}, None, {"lens": "fisheye", "size": SIZE}),
    "MATLAB": (
        {
            "IntrinsicMatrix": K.T.tolist(), "ImageSize": SIZE[::-1], "RadialDistortion": D[:2],
            "TangentialDistortion": D[2:4],
        },
        None,
        {"size": SIZE, "distortion": tuple(D[:4])},
    ),
    "OpenPose": (
        {"CameraMatrix": [[1, 0, 0, 1], [0, 1, 0, 2], [0, 0, 1, 3]], "Intrinsics": K.tolist(), "Distortion": D},
        None,
        {"t_cam_from_world": (1, 2, 3), "distortion": tuple(D)},
    ),
    "ids in a list": (
        {"cameras": [{"id": "A", "fx": 1, "fy": 1, "cx": 1, "cy": 1}, PLAIN | {"id": "B"}]}, "B", {"size": SIZE}
    ),
    "a vector by axes": (
        PLAIN | {"R": np.eye(3).tolist(), "T": {"z": 3, "x": 1, "y": 2}}, None, {"t_cam_from_world": (1, 2, 3)}
    ),
    "Zivid": (
        {
            "CameraMatrix": {"FX": K[0, 0], "FY": K[1, 1], "CX": K[0, 2], "CY": K[1, 2]},
            "Distortion": dict(zip(("K1", "K2", "P1", "P2", "K3"), D, strict=True)),
        },
        None,
        {"distortion": tuple(D)},
    ),
}  # fmt: skip


@pytest.mark.parametrize("form", OTHER)
def test_other_programs(tmp_path, form) -> None:
    document, name, expected = OTHER[form]
    (tmp_path / "c.json").write_text(json.dumps(document))
    camera = read_camera(tmp_path / "c.json", name)
    np.testing.assert_allclose(camera.matrix, K)
    assert {key: getattr(camera, key) for key in expected} == expected


def test_several_cameras_of_one_tag(tmp_path) -> None:
    one = "<Camera><id>{}</id><K>{} 0 320 0 900 240 0 0 1</K><dist>0.1 0 0 0</dist></Camera>"
    (tmp_path / "c.xml").write_text("<Rig>" + "".join(one.format(i, 900 + i) for i in range(3)) + "</Rig>")
    with pytest.raises(CameraError, match="contains 3 cameras, choose one by name: 0, 1, 2"):
        read_camera(tmp_path / "c.xml")
    assert [read_camera(tmp_path / "c.xml", str(i)).fx for i in range(3)] == [900, 901, 902]
    named = "<cam name='{}' fx='{}' fy='900' cx='320' cy='240'/>"
    (tmp_path / "c.xml").write_text("<Rig>" + "".join(named.format(n, 900 + i) for i, n in enumerate("ab")) + "</Rig>")
    assert [read_camera(tmp_path / "c.xml", name).fx for name in "ab"] == [900, 901]


def test_easymocap_without_its_intrinsics(tmp_path) -> None:
    (tmp_path / "extri.yml").write_text("names: ['01']\nR_01: [0.1, 0.2, 0.3]\nT_01: [0, 0, 1]\n")
    with pytest.raises(CameraError, match=r"expected K_01 in it or in intri\.yml beside it"):
        read_camera(tmp_path / "extri.yml", "01")


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("1 THIN_PRISM_FISHEYE 640 480 500 500 320 240 0 0 0 0 0 0 0 0", "model THIN_PRISM_FISHEYE is not supported"),
        ("1 PINHOLE 640 480 500 500 320", "expected 4 finite numbers"),
    ],
)
def test_colmap_lines_that_are_not_valid(tmp_path, text, match) -> None:
    (tmp_path / "cameras.txt").write_text(text)
    with pytest.raises(CameraError, match=match):
        read_camera(tmp_path / "cameras.txt")


def test_a_damaged_images_txt(tmp_path) -> None:
    (tmp_path / "cameras.txt").write_text("1 PINHOLE 640 480 500 500 320 240\n")
    (tmp_path / "images.txt").write_text("1 1 0 0\n")
    with pytest.raises(FormatError, match=r"images\.txt: expected id, quaternion"):
        read_camera(tmp_path / "cameras.txt")


@pytest.mark.parametrize("model", ["omni", "double_sphere", "EQUIRECTANGULAR", "ds", "FOV"])
def test_other_lens_models_are_refused(tmp_path, model) -> None:
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(PLAIN | {"camera_model": model}))
    with pytest.raises(CameraError, match="is not supported; undistort"):
        read_camera(tmp_path / "c.yaml")


@pytest.mark.parametrize("model", ["GoPro Hero 7", "pinhole", "plumb_bob", "rational_polynomial", "OPENCV"])
def test_other_words_do_not_matter(tmp_path, model) -> None:
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(PLAIN | {"model": model, "dist": D}))
    assert read_camera(tmp_path / "c.yaml") == Camera.from_matrix(
        K, size=SIZE, distortion=tuple(D), source="c.yaml"
    )  # fmt: skip


_PAGE = Path(__file__).parents[2] / "docs" / "calibrations.md"
_BLOCKS = re.findall(r"```[a-z]*\n(.*?)```", _PAGE.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("block", _BLOCKS, ids=range(len(_BLOCKS)))
def test_the_examples_of_the_page_are_read(tmp_path, block, caplog) -> None:
    (tmp_path / "c.txt").write_text(block)
    names = [entry.names[0] for entry in find_cameras(parse(tmp_path / "c.txt"), tmp_path / "c.txt") if entry.names]
    camera = read_camera(tmp_path / "c.txt", names[0] if names else None)
    np.testing.assert_allclose(camera.matrix, [[1500, 0, 960], [0, 1500, 540], [0, 0, 1]])
    assert camera.distortion and camera.size in ((1920, 1080), None)
    assert not [message for message in caplog.messages if "not read" in message]


def test_the_real_files_of_the_shared_cases(shared) -> None:
    folder = shared / "cases" / "cameras"
    qca, toml = folder / "Calib.qca.txt", shared / "assets/videos/balance/calibration.toml"
    for i in range(1, 5):
        found, expected = read_camera(qca, f"cam{i:02d}"), read_camera(toml, f"cam_{i:02d}")
        np.testing.assert_allclose(found.matrix, expected.matrix)
        np.testing.assert_allclose(np.array(found.R_cam_from_world), np.array(expected.R_cam_from_world), atol=1e-6)
        np.testing.assert_allclose(np.array(found.t_cam_from_world), np.array(expected.t_cam_from_world), atol=1e-5)
        assert found.size == expected.size and found.world_is_camera is False
    fmc = read_camera(folder / "fmc_balance.toml", "cam_03")
    assert fmc.world_is_camera and fmc == read_camera(folder / "fmc_balance.toml", "cam_2")
    same = [read_camera(folder / f"d_{name}.json").distortion for name in ("ok", "k1", "distCoef")]
    assert same[0] == same[1] == same[2] and len(same[0]) == 5
    for name, file in (("01", "easymocap_intri.yml"), (None, "kalibr.yaml"), (None, "transforms.json")):
        camera = read_camera(folder / file, name)
        assert (camera.fx, camera.fy, camera.cx, camera.cy) == (1682.0, 1681.5, 513.2, 955.0)
        assert camera.distortion[0] < -0.2
