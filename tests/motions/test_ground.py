"""The floor on which feet stand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from zedo_core.metrics import bone_lengths
from zedo_core.motions.body import Body
from zedo_core.motions.fit import TERMS, Floor, Observations, fit_motion
from zedo_core.motions.ground import Motion, _together, find_floors
from zedo_core.skeleton import H36M17

UP = np.array((0.0, -1.0, 0.0))


def floor_points(tilt_rad: float, height_m: float, count: int = 300) -> tuple[np.ndarray, np.ndarray]:
    """Points 3 to 6 m away on a floor that rises with the depth by `tilt_rad`, and its normal."""
    rng = np.random.default_rng(0)
    normal = np.array((0.0, -np.cos(tilt_rad), -np.sin(tilt_rad)))
    x, z = rng.uniform(-1, 1, count), rng.uniform(3, 6, count)
    y = -(height_m + normal[2] * -z) / np.cos(tilt_rad)
    return np.stack([x, y, z], -1), normal


def test_the_plane_of_feet_that_stand_on_several_places():
    points, normal = floor_points(np.radians(4), -1.2)
    np.testing.assert_allclose(points @ normal, -1.2, atol=1e-9)
    noisy = points + np.random.default_rng(1).normal(0, 0.02, points.shape)
    noisy[:30, 1] -= 0.4  # on a step
    (floor,) = find_floors([noisy], UP)
    assert floor is not None
    assert np.degrees(np.arccos(floor.up @ normal)) < 1.0
    assert np.abs(points @ floor.up - floor.height_m).max() < 0.03


def test_on_one_place_the_upward_direction_stays():
    spot = np.array((0.2, 1.0, 4.0)) + np.random.default_rng(2).normal(0, 0.02, (200, 3))
    (floor,) = find_floors([spot], UP)
    assert floor is not None
    assert np.degrees(np.arccos(floor.up @ UP)) < 1.0
    assert floor.height_m == pytest.approx(-1.0, abs=0.005)


def test_somebody_stands_on_something_and_somebody_nowhere():
    points, normal = floor_points(np.radians(4), -1.2)
    high = points[:100] + 0.8 * normal
    a, none, b = find_floors([points, np.zeros((0, 3)), high], UP)
    assert a is not None and none is None and b is not None
    np.testing.assert_allclose(a.up, b.up)
    assert (a.height_m, b.height_m) == (pytest.approx(-1.2, abs=0.03), pytest.approx(-0.4, abs=0.03))
    assert find_floors([np.zeros((0, 3))], UP) == [None]


def body_at(depth_m: float) -> np.ndarray:
    """A body that stands with its ankles at y = 1."""
    joints = np.zeros((17, 3))
    for joint, (x, y) in {
        "right_hip": (-0.13, 0.2), "right_knee": (-0.13, 0.6), "right_ankle": (-0.13, 1.0), "left_hip": (0.13, 0.2),
        "left_knee": (0.13, 0.6), "left_ankle": (0.13, 1.0), "pelvis": (0, 0.2), "spine": (0, 0), "thorax": (0, -0.25),
        "neck_nose": (0, -0.35), "head_top": (0, -0.45), "left_shoulder": (0.15, -0.25), "left_elbow": (0.15, 0.02),
        "left_wrist": (0.15, 0.27), "right_shoulder": (-0.15, -0.25), "right_elbow": (-0.15, 0.02),
        "right_wrist": (-0.15, 0.27),
    }.items():  # fmt: skip
        joints[H36M17.index(joint)] = x, y, depth_m
    return joints


def test_feet_that_stand_are_drawn_to_the_floor_and_none_sinks():
    """The keypoints leave the distance open, so that the floor decides it."""
    true = np.tile(body_at(4.0), (20, 1, 1))
    body = Body(H36M17, bone_lengths(true, H36M17.edges)[0])
    standing = np.zeros((20, 17))
    standing[:, H36M17.index("left_ankle")] = 1
    seen = Observations(
        times_s=np.arange(20) / 30,
        slopes=true[..., :2] / true[..., 2:],
        noise=np.full((20, 17), 0.02),
        hypotheses=(true - true[:, :1])[:, None],
        error_m=np.full((20, 1), 0.05),
        spread_m=np.full((20, 17), 0.03),
        start=true,
        standing=standing,
    )
    left, right = H36M17.index("left_ankle"), H36M17.index("right_ankle")
    low = fit_motion(seen, body, TERMS, Floor(UP, -1.05))
    high = fit_motion(replace(seen, standing=0 * standing), body, TERMS, Floor(UP, -0.9))
    free = fit_motion(seen, body)
    np.testing.assert_allclose(free, true, atol=1e-3)
    assert (low[:, left, 1] > 1.025).all()
    assert (high[:, [left, right], 1] < 0.97).all()


def test_people_who_never_meet_have_floors_of_their_own():
    """As before and after a cut; those who meet, or are linked by others, share one."""

    def motion(start_s: float, end_s: float) -> Motion:
        joints, per_joint = np.zeros((3, 17, 3)), np.zeros((3, 17))
        seen = Observations(
            times_s=np.linspace(start_s, end_s, 3),
            slopes=joints[..., :2],
            noise=per_joint,
            hypotheses=joints[:, None],
            error_m=np.zeros((3, 1)),
            spread_m=per_joint,
            start=joints,
            standing=per_joint,
        )
        return Motion(np.arange(3), Body(H36M17, np.ones(16)), seen, joints, np.zeros((3, 2), bool))

    a, b, c, d = motion(0, 2), motion(3, 4), motion(1, 2.5), motion(2.2, 2.4)
    assert [[id(one) for one in group] for group in _together([a, b, c, d])] == [[id(a), id(c), id(d)], [id(b)]]
