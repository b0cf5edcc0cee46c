"""Heels and toes from keypoints, at the ankles of poses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from angle_cases import as_array, body_of, standing
from export_cases import CAMERA, in_camera, poses_of
from scipy.spatial.transform import Rotation

import zedo_core as zedo
from zedo_core.motions.feet import with_feet
from zedo_core.motions.motion import motion
from zedo_core.motions.upright import with_up
from zedo_core.skeleton import BLAZEPOSE33, BODY25, COCO17, FEET, H36M17, HALPE26, Skeleton
from zedo_core.types import Keypoints, Poses

# Where annotators mark big toe, small toe and heel of a right foot, from the ankle.
FOOT_M = {"big_toe": (0.165, -0.05, -0.015), "small_toe": (0.13, -0.05, 0.045), "heel": (-0.045, -0.045, 0.0)}
FRAMES = 40


def walker(turned_deg: float = 0.0) -> dict[str, np.ndarray]:
    """Somebody who steps on the spot, seen at an angle, with rigid feet that flex and turn a little."""
    phase = np.linspace(0, 4 * np.pi, FRAMES)
    known = {name: np.repeat(value, FRAMES) for name, value in standing().items()}
    known["pelvis_rotation"] = np.full(FRAMES, turned_deg)
    for side, shift in (("r", 0.0), ("l", np.pi)):
        known[f"hip_flexion_{side}"] = 20 + 20 * np.sin(phase + shift)
        known[f"knee_angle_{side}"] = 35 + 25 * np.sin(phase + shift)
    joints = body_of(known)
    for side, sign, shift in (("right", 1, 0.0), ("left", -1, np.pi)):
        s = side[0]
        shank = Rotation.from_euler("YZ", np.stack([known["pelvis_rotation"], known[f"hip_flexion_{s}"] -
                                                    known[f"knee_angle_{s}"]], -1), degrees=True)  # fmt: skip
        turn = np.stack([-8 * sign + 0 * phase, 12 * np.sin(phase + shift)], -1)
        foot = shank * Rotation.from_euler("YZ", turn, degrees=True)
        for name, place in FOOT_M.items():
            joints[f"{side}_{name}"] = joints[f"{side}_ankle"] + foot.apply(np.array(place) * (1, 1, sign))
    return joints


def seen(joints: dict[str, np.ndarray], skeleton: Skeleton) -> tuple[Poses, Keypoints]:
    """The poses, and exact keypoints of a level camera in a joint set."""
    poses = with_up(poses_of(in_camera(as_array(joints))[:, None], fps=30.0), "camera")
    middle = {"neck": "thorax", "nose": "neck_nose", "left_foot": "left_big_toe", "right_foot": "right_big_toe"}
    xy, confidence = np.zeros((FRAMES, len(skeleton), 2)), np.zeros((FRAMES, len(skeleton)))
    for j, name in enumerate(skeleton.joints):
        if (point := joints.get(middle.get(name, name))) is not None:
            xy[:, j], confidence[:, j] = CAMERA.project(in_camera(point)), 1.0
    clip = Keypoints(
        frame=poses.frame,
        track=poses.track,
        xy=xy,
        confidence=confidence,
        skeleton=skeleton,
        frame_numbers=poses.frame_numbers,
        fps=30.0,
    )
    return poses, clip


def feet_of(poses: Poses) -> np.ndarray:
    assert poses.feet is not None
    return poses.feet


def errors_mm(poses: Poses, joints: dict[str, np.ndarray]) -> np.ndarray:
    truth = np.stack([in_camera(joints[name]) for name in FEET], axis=1)
    return 1000 * np.linalg.norm(feet_of(poses) - truth, axis=-1)


@pytest.mark.parametrize("turned_deg", [0, 60, -60, 90, -90, 180])
@pytest.mark.parametrize("skeleton", [BODY25, HALPE26], ids=lambda s: s.name)
def test_feet_that_are_seen_exactly(skeleton: Skeleton, turned_deg: float) -> None:
    """From the side, from in front and from behind; the priors, which are off by up to 20 degrees, cost 1 cm."""
    joints = walker(turned_deg)
    poses = with_feet(*seen(joints, skeleton))
    assert errors_mm(poses, joints).mean() < 10
    assert errors_mm(poses, joints).max() < 45


def test_feet_are_rigid_and_as_large_as_the_body() -> None:
    joints = {name: 1.2 * place for name, place in walker(60).items()}
    feet = feet_of(with_feet(*seen(joints, BODY25)))
    toe, heel = feet[:, FEET.index("left_big_toe")], feet[:, FEET.index("left_heel")]
    expected = 1.2 * np.linalg.norm(np.subtract(FOOT_M["big_toe"], FOOT_M["heel"]))
    np.testing.assert_allclose(np.linalg.norm(toe - heel, axis=-1), expected, rtol=1e-6)


def test_blazepose_has_no_small_toe() -> None:
    joints = walker(60)
    error = errors_mm(with_feet(*seen(joints, BLAZEPOSE33)), joints)
    small = np.array(["small" in name for name in FEET])
    assert np.isnan(error[:, small]).all() and error[:, ~small].mean() < 10


def test_the_ankle_is_where_the_pose_has_it() -> None:
    """Keypoints that are 10 px off as a whole turn no foot."""
    joints = walker(60)
    poses, keypoints = seen(joints, BODY25)
    straight, moved = (
        with_feet(poses, keypoints),
        with_feet(poses, replace(keypoints, xy=keypoints.xy + np.array((10.0, -10.0)))),
    )
    np.testing.assert_allclose(feet_of(moved), feet_of(straight), atol=2e-3)


def test_frames_without_feet_are_bridged_for_a_quarter_of_a_second() -> None:
    joints = walker(60)
    poses, keypoints = seen(joints, BODY25)
    feet = np.isin(BODY25.joints, FEET)
    confidence = keypoints.confidence.copy()
    confidence[10:30, feet] = 0.0
    found = with_feet(poses, replace(keypoints, confidence=confidence))
    known = np.isfinite(feet_of(found)).all((1, 2))
    np.testing.assert_array_equal(np.flatnonzero(~known), np.arange(17, 23))  # more than 7 frames of 1/30 s away
    assert errors_mm(found, joints)[10:13].mean() < 40


def test_keypoints_without_feet_change_nothing() -> None:
    joints = walker()
    poses, keypoints = seen(joints, COCO17)
    assert with_feet(poses, keypoints) is poses
    poses, keypoints = seen({name: v for name, v in joints.items() if name not in FEET}, BODY25)
    assert with_feet(poses, keypoints).feet is None


def test_unrelated_pictures() -> None:
    joints = walker(60)
    poses, keypoints = seen(joints, BODY25)
    alone = with_feet(poses, keypoints, tracked=False)
    one = with_feet(poses.take(np.array([7])), keypoints, tracked=False)
    np.testing.assert_allclose(feet_of(alone)[7], feet_of(one)[0], atol=1e-9)


def test_heights_scale_the_feet_as_well() -> None:
    poses, keypoints = seen(walker(60), BODY25)
    low, tall = (motion(poses, keypoints, mode="off", heights=height) for height in (1.5, 1.8))
    np.testing.assert_allclose(feet_of(tall), 1.2 * feet_of(low), atol=0.01)


def test_joints_that_are_unknown_have_no_foot() -> None:
    joints = walker(60)
    poses, keypoints = seen(joints, BODY25)
    ankle = H36M17.index("left_ankle")
    poses.joints[5, :, ankle] = np.nan
    feet = feet_of(with_feet(poses, keypoints))
    assert np.isnan(feet[5, :3]).all() and np.isfinite(feet[5, 3:]).all() and np.isfinite(feet[:5]).all()


def test_a_real_video(shared: Path) -> None:
    """Measured from the ankle against the triangulated reference: 40 mm, whose own error is about 50 mm."""
    folder = shared / "assets/videos/balance"
    camera = zedo.read_camera(folder / "calibration.toml", "cam_03")
    keypoints = zedo.read_keypoints(folder / "cam03_openpose")
    largest = np.bincount(keypoints.track).argmax()
    keypoints = keypoints.take(keypoints.track == largest)
    poses = motion(zedo.lift(keypoints, camera, hypotheses=1, method="erd"), keypoints)
    with np.load(folder / "reference_zup.npz") as data:
        names = data["names"].tolist()
        truth = data["X"] @ np.array(camera.R_cam_from_world).T
    side = {"left": "L", "right": "R"}
    part = {"big_toe": "BigToe", "small_toe": "SmallToe", "heel": "Heel"}
    errors = []
    for i, name in enumerate(FEET):
        s, _, p = name.partition("_")
        from_ankle = truth[:, names.index(side[s] + part[p])] - truth[:, names.index(f"{side[s]}Ankle")]
        found = feet_of(poses)[:, i] - poses.best[:, H36M17.index(f"{s}_ankle")]
        errors.append(1000 * np.linalg.norm(found - from_ankle[poses.frame_numbers[poses.frame]], axis=-1))
    assert np.nanmean(errors) < 55
