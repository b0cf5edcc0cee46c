"""Frames that are not evenly spaced in time: true times where a format has them, otherwise a fixed rate."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from animation_readers import Glb, bvh_joints, bvhio
from export_cases import clip, in_camera, poses_of, t_pose
from test_export_biomechanics import read_mot
from test_export_tables import read_trc

from zedo_core.export import save
from zedo_core.export._timing import resample, resample_rotations, timing
from zedo_core.motions.upright import upright
from zedo_core.skeleton import H36M17

# A phone in the dark: two seconds at 30 frames a second, then two at 15.
TIMES_S = np.concatenate([np.arange(60) / 30, 2 + np.arange(30) / 15])
SPEED = np.array((0.5, 0.0, 0.0))  # m/s


def walker(**fields):
    """A person in a T-pose who glides to the right at a constant speed."""
    joints = in_camera(t_pose() + TIMES_S[:, None, None] * SPEED)
    return poses_of(joints[:, None], **{"fps": 22.5, "times_s": TIMES_S} | fields)


def test_trc_and_glb_have_the_true_times(tmp_path):
    save(walker(), tmp_path / "poses.trc")
    header, _, numbers, times, _ = read_trc(tmp_path / "poses.trc")
    np.testing.assert_allclose(times, TIMES_S, atol=1e-6)
    assert times[60] == pytest.approx(2.0) and numbers.tolist() == list(range(1, 91))
    assert float(header["DataRate"]) == pytest.approx(89 / TIMES_S[-1], abs=1e-3)
    save(walker(), tmp_path / "poses.glb")
    np.testing.assert_allclose(Glb(tmp_path / "poses.glb").times, TIMES_S, atol=1e-6)


@pytest.mark.parametrize("start_s", [0.0, 90.0])
def test_bvh_and_c3d_are_resampled_and_say_so(tmp_path, caplog, start_s):
    ezc3d = pytest.importorskip("ezc3d")
    poses = walker(times_s=TIMES_S + start_s)
    at_s = np.arange(119) / 30  # to the last frame, at the rate of most of them
    expected = upright(poses).points[0] + at_s[:, None, None] * SPEED
    with caplog.at_level(logging.WARNING):
        save(poses, tmp_path / "poses.bvh")
        save(poses, tmp_path / "poses.c3d")
    said = "the 90 frames are not evenly spaced in time; resampled to 119 frames at 30 frames per second"
    assert caplog.messages == [f"poses.bvh: {said}", f"poses.c3d: {said}"]
    assert bvhio.readAsBvh(str(tmp_path / "poses.bvh")).FrameTime == pytest.approx(1 / 30, abs=1e-6)
    np.testing.assert_allclose(bvh_joints(tmp_path / "poses.bvh"), expected, atol=1e-4)
    file = ezc3d.c3d(str(tmp_path / "poses.c3d"))
    assert file["parameters"]["POINT"]["RATE"]["value"] == [30.0]
    found = file["data"]["points"][:3].transpose(2, 1, 0) / 1000
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_rotation_is_resampled_at_constant_speed(tmp_path):
    spins = [t_pose() @ [[np.cos(a), 0, -np.sin(a)], [0, 1, 0], [np.sin(a), 0, np.cos(a)]] for a in TIMES_S]
    poses = poses_of(in_camera(np.array(spins))[:, None], fps=22.5, times_s=TIMES_S)
    save(poses, tmp_path / "poses.bvh", up="camera")
    across = bvh_joints(tmp_path / "poses.bvh") @ [1.0, 0.0, 0.0], bvh_joints(tmp_path / "poses.bvh") @ [0.0, 0.0, 1.0]
    x, z = (side[:, H36M17.index("left_wrist")] - side[:, H36M17.index("right_wrist")] for side in across)
    np.testing.assert_allclose(np.unwrap(np.arctan2(z, x)), -np.arange(119) / 30, atol=1e-4)


def test_missing_joints_stay_missing_in_c3d(tmp_path):
    ezc3d = pytest.importorskip("ezc3d")
    joints = in_camera(t_pose() + TIMES_S[:, None, None] * SPEED)[:, None]
    joints[70:75] = np.nan  # 2.667 to 2.933 s: frames 80 to 88 of 30 frames a second, and those beside
    save(poses_of(joints, fps=22.5, times_s=TIMES_S), tmp_path / "poses.c3d")
    points = ezc3d.c3d(str(tmp_path / "poses.c3d"))["data"]["points"][0, 0]
    np.testing.assert_array_equal(np.flatnonzero(np.isnan(points)), np.arange(79, 90))


@pytest.mark.parametrize("times_s", [np.arange(25) / 30 + 7, np.round(np.arange(25) / 30, 3), None])
def test_evenly_spaced_frames_are_left_alone(tmp_path, caplog, times_s):
    poses = clip(fps=30.0, times_s=times_s)
    for suffix in (".bvh", ".trc"):
        save(poses, tmp_path / f"poses{suffix}")
    assert not caplog.messages
    _, _, _, times, _ = read_trc(tmp_path / "poses.trc")
    np.testing.assert_allclose(times, np.arange(25) / 30, atol=1e-6)
    np.testing.assert_allclose(bvh_joints(tmp_path / "poses.bvh"), upright(poses).points, atol=1e-4)


def test_frames_between_get_times_between(tmp_path):
    numbers, times_s = np.array([0, 1, 2, 6]), np.array([0.0, 0.1, 0.3, 0.7])
    poses = poses_of(in_camera(np.stack([t_pose()] * 4))[:, None], frame_numbers=numbers, times_s=times_s)
    save(poses, tmp_path / "poses.trc")
    _, _, _, times, _ = read_trc(tmp_path / "poses.trc")
    np.testing.assert_allclose(times, times_s, atol=1e-6)
    _, table = read_mot(save(poses, tmp_path / "poses.mot")[0])  # which has no gaps
    np.testing.assert_allclose(table["time"], [0, 0.1, 0.3, 0.4, 0.5, 0.6, 0.7], atol=1e-6)


def test_a_long_pause_takes_bounded_memory():
    times_s = np.concatenate([np.arange(10) / 100, [1e9]])
    fixed = timing(times_s, np.arange(11), 30.0).at_fixed_rate()
    assert len(fixed.times_s) <= 12


@pytest.mark.parametrize("times_s", [[0.0, 0.2, 0.1], [0.0, np.nan, 1.0], [0.0, 0.0, 0.0]])
def test_times_that_do_not_increase_are_not_used(times_s):
    np.testing.assert_allclose(timing(np.array(times_s), np.arange(3), 25.0).times_s, [0, 0.04, 0.08])


def test_resampling_agrees_with_numpy_and_gives_the_frames_themselves():
    rng = np.random.default_rng(0)
    times_s, values = np.cumsum(rng.uniform(0.01, 0.1, 20)), rng.normal(size=(20, 3))
    at_s = np.concatenate([rng.uniform(times_s[0], times_s[-1], 50), times_s])
    expected = np.stack([np.interp(at_s, times_s, column) for column in values.T], axis=1)
    np.testing.assert_allclose(resample(values, times_s, at_s), expected, atol=1e-6)
    from scipy.spatial.transform import Rotation

    rotations = Rotation.from_rotvec(rng.normal(size=(20, 3))).as_matrix()[:, None]
    np.testing.assert_allclose(resample_rotations(rotations, times_s, times_s), rotations, atol=1e-9)
