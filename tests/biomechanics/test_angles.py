"""Joint angles: exact on bodies of known angles, signs, what cannot be seen, and expected errors."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from angle_cases import NAMES, as_array, body_of, random_angles, standing
from export_cases import CAMERA, in_camera, poses_of, world_clip

from zedo_core.biomechanics import angles, left_out
from zedo_core.biomechanics.definitions import joint_angles
from zedo_core.export import save
from zedo_core.motions.upright import with_up
from zedo_core.skeleton import COCO17, FEET, H36M17, conversion
from zedo_core.types import Poses

EXACT_DEG = 1e-6  # double precision; arcsine loses half of the digits near 90 degrees, which is not reached


def posed(known: dict[str, np.ndarray], **fields) -> Poses:
    """Poses of these angles seen by a level camera, with feet, one person over the frames."""
    joints = body_of(known)
    feet = np.stack([in_camera(joints[name]) for name in FEET], axis=1)[:, None]
    return with_up(poses_of(in_camera(as_array(joints))[:, None], feet=feet, **fields), "camera")


def degrees(difference: np.ndarray) -> np.ndarray:
    return (difference + 180) % 360 - 180


@pytest.mark.parametrize("name", NAMES)
def test_known_angles_are_found(name: str) -> None:
    known = random_angles(500)
    np.testing.assert_allclose(degrees(joint_angles(body_of(known))[name] - known[name]), 0, atol=EXACT_DEG)


def test_known_angles_of_a_result() -> None:
    """Through camera axes, single rows and feet, as users get them."""
    known = random_angles(40, seed=1)
    found = angles(posed(known))
    for name in NAMES:
        np.testing.assert_allclose(degrees(found[name] - known[name]), 0, atol=1e-4)
    assert np.isnan(found.error_deg).all()  # a single hypothesis says nothing of its error


@pytest.mark.parametrize(
    ("name", "joint", "direction"),
    [
        ("hip_flexion_r", "right_knee", (1, 0, 0)),  # forwards
        ("hip_flexion_l", "left_knee", (1, 0, 0)),
        ("hip_adduction_r", "right_knee", (0, 0, -1)),  # towards the other leg
        ("hip_adduction_l", "left_knee", (0, 0, 1)),
        ("knee_angle_r", "right_ankle", (-1, 0, 0)),  # backwards, positive as in Rajagopal's model
        ("ankle_angle_l", "left_big_toe", (0, 1, 0)),  # upwards
        ("arm_flex_r", "right_elbow", (1, 0, 0)),
        ("arm_add_l", "left_elbow", (0, 0, 1)),
        ("elbow_flex_r", "right_wrist", (1, 0, 0)),
        ("pelvis_tilt", "thorax", (-1, 0, 0)),  # forward tilt is negative
        ("pelvis_list", "right_hip", (0, -1, 0)),  # OpenSim: about x, the right side goes down
        ("pelvis_rotation", "right_hip", (1, 0, 0)),  # to the left
        ("lumbar_bending", "thorax", (0, 0, 1)),  # to the right
        ("neck_flexion", "head_top", (1, 0, 0)),
    ],
)
def test_signs(name: str, joint: str, direction: tuple[float, float, float]) -> None:
    """A joint of an upright body moves in this direction as the angle grows."""
    before, after = body_of(standing()), body_of(standing(**{name: 10.0}))
    moved = (after[joint] - before[joint])[0]
    assert moved @ np.array(direction) > 0.8 * np.linalg.norm(moved) > 0
    assert joint_angles(after)[name][0] == pytest.approx(10)


def test_segments_to_the_vertical() -> None:
    found = joint_angles(body_of(standing(hip_flexion_r=30, knee_angle_r=50, elbow_flex_l=90, ankle_angle_l=-20)))
    expected = {"trunk": 0, "head": 0, "thigh_r": 30, "shank_r": 20, "thigh_l": 0, "forearm_l": 90, "upper_arm_l": 0}
    for name, value in expected.items():
        whole = f"{name[:-2]}_to_vertical{name[-2:]}" if name[-2] == "_" else f"{name}_to_vertical"
        assert found[whole][0] == pytest.approx(value, abs=EXACT_DEG)
    assert found["foot_to_horizontal_l"][0] == pytest.approx(-20)
    assert found["arm_elevation_r"][0] == pytest.approx(0, abs=EXACT_DEG)


def test_axial_rotation_of_straight_limbs_is_unknown() -> None:
    found = joint_angles(body_of(standing(knee_angle_r=29, elbow_flex_r=29, knee_angle_l=31, elbow_flex_l=31)))
    assert np.isnan([found["hip_rotation_r"][0], found["arm_rot_r"][0]]).all()
    np.testing.assert_allclose([found["hip_rotation_l"][0], found["arm_rot_l"][0]], 0, atol=EXACT_DEG)


def test_missing_joints_leave_out_what_needs_them_only() -> None:
    joints = body_of(standing())
    joints["right_knee"] = joints["right_knee"] * np.nan
    del joints["left_heel"]
    found = joint_angles(joints)
    unknown = {name for name, value in found.items() if np.isnan(value).all()}
    assert unknown == {
        *("hip_flexion_r", "hip_adduction_r", "hip_rotation_r", "knee_angle_r", "ankle_angle_r"),
        *("thigh_to_vertical_r", "shank_to_vertical_r"),
        *("hip_rotation_l", "ankle_angle_l", "foot_to_horizontal_l", "arm_rot_r", "arm_rot_l"),  # straight, no heel
    }


def test_turning_does_not_jump() -> None:
    turns = np.linspace(0, 720, 100)
    known = {name: np.repeat(value, 100) for name, value in standing().items()} | {"pelvis_rotation": turns}
    np.testing.assert_allclose(angles(posed(known))["pelvis_rotation"], turns, atol=1e-4)


def test_tilt_does_not_depend_on_where_the_person_faces() -> None:
    known = {name: np.repeat(value, 5) for name, value in standing(pelvis_tilt=-20, pelvis_list=5).items()}
    found = joint_angles(body_of(known | {"pelvis_rotation": np.array([0, 45, 90, 170, -100.0])}))
    np.testing.assert_allclose(found["pelvis_tilt"], -20, atol=EXACT_DEG)
    np.testing.assert_allclose(found["pelvis_list"], 5, atol=EXACT_DEG)


def test_a_person_without_legs_has_no_angles_of_legs() -> None:
    legs = np.array([any(part in name for part in ("knee", "ankle")) for name in H36M17.joints])
    poses = posed(random_angles(6), seen=np.tile(~legs, (6, 1, 1)))
    found = angles(poses)
    assert not [name for name in found.names if name.startswith(("knee", "ankle", "hip", "thigh", "shank"))]
    assert {"pelvis_tilt", "arm_flex_r", "neck_flexion"} <= set(found.names)
    assert left_out(poses) == {1: ("right_knee", "right_ankle", "left_knee", "left_ankle")}
    seen_once = np.tile(~legs, (6, 1))
    seen_once[0] = True
    assert "knee_angle_r" in angles(replace(poses, seen=seen_once)).names  # as after a person has come closer
    assert left_out(replace(poses, seen=None)) == {}


def test_a_head_that_no_detector_has_is_left_out_in_silence() -> None:
    seen = np.array([name not in ("spine", "neck_nose", "head_top") for name in H36M17.joints])
    poses = posed(random_angles(6), seen=np.tile(seen, (6, 1, 1)))
    assert left_out(poses) == {}
    assert not [name for name in angles(poses).names if name.startswith(("neck", "head"))]


def test_the_expected_error_is_that_of_the_hypotheses() -> None:
    """Knees of 40, 50 and 60 degrees with equal scores, the second chosen; joints' expected errors add nothing."""
    bodies = [as_array(body_of(standing(knee_angle_r=angle)))[0] for angle in (40, 50, 60)]
    hypotheses = in_camera(np.stack(bodies))[None, None]
    fields = {"chosen": np.ones((1, 1), int), "spread": np.zeros((1, 1, 17))}
    found = angles(with_up(poses_of(hypotheses, **fields), "camera"))
    error = dict(zip(found.names, found.error_deg[0], strict=True))
    assert found["knee_angle_r"][0] == pytest.approx(50)
    assert error["knee_angle_r"] == pytest.approx(np.sqrt(200 / 3))
    assert error["knee_angle_l"] == pytest.approx(0, abs=1e-6)
    score = np.array([[[-0.05, -0.05, -0.5]]])  # the last is out of the question
    likely = angles(with_up(poses_of(hypotheses, score=score, **fields), "camera"))
    assert likely.error_deg[0, found.names.index("knee_angle_r")] == pytest.approx(np.sqrt(50))


def test_the_expected_error_is_as_large_as_that_of_the_joints() -> None:
    bodies = [as_array(body_of(standing(knee_angle_r=angle)))[0] for angle in (49, 50, 51)]
    off = np.array(bodies) - bodies[1]
    spread = 3 * np.sqrt((off**2).sum(-1).mean(0))  # three times what the hypotheses say
    fields = {"chosen": np.ones((1, 1), int), "spread": spread[None, None]}
    found = angles(with_up(poses_of(in_camera(np.stack(bodies))[None, None], **fields), "camera"))
    assert found.error_deg[0, found.names.index("knee_angle_r")] == pytest.approx(3 * np.sqrt(2 / 3))


def test_other_joint_sets() -> None:
    """COCO has no pelvis and thorax of its own, and no head."""
    world = world_clip(0)
    inverse = {"nose": "neck_nose", "left_eye": "head_top", "right_eye": "head_top"}
    columns = [H36M17.index(inverse.get(name, name)) if inverse.get(name, name) in H36M17.joints else 9
               for name in COCO17.joints]  # fmt: skip
    coco = with_up(poses_of(in_camera(world[:, columns])[:, None], skeleton=COCO17), "camera")
    rule = conversion(COCO17, H36M17)
    expected = joint_angles(dict(zip(H36M17.joints, np.moveaxis(rule.points(world[:, columns]), 1, 0), strict=True)))
    found = angles(coco)
    for name in ("hip_flexion_r", "knee_angle_l", "pelvis_tilt", "elbow_flex_r"):
        np.testing.assert_allclose(found[name], expected[name], atol=1e-4)


def test_without_people_there_are_no_angles() -> None:
    found = angles(poses_of(np.full((3, 1, 17, 3), np.nan)))
    assert found.names == () and found.degrees.shape == (0, 0)


def test_long_results_are_the_same_as_short_ones() -> None:
    known = {name: np.tile(value, 60) for name, value in random_angles(40).items()}  # more than a block
    found, part = angles(posed(known)), angles(posed(random_angles(40)))
    for name in set(NAMES) - {"pelvis_rotation", "pelvis_tilt"}:
        np.testing.assert_allclose(found[name][-40:], part[name], atol=1e-9)


def test_the_camera_sees_the_bodies() -> None:
    assert (CAMERA.project(posed(random_angles(10)).best) > -5000).all()


def test_all_hypotheses_share_the_feet(tmp_path: Path) -> None:
    """The ankle's error is that of the shank; the foot's own is not known, which the page says."""
    bodies = [body_of(standing(knee_angle_r=angle)) for angle in (40, 50, 60)]
    feet = np.stack([in_camera(bodies[1][name]) for name in FEET], axis=1)[:, None]
    hypotheses = in_camera(np.stack([as_array(body)[0] for body in bodies]))[None, None]
    fields = {"chosen": np.ones((1, 1), int), "spread": np.zeros((1, 1, 17)), "feet": feet}
    poses = with_up(poses_of(hypotheses, **fields), "camera")
    found = angles(poses)
    error = dict(zip(found.names, found.error_deg[0], strict=True))
    assert error["ankle_angle_r"] == pytest.approx(np.sqrt(200 / 3))
    assert found["foot_to_horizontal_r"][0] == pytest.approx(-50) and np.isnan(error["foot_to_horizontal_r"])
    _, page = save(poses, tmp_path / "poses.angles")
    assert "the foot to the horizontal has none" in page.read_text(encoding="utf-8")
