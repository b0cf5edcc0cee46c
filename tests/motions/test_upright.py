"""The upward direction, and the transform from camera axes to y up."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from animation_readers import animated
from export_cases import CAMERA, LEVEL, clip, in_camera, poses_of, t_pose, world_clip
from scipy.spatial.transform import Rotation

from zedo_core.camera import Camera
from zedo_core.errors import InputError
from zedo_core.export import load, save
from zedo_core.motions.upright import upright
from zedo_core.skeleton import H36M17, Skeleton

Z_UP = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])  # from a y-up world to a z-up one


def height(points: np.ndarray, joint: str) -> np.ndarray:
    return points[..., H36M17.index(joint), 1]


def angle_deg(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.degrees(np.arccos(np.clip(a @ b / np.linalg.norm(a) / np.linalg.norm(b), -1, 1))))


def test_the_transform_is_rigid():
    """Distances stay the same, and the transform is not a reflection."""
    poses = clip(2)
    found, before = upright(poses).points, poses.best
    for points in (found, before):
        points -= points[:, :1]
    np.testing.assert_allclose(found @ found.swapaxes(1, 2), before @ before.swapaxes(1, 2), atol=1e-9)
    three = H36M17.indices(("left_hip", "spine", "left_knee"))
    np.testing.assert_allclose(np.linalg.det(found[:, three]), np.linalg.det(before[:, three]), atol=1e-9)


def test_the_transform_gives_the_points():
    poses = clip()
    found = upright(poses)
    again = np.einsum("tab,tjb->tja", found.R_up_from_cam, poses.best) + found.t_up_from_cam[:, None]
    np.testing.assert_allclose(again, found.points, atol=1e-12)


def test_a_person_facing_the_camera_faces_z_on_the_floor():
    found = upright(poses_of(in_camera(t_pose())[None, None]), "camera")
    np.testing.assert_allclose(found.points[0] - found.points[0, 0], t_pose() - t_pose()[0], atol=1e-9)
    assert height(found.points, "left_ankle").item() == pytest.approx(0, abs=1e-9)
    assert found.points[0, 0, 2] == pytest.approx(-5)  # away from the camera, which stays at x = z = 0
    assert found.source == "the camera's"


@pytest.mark.parametrize(("pitch", "roll"), [(0, 0), (25, 0), (-20, 10), (0, -25), (40, 15)])
def test_up_is_estimated_from_people(pitch, roll):
    """Standing and walking people of the packaged motion capture, in any heading: errors of a few degrees."""
    R = Rotation.from_euler("xz", (pitch, roll), degrees=True).as_matrix() @ LEVEL
    errors = []
    for number, world in enumerate(standing_clips()):
        heading = Rotation.from_euler("y", 70 * number, degrees=True).as_matrix()
        found = upright(poses_of(in_camera(world, R @ heading)[:, None]))
        assert found.source.startswith("estimated")
        errors.append(angle_deg(found.R_up_from_cam[0] @ R @ (0, 1, 0), np.array((0.0, 1, 0))))
    assert len(errors) > 3 and np.mean(errors) < 5 and max(errors) < 10


def standing_clips() -> list[np.ndarray]:
    """The sequences in which the person stands in all frames."""
    return [world for i in range(6) if (np.ptp((world := world_clip(i))[..., 1], axis=1) > 1.35).all()]


def test_the_usual_forward_lean_is_corrected_in_any_heading():
    for heading in (0, 90, 200):
        turn = Rotation.from_euler("y", heading, degrees=True).as_matrix()
        lean = Rotation.from_euler("x", 4, degrees=True).as_matrix()  # the body faces z
        found = upright(poses_of(in_camera(t_pose() @ (turn @ lean).T)[None, None]))
        assert angle_deg(found.R_up_from_cam[0] @ LEVEL @ (0, 1, 0), np.array((0.0, 1, 0))) < 0.1


def test_one_tilted_body_among_many_has_no_influence():
    bodies = np.tile(t_pose(), (10, 1, 1))
    bodies[3] = bodies[3] @ Rotation.from_euler("z", 30, degrees=True).as_matrix().T
    all_bodies, without = (upright(poses_of(in_camera(b)[:, None])).R_up_from_cam[0][1] for b in (bodies, bodies[4:]))
    assert angle_deg(all_bodies, without) < 0.5


def test_auto_prefers_the_calibration_to_people():
    R = tuple(map(tuple, LEVEL @ Z_UP.T))
    calibrated = replace(CAMERA, R_cam_from_world=R, t_cam_from_world=(0.0, 0.0, 5.0))
    poses = poses_of(in_camera(t_pose())[None, None], cameras=(calibrated,))
    sources = [upright(poses, up).source for up in ("auto", "calibration", "people", "camera")]
    assert sources == ["calibration, z up"] * 2 + ["estimated from 1 standing poses", "the camera's"]
    with pytest.raises(InputError, match="expected a camera file with extrinsics"):
        upright(clip(), "calibration")


@pytest.mark.parametrize("up", ["camera", "people", (0.0, -2.0, 0.5)])
@pytest.mark.parametrize("suffix", [".npz", ".json"])
def test_a_result_records_the_choice_of_up(tmp_path, suffix, up):
    """The choice applies to later exports, and the file has the transform for other readers."""
    save(clip(), tmp_path / f"poses{suffix}", up=up)
    found, expected = upright(load(tmp_path / f"poses{suffix}")), upright(clip(), up)
    assert found.source == expected.source
    np.testing.assert_allclose(found.points, expected.points, atol=2e-6)
    assert upright(load(tmp_path / f"poses{suffix}"), "auto").source.startswith("estimated")
    if suffix == ".npz":
        with np.load(tmp_path / "poses.npz") as data:
            R, t, source = data["R_up_from_cam"], data["t_up_from_cam"], data["up_source"].item()
    else:
        table = json.loads((tmp_path / "poses.json").read_text())["upright"]
        R, t, source = np.array(table["R_up_from_cam"]), np.array(table["t_up_from_cam"]), table["source"]
    assert source == expected.source and R.shape == (1, 3, 3)
    np.testing.assert_allclose(clip().best @ R[0].T + t[0], expected.points, atol=2e-6)


@pytest.mark.parametrize("suffix", [".trc", ".bvh", ".glb"])
def test_feet_stand_on_the_floor_under_a_tilted_camera(tmp_path, suffix):
    """While a person walks, the lower foot stays on the floor to a few centimetres in the file."""
    R = Rotation.from_euler("xz", (25, 5), degrees=True).as_matrix() @ LEVEL
    poses = poses_of(in_camera(standing_clips()[0], R)[:, None])
    if suffix == ".trc":
        save(poses, tmp_path / "poses.trc")
        rows = [line.split("\t")[2:] for line in (tmp_path / "poses.trc").read_text().splitlines()[5:]]
        heights = np.array(rows, dtype=float)[:, 1::3] / 1000
    else:
        heights = animated(poses, tmp_path, suffix)[..., 1]
    feet = heights[:, H36M17.indices(("left_ankle", "right_ankle"))].min(1)
    assert abs(np.median(feet)) < 0.05 and np.abs(feet).max() < 0.12


def test_up_is_the_cameras_without_standing_people():
    lying = t_pose() @ Rotation.from_euler("x", 90, degrees=True).as_matrix().T
    found = upright(poses_of(in_camera(lying)[None, None]))
    np.testing.assert_allclose(found.R_up_from_cam[0], LEVEL.T, atol=1e-12)
    assert "no standing poses" in found.source


@pytest.mark.parametrize("axis", ["y", "z"])
@pytest.mark.parametrize("moving", [False, True])
def test_calibrated_cameras_give_the_world(axis, moving):
    """Extrinsics in a world with y or z up, of one camera or one per frame, recover the world."""
    truth = world_clip(3)
    to_world = np.eye(3) if axis == "y" else Z_UP
    cameras, joints = [], []
    for t, body in enumerate(truth):
        R = Rotation.from_euler("xyz", (15, 2 * t * moving, 5), degrees=True).as_matrix() @ LEVEL @ to_world.T
        shift = np.array((0.1 * t * moving, 0.2, 5.0))
        cameras.append(replace(CAMERA, R_cam_from_world=tuple(map(tuple, R)), t_cam_from_world=tuple(shift)))
        joints.append(in_camera(body @ to_world.T, R, shift))
    poses = poses_of(np.array(joints)[:, None], cameras=tuple(cameras) if moving else tuple(cameras[:1]))
    found = upright(poses)
    assert found.source == f"calibration, {axis} up"
    lift = found.points[0, 0, 1] - truth[0, 0, 1]
    np.testing.assert_allclose(found.points, truth + np.array((0, lift, 0)), atol=1e-9)


def test_up_can_be_given():
    poses = clip()
    found = upright(poses, (1.0, -1.0, 0.0))
    assert found.source == "given"
    np.testing.assert_allclose(found.R_up_from_cam[0] @ (1, -1, 0), (0, np.sqrt(2), 0), atol=1e-12)
    for sideways in ((2.0, 0.0, 0.0), (-1.0, 0.0, 0.0), (0.0, 0.0, 1.0)):
        R = upright(poses, sideways).R_up_from_cam[0]
        np.testing.assert_allclose(R @ R.T, np.eye(3), atol=1e-12)
        np.testing.assert_allclose(R @ sideways, (0, float(np.linalg.norm(sideways)), 0), atol=1e-12)
        assert np.linalg.det(R) > 0


@pytest.mark.parametrize("up", [(0.0, 0.0, 0.0), (float("nan"), 0.0, 1.0), (float("inf"), 0.0, 1.0)])
def test_an_invalid_direction_is_refused(up):
    with pytest.raises(InputError, match="expected a direction"):
        upright(clip(), up)


def test_a_single_wrong_foot_does_not_move_the_floor():
    bodies = np.tile(in_camera(t_pose()), (100, 1, 1, 1))
    bodies[7, 0, H36M17.index("left_ankle"), 1] += 1.0
    assert height(upright(poses_of(bodies)).points[0], "right_ankle").item() == pytest.approx(0, abs=1e-6)


def test_up_is_the_cameras_for_joint_sets_without_a_head_or_feet():
    mine = Skeleton("mine", tuple(f"marker {i}" for i in range(len(H36M17))), ())
    found = upright(poses_of(in_camera(t_pose())[None, None], skeleton=mine))
    np.testing.assert_allclose(found.R_up_from_cam[0], LEVEL.T)
    assert found.points[..., 1].min() == pytest.approx(0)


def calibrated(R_world_from_upright: np.ndarray, R: np.ndarray = LEVEL, **fields) -> tuple[Camera, np.ndarray]:
    """A camera in a world whose axes are turned from upright ones, and its rotation from upright axes."""
    rows = tuple(map(tuple, (R @ R_world_from_upright.T).tolist()))
    return replace(CAMERA, R_cam_from_world=rows, t_cam_from_world=(0.0, 0.2, 5.0), **fields), R


@pytest.mark.parametrize("tilt_deg", [4, 26, 70])
def test_people_decide_where_the_calibration_is_far_from_upright(tilt_deg):
    tilt = Rotation.from_euler("x", tilt_deg, degrees=True).as_matrix()
    camera, R = calibrated(Z_UP @ tilt)
    poses = poses_of(np.stack([in_camera(t_pose(), R)] * 3)[:, None], cameras=(camera,))
    found = upright(poses)
    off = angle_deg(found.R_up_from_cam[0] @ R @ (0, 1, 0), np.array((0.0, 1, 0)))
    if tilt_deg < 10:
        assert found.source.startswith("calibration") and off == pytest.approx(tilt_deg)
        return
    assert off < 4.1  # the lean that people usually have, which a T-pose lacks
    assert found.source.startswith("estimated from 3 standing poses, since the calibration (")
    kept = upright(poses, "calibration")
    assert kept.source.startswith("calibration, ")
    # 70 degrees from z is nearer to another axis of the world
    axis = min((tilt_deg, 90 - tilt_deg))
    off = angle_deg(kept.R_up_from_cam[0] @ R @ (0, 1, 0), np.array((0.0, 1, 0)))
    assert off == pytest.approx(axis)
    said = float(found.source.partition(") is ")[2].partition(" degrees off")[0])
    assert abs(said - axis) < 4.6  # the same lean, and rounding
    np.testing.assert_allclose(found.R_up_from_cam[0], upright(poses, "people").R_up_from_cam[0], atol=1e-9)


def test_people_decide_for_a_moving_camera_in_its_world():
    tilt = Rotation.from_euler("x", 30, degrees=True).as_matrix()
    turns = [Rotation.from_euler("y", 5 * t, degrees=True).as_matrix() @ LEVEL for t in range(4)]
    cameras, joints = [], []
    for R in turns:
        camera, _ = calibrated(tilt, R)
        cameras.append(camera)
        joints.append(in_camera(t_pose(), R, camera.t_cam_from_world))
    found = upright(poses_of(np.array(joints)[:, None], cameras=tuple(cameras)))
    assert "degrees off" in found.source
    np.testing.assert_allclose(found.points, np.broadcast_to(found.points[:1], found.points.shape), atol=1e-9)
    for R_up, R in zip(found.R_up_from_cam, turns, strict=True):
        assert angle_deg(R_up @ R @ (0, 1, 0), np.array((0.0, 1, 0))) < 4.1


@pytest.mark.parametrize("marked", [False, True])
@pytest.mark.parametrize("suffix", [".npz", ".json"])
def test_people_decide_where_the_world_is_that_of_a_camera(tmp_path, marked, suffix):
    """The camera itself, or another one of its file; also after the result was saved."""
    if marked:
        camera, R = calibrated(np.eye(3), world_is_camera=True)
    else:
        R = np.diag((1.0, -1.0, -1.0))
        camera = replace(
            CAMERA,
            R_cam_from_world=((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
            t_cam_from_world=(0.0, 0.0, 0.0),
        )
    save(poses_of(in_camera(t_pose(), R)[None, None], cameras=(camera,)), tmp_path / f"poses{suffix}")
    poses = load(tmp_path / f"poses{suffix}")
    assert poses.cameras[0] == camera
    assert upright(poses).source.startswith(
        "estimated from 1 standing poses, since the calibration has the axes of a camera"
    )
    assert upright(poses, "calibration").source.startswith("calibration, ")
