"""The camera and the values that travel between stages: round trips, an independent oracle, and their error lines."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace
from typing import Any

import cv2
import jaxtyping
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zedo_core.camera import Camera
from zedo_core.errors import CameraError, InputError
from zedo_core.skeleton import COCO17, H36M17
from zedo_core.types import Frame, Keypoints, Poses, Provenance

LENS = (-0.12, 0.05, 0.001, -0.002, 0.01)
PINHOLE = Camera(fx=1100.0, fy=1050.0, cx=640.5, cy=355.0, size=(1280, 720))
DISTORTED = replace(PINHOLE, distortion=LENS)


@pytest.fixture
def undecorated():
    """Without the tests' own shape checks, which stand before the messages that a user sees."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


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
    # The inverse distortion is a fixed point that halves its error in each of 40 steps: far below 1e-6 px.
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
    # Two different iterations, each to its own end: agreement far below what is visible.
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


def test_arguments_stay_as_they_are():
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
    # The half angle comes back through its tangent; near 170 degrees that costs 4 digits of double precision.
    assert np.degrees(np.arctan2(-borders[0, 0], borders[0, 2])) == pytest.approx(fov / 2, abs=1e-9)
    assert np.degrees(np.arctan2(borders[1, 0], borders[1, 2])) == pytest.approx(fov / 2, abs=1e-9)


def test_guess_is_the_stated_one():
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
        (np.array([[1000, 5.0, 1], [0, 1000, 1], [0, 0, 1]]), "skew of 5"),
        (np.array([[1000, 0, 1], [9.0, 1000, 1], [0, 0, 1]]), "expected K as"),
        (np.diag([-1.0, 1, 1]), "focal lengths above 0"),
    ],
)
def test_matrices_that_are_no_camera(K, match):
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
def test_fields_that_are_no_camera(fields, match):
    with pytest.raises(CameraError, match=match):
        replace(PINHOLE, **fields)


@pytest.mark.parametrize("fov", [0.0, 0.9, 171.0, float("nan")])
def test_fields_of_view_that_are_none(fov):
    with pytest.raises(CameraError, match="field of view of 1 to 170 degrees"):
        Camera.from_fov(fov, (640, 480))


# The values between the stages


def make_keypoints(**fields: Any) -> Keypoints:
    """Three frames of two people, the second absent from the first frame."""
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.1, 1, size=(3, 2, len(COCO17)))
    confidence[0, 1] = 0
    xy = rng.uniform(0, 700, size=(*confidence.shape, 2)) * (confidence > 0)[..., None]
    defaults = {
        "xy": xy,
        "confidence": confidence,
        "skeleton": COCO17,
        "frame_numbers": np.arange(3) + 10,
        "track_ids": np.array([4, 9]),
    }
    return Keypoints(**(defaults | fields))


def make_poses(**fields: Any) -> Poses:
    joints = np.random.default_rng(0).normal(size=(2, 1, 3, len(H36M17), 3))
    joints[1] = np.nan
    defaults = {
        "joints": joints,
        "score": np.zeros((2, 1, 3)),
        "chosen": np.array([[2], [-1]]),
        "spread": np.zeros((2, 1, len(H36M17))),
        "skeleton": H36M17,
        "cameras": (PINHOLE,),
        "frame_numbers": np.arange(2),
        "track_ids": np.array([1]),
        "provenance": Provenance(method="m", weights="w", weights_sha256="0", version="0"),
    }
    return Poses(**(defaults | fields))


def test_frame_size_is_width_and_height():
    assert Frame(image=np.zeros((480, 640, 3), dtype=np.uint8), number=0, time_s=0.0).size == (640, 480)


def test_present_and_absent_people():
    assert make_keypoints().present.tolist() == [[True, False], [True, True], [True, True]]
    assert make_poses().present.tolist() == [[True], [False]]


def with_value(array: np.ndarray, value: float) -> np.ndarray:
    """A copy in which frame 11, person 9, joint left_knee has another value."""
    copy = array.copy()
    copy[1, 1, COCO17.index("left_knee")] = value
    return copy


@pytest.mark.usefixtures("undecorated")
@pytest.mark.parametrize(
    ("fields", "match"),
    [
        ({"xy": np.zeros((3, 2, 16, 2))}, r"xy \(t, p, 17, 2\)"),
        ({"skeleton": H36M17, "confidence": np.zeros((3, 2, 16))}, "for h36m-17"),
        ({"frame_numbers": np.arange(2)}, "3 frame numbers"),
        ({"track_ids": np.arange(3)}, "2 track ids"),
        ({"times_s": np.zeros(2)}, "3 frame times"),
        ({"image_sizes": ((1, 1), (1, 1))}, "1 or 3 image sizes, got 2"),
        ({"xy": with_value(make_keypoints().xy, np.nan)}, "frame 11, person 9, joint left_knee is not a finite number"),
        ({"confidence": with_value(make_keypoints().confidence, np.inf)}, "joint left_knee"),
        ({"confidence": with_value(make_keypoints().confidence, 1.5)}, r"0\.\.1, found 1\.5"),
        ({"confidence": with_value(make_keypoints().confidence, -0.25)}, r"0\.\.1, found -0\.25"),
    ],
)
def test_keypoints_say_what_is_wrong(fields, match):
    with pytest.raises(InputError, match=match):
        make_keypoints(**fields)


@pytest.mark.usefixtures("undecorated")
@pytest.mark.parametrize(
    ("fields", "match"),
    [
        ({"score": np.zeros((2, 1, 4))}, "do not fit together"),
        ({"cameras": (PINHOLE,) * 3}, "1 or 2 cameras, got 3"),
        ({"chosen": np.array([[3], [0]])}, "a chosen hypothesis is 3, there are only 3"),
    ],
)
def test_poses_say_what_is_wrong(fields, match):
    with pytest.raises(InputError, match=match):
        make_poses(**fields)


def test_keypoints_in_another_joint_set():
    keypoints = make_keypoints()
    found = keypoints.to_skeleton(H36M17)
    np.testing.assert_array_equal(found.present, keypoints.present)
    hips = keypoints.xy[:, :, COCO17.indices(("left_hip", "right_hip"))].mean(axis=2)
    # A mean of two by numpy and by a matrix product: equal to rounding.
    np.testing.assert_allclose(found.xy[:, :, H36M17.index("pelvis")], hips, atol=1e-10)
    assert keypoints.to_skeleton(COCO17) is keypoints


def test_joint_with_a_missing_source_is_missing():
    keypoints = make_keypoints(confidence=with_value(make_keypoints().confidence, 0))
    found = keypoints.to_skeleton(H36M17)
    knee = H36M17.index("left_knee")
    assert found.confidence[1, 1, knee] == 0 and found.xy[1, 1, knee].tolist() == [0, 0]


def test_undistorted_keypoints():
    keypoints = make_keypoints()
    assert keypoints.undistorted((PINHOLE,)) is keypoints
    expected = DISTORTED.undistort(keypoints.xy) * (keypoints.confidence > 0)[..., None]
    np.testing.assert_array_equal(keypoints.undistorted((DISTORTED,)).xy, expected)
    per_frame = keypoints.undistorted((PINHOLE, DISTORTED, PINHOLE)).xy
    np.testing.assert_array_equal(per_frame[[0, 2]], keypoints.xy[[0, 2]])
    np.testing.assert_array_equal(per_frame[1], expected[1])


def test_best_is_the_chosen_hypothesis():
    poses = make_poses()
    np.testing.assert_array_equal(poses.best[0, 0], poses.joints[0, 0, 2])
    assert np.isnan(poses.best[1]).all()


def test_camera_of_a_frame():
    assert make_poses().camera(1) is PINHOLE
    assert make_poses(cameras=(PINHOLE, DISTORTED)).camera(1) is DISTORTED
