"""The camera: round trips, an independent implementation, and error messages."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zedo_core.camera import Camera
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
