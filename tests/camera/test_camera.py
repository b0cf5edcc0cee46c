"""The camera: round trips, an independent implementation, and error messages."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zedo_core.camera import Camera, CameraChoice
from zedo_core.errors import CameraError

LENS = (-0.12, 0.05, 0.001, -0.002, 0.01)
PINHOLE = Camera(fx=1100.0, fy=1050.0, cx=640.5, cy=355.0, size=(1280, 720))
DISTORTED = replace(PINHOLE, distortion=LENS)


directions = st.tuples(st.floats(-0.55, 0.55), st.floats(-0.35, 0.35))
depths_m = st.floats(0.2, 50)
coefficients = st.one_of(
    st.just(()),
    st.tuples(st.floats(-0.2, 0.2), st.floats(-0.05, 0.05), *[st.floats(-0.005, 0.005)] * 2),
)


@given(direction=directions, depth_m=depths_m, distortion=coefficients)
@settings(max_examples=100, deadline=None)
def test_project_then_back_project(direction, depth_m, distortion):
    camera = replace(PINHOLE, distortion=distortion)
    point = np.array([*direction, 1.0]) * depth_m
    pixels = camera.undistort(camera.project(point))
    # Newton's method for the inverse distortion converges far below 1e-6 px.
    np.testing.assert_allclose(pixels, replace(camera, distortion=()).project(point), atol=1e-6)
    ray = camera.rays(pixels)
    np.testing.assert_allclose(ray * np.linalg.norm(point), point, atol=1e-8 * depth_m)
    np.testing.assert_allclose(np.linalg.norm(ray), 1, atol=1e-12)


@pytest.mark.parametrize("count", [0, 4, 5, 8, 12, 14])
def test_project_agrees_with_opencv(count):
    lens = (-0.12, 0.05, 0.001, -0.002, 0.01, 0.02, -0.01, 0.003, 1e-3, 1e-3, 1e-3, 1e-3, 0.01, -0.01)[:count]
    points = np.random.default_rng(0).uniform((-1, -1, 2), (1, 1, 5), size=(4, 5, 3))
    expected, _ = cv2.projectPoints(points.reshape(-1, 3), np.zeros(3), np.zeros(3), PINHOLE.matrix, np.array(lens))
    found = replace(PINHOLE, distortion=lens).project(points)
    np.testing.assert_allclose(found.reshape(-1, 2), expected.reshape(-1, 2), atol=1e-9)


def test_undistort_agrees_with_opencv():
    pixels = np.random.default_rng(0).uniform((0, 0), (1280, 720), size=(50, 2))
    K = DISTORTED.matrix
    expected = cv2.undistortPoints(pixels[:, None], K, np.array(LENS), P=K)
    # Two different iterations, each until its own termination: agreement far below a visible difference.
    np.testing.assert_allclose(DISTORTED.undistort(pixels), expected[:, 0], atol=1e-4)


@pytest.mark.parametrize("camera", [PINHOLE, DISTORTED], ids=["pinhole", "distorted"])
def test_points_not_in_front_have_no_pixel(camera):
    points = np.array([[0.1, 0.1, 2.0], [0.1, 0.1, 0.0], [0.1, 0.1, -2.0], [np.nan] * 3])
    seen = np.isfinite(camera.project(points))
    assert seen.tolist() == [[True] * 2, [False] * 2, [False] * 2, [False] * 2]


@pytest.mark.parametrize("camera", [PINHOLE, DISTORTED], ids=["pinhole", "distorted"])
@pytest.mark.parametrize("shape", [(), (3,), (2, 3, 4), (0,), (2, 0, 5)])
def test_any_leading_shape(camera, shape):
    points = np.ones((*shape, 3))
    pixels = camera.project(points)
    assert pixels.shape == camera.undistort(pixels).shape == (*shape, 2)
    assert camera.rays(pixels).shape == (*shape, 3)


def test_arguments_are_not_modified():
    points, pixels = np.ones((4, 3)), np.full((4, 2), 100.0)
    for function, argument in ((DISTORTED.project, points), (DISTORTED.undistort, pixels), (DISTORTED.rays, pixels)):
        function(argument)
    assert (points == 1).all() and (pixels == 100).all()
    with pytest.raises(FrozenInstanceError):
        setattr(PINHOLE, "fx", 1.0)  # noqa: B010  (an assignment would not pass the type checker)


def test_axes_and_pixel_centre():
    camera = Camera.from_fov(90.0, (101, 51))
    assert camera.project(np.array([0.0, 0.0, 3.0])).tolist() == [50, 25]
    right, down = camera.project(np.array([[0.1, 0, 1], [0, 0.1, 1]]))
    assert right[0] > 50 and down[1] > 25


@given(fov=st.floats(1, 170), width=st.integers(2, 8000), height=st.integers(2, 8000))
def test_field_of_view_is_the_angle_between_the_borders(fov, width, height):
    camera = Camera.from_fov(fov, (width, height))
    borders = camera.rays(np.array([[-0.5, (height - 1) / 2], [width - 0.5, (height - 1) / 2]]))
    # The half angle is recovered from its tangent; near 170 degrees that costs 4 digits of double precision.
    assert np.degrees(np.arctan2(-borders[0, 0], borders[0, 2])) == pytest.approx(fov / 2, abs=1e-9)
    assert np.degrees(np.arctan2(borders[1, 0], borders[1, 2])) == pytest.approx(fov / 2, abs=1e-9)


def test_guess_has_the_documented_focal_length():
    camera = Camera.guess((1920, 1080))
    assert camera.fx == camera.fy == pytest.approx(np.sqrt(1920**2 + 1080**2))
    assert (camera.cx, camera.cy, camera.size) == (959.5, 539.5, (1920, 1080))
    assert "guess" in camera.source


@given(st.tuples(*[st.floats(1, 1e5)] * 2, *[st.floats(-1e4, 1e4)] * 2))
def test_matrix_round_trip(values):
    camera = Camera(**dict(zip(("fx", "fy", "cx", "cy"), values, strict=True)))
    assert Camera.from_matrix(camera.matrix) == camera


@pytest.mark.usefixtures("undecorated")
@pytest.mark.parametrize(
    ("K", "match"),
    [
        (np.eye(2), r"3x3 matrix K, got shape \(2, 2\)"),
        (np.diag([1, np.nan, 1]), "not finite"),
        (np.zeros((3, 3)), "expected K as"),
        (np.diag([1000.0, 1000, 2]), "expected K as"),
        (np.array([[1000, 5.0, 1], [0, 1000, 1], [0, 0, 1]]), "without skew, got 5"),
        (np.array([[1000, 0, 1], [9.0, 1000, 1], [0, 0, 1]]), "expected K as"),
        (np.diag([-1.0, 1, 1]), "focal lengths above 0"),
    ],
)
def test_invalid_matrices_are_refused(K, match):
    with pytest.raises(CameraError, match=match):
        Camera.from_matrix(K, source="here")


@pytest.mark.parametrize(
    ("fields", "match"),
    [
        ({"fx": 0.0}, "above 0 px, got fx=0"),
        ({"fy": -5.0}, "above 0 px"),
        ({"cx": np.inf}, "finite intrinsics"),
        ({"distortion": (0.1, np.nan, 0.0, 0.0)}, "finite intrinsics"),
        ({"distortion": (0.1, 0.2)}, "0, 4, 5, 8, 12 or 14 distortion coefficients, got 2"),
        ({"size": (0, 480)}, "image size above 0"),
    ],
)
def test_invalid_fields_are_refused(fields, match):
    with pytest.raises(CameraError, match=match):
        replace(PINHOLE, **fields)


@pytest.mark.parametrize("fov", [0.0, 0.9, 171.0, float("nan")])
def test_invalid_fields_of_view_are_refused(fov):
    with pytest.raises(CameraError, match="field of view of 1 to 170 degrees"):
        Camera.from_fov(fov, (640, 480))


FISHEYE = replace(
    PINHOLE, distortion=(-0.03, 0.02, -0.01, 0.003), lens="fisheye", fx=500.0, fy=510.0, cx=640.0, cy=480.0
)


def test_a_fisheye_lens_is_that_of_opencv():
    rng = np.random.default_rng(0)
    points = rng.uniform((-3, -3, 0.5), (3, 3, 2), (200, 3))
    K, k = FISHEYE.matrix, np.array(FISHEYE.distortion)
    expected = cv2.fisheye.projectPoints(points[:, None], np.zeros(3), np.zeros(3), K, k)[0].reshape(-1, 2)
    np.testing.assert_allclose(FISHEYE.project(points), expected, atol=1e-6)
    straight = FISHEYE.undistort(expected)
    pinhole = points[:, :2] / points[:, 2:] * (500.0, 510.0) + (640.0, 480.0)
    np.testing.assert_allclose(straight, pinhole, rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize("distortion", [(), (0.0, 0.0, 0.0, 0.0), FISHEYE.distortion])
def test_a_fisheye_lens_is_undone_up_to_89_degrees(distortion):
    lens = replace(FISHEYE, distortion=distortion)
    angles = np.radians([0, 1e-6, 10, 45, 80, 88, 95, 170])
    radius = angles * (1 + sum(k * angles ** (2 * i + 2) for i, k in enumerate(distortion)))
    found = lens.undistort(np.stack([640 + 500 * radius, np.full_like(radius, 480)], -1))
    expected = np.where(angles < np.radians(89), np.tan(angles), np.nan)
    np.testing.assert_allclose((found[:, 0] - 640) / 500, expected, rtol=1e-6, atol=1e-9)


def test_a_fisheye_lens_has_four_coefficients():
    with pytest.raises(CameraError, match="4 distortion coefficients of a fisheye lens, got 5"):
        replace(FISHEYE, distortion=(0.1,) * 5)


@pytest.mark.parametrize(
    ("calibrated", "pictures", "axis"),
    [
        ((1920, 1088), (1920, 1080), "rows"),
        ((1920, 1080), (1920, 1088), "rows"),
        ((640, 368), (640, 360), "rows"),
        ((1088, 1920), (1080, 1920), "columns"),
        ((1920, 1088), (960, 540), "rows"),
    ],
)
def test_the_padding_of_a_codec_does_not_count(calibrated, pictures, axis):
    camera = Camera(fx=1500.0, fy=1500.0, cx=950.0, cy=530.0, size=calibrated, source="c.toml")
    found = camera.resized(pictures)
    assert found.size == pictures and f"{axis} for" in found.source and "padding of a codec" in found.source
    factor = 0.5 if pictures == (960, 540) else 1.0
    assert found.fx == 1500 * factor and found.cx == pytest.approx((950 + 0.5) * factor - 0.5)


@pytest.mark.parametrize("pictures", [(1920, 1070), (1920, 1072), (1920, 1104), (1900, 1088), (1280, 1024)])
def test_other_sizes_are_still_refused(pictures):
    with pytest.raises(CameraError, match="expected pictures of 1920x1088 px"):
        Camera(fx=1500.0, fy=1500.0, cx=950.0, cy=530.0, size=(1920, 1088)).resized(pictures)


def test_an_inverse_lens_model_becomes_that_of_opencv():
    from zedo_core.camera.calibrations._lens import inverted

    truth = Camera(fx=900.0, fy=910.0, cx=640.0, cy=360.0, size=(1280, 720), distortion=(0.1, -0.05, 0.001, 0.002, 0.0))
    grid = np.stack(np.meshgrid(np.linspace(0, 1279, 9), np.linspace(0, 719, 9)), -1).reshape(-1, 2)

    def straighten(seen):
        pixels = seen * (900.0, 910.0) + (640.0, 360.0)
        return (truth.undistort(pixels) - (640.0, 360.0)) / (900.0, 910.0)

    found = inverted(straighten, truth.matrix, truth.size, "c")
    np.testing.assert_allclose(found, truth.distortion, atol=1e-6)
    np.testing.assert_allclose(replace(truth, distortion=found).undistort(grid), truth.undistort(grid), atol=0.01)


def test_a_camera_of_the_stored_size_is_stretched_with_its_pictures():
    stored = Camera(fx=1200.0, fy=1600.0, cx=719.5, cy=539.5, size=(1440, 1080), source="c.toml")
    (found,) = CameraChoice(camera=stored).cameras(((1920, 1080),), (), (1440, 1080))
    assert (found.fx, found.fy, found.cx, found.cy) == (1600, 1600, 959.5, 539.5)
    assert found.source == "c.toml, pixels made square"
    shown = replace(stored, size=(1920, 1080), fx=1600.0, cx=959.5)
    assert CameraChoice(camera=shown).cameras(((1920, 1080),), (), (1440, 1080)) == (shown,)
    with pytest.raises(CameraError, match="expected pictures of 1440x1080"):
        CameraChoice(camera=stored).cameras(((1920, 1080),))
