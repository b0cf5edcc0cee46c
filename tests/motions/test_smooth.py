"""Smoothing over time: invariants, noise reduction against theory, and robustness to outliers."""

from __future__ import annotations

from dataclasses import replace

import export_cases
import numpy as np
import pytest
from typer.testing import CliRunner

import zedo_core as zedo
from zedo_cli.app import app
from zedo_core.camera import Camera
from zedo_core.errors import InputError
from zedo_core.motions import DEFAULT_SMOOTHING
from zedo_core.motions.smooth import ACROSS, STRENGTHS, smooth_motion
from zedo_core.motions.timeline import LONGEST_GAP_S
from zedo_core.skeleton import H36M17
from zedo_core.types import Poses, Provenance

FPS = 30.0
CAMERA = Camera(fx=1000.0, fy=1000.0, cx=500.0, cy=500.0, size=(1001, 1001))
OFF_AXIS_M = np.array([0.3, -0.2, 4.0])  # in front of the camera, off its axis
BODY = OFF_AXIS_M + np.random.default_rng(0).normal(0.0, 0.4, (len(H36M17), 3))


def poses_of(joints: np.ndarray, frames: np.ndarray | None = None, times_s: np.ndarray | None = None) -> Poses:
    """Poses with motions (t, j, 3) or (t, p, j, 3) as the second of two hypotheses; NaN for absent people."""
    joints = joints if joints.ndim == 4 else joints[:, None]
    t, p, j, _ = joints.shape
    return export_cases.poses_of(
        np.stack([joints + 1.0, joints], axis=2),
        score=np.zeros((t, p, 2)),
        chosen=np.ones((t, p), int),
        spread=np.full((t, p, j), 0.1),
        cameras=(CAMERA,),
        frame_numbers=np.arange(t) if frames is None else frames,
        provenance=Provenance(method="zedo", weights="w", weights_sha256="0", version="0", options={"seed": 0}),
        fps=FPS,
        times_s=times_s,
    )


def swinging(frames: int, hz: float = 0.5) -> np.ndarray:
    """A body that sways towards the camera and back."""
    return BODY + 0.3 * np.sin(2 * np.pi * hz * np.arange(frames) / FPS)[:, None, None] * (0.2, 0.1, 1.0)


def jittering(frames: int, sigma_m: float = 0.02, seed: int = 1) -> np.ndarray:
    """`swinging` with random noise in every frame, the same for all joints."""
    return swinging(frames) + np.random.default_rng(seed).normal(0, sigma_m, (frames, 1, 3))


def smoothed(joints: np.ndarray, strength: str = "light", **known: np.ndarray) -> np.ndarray:
    found = zedo.smooth(poses_of(joints, **known), strength).dense().best
    return found if joints.ndim == 4 else found[:, 0]


@pytest.mark.parametrize("strength", ["light", "strong"])
@pytest.mark.parametrize("count", [1, 2, 3, 4, 50])
def test_constant_velocity_is_unchanged(strength, count):
    """A person who stands still or walks straight ahead, at uneven times."""
    times_s = np.cumsum(np.random.default_rng(1).uniform(0.01, 0.09, count))
    for velocity in ((0.0, 0.0, 0.0), (1.5, -0.5, 2.0)):
        walk = BODY + times_s[:, None, None] * np.array(velocity)
        np.testing.assert_allclose(smoothed(walk, strength, times_s=times_s), walk, atol=1e-7)


@pytest.mark.parametrize("strength", ["light", "strong"])
def test_depth_noise_is_reduced_as_predicted(strength):
    """Remaining variance of white noise: mean over frequencies of the squared gain 1 / (1 + lambda (2 sin w/2)^4)."""
    frequency = STRENGTHS[strength]
    assert frequency is not None
    w = np.linspace(0, np.pi, 20_001)
    gain = 1 / (1 + (2 * np.sin(w / 2) * FPS / (2 * np.pi * frequency)) ** 4)
    noise = np.random.default_rng(2).normal(0, 0.005, (3000, len(H36M17), 1))
    rays = BODY / np.linalg.norm(BODY, axis=-1, keepdims=True)
    left = ((smoothed(BODY + noise * rays, strength) - BODY) * rays).sum(-1)[50:-50]
    # 17 joints of 3000 frames, of which about 20 are correlated: the variance is known to 3 %
    assert np.var(left) / np.var(noise) == pytest.approx(np.mean(gain**2), rel=0.06)


def test_noise_across_the_rays_is_reduced_as_predicted():
    """The cut-off frequency across the rays is ACROSS^(1/4) times as high."""
    frequency = 3.0 * ACROSS**0.25
    w = np.linspace(0, np.pi, 20_001)
    gain = 1 / (1 + (2 * np.sin(w / 2) * FPS / (2 * np.pi * frequency)) ** 4)
    noise = np.random.default_rng(3).normal(0, 0.005, 3000)
    still = np.tile((0.0, 0.0, 4.0), (len(noise), len(H36M17), 1))
    still[:, 0, 0] += noise
    left = smoothed(still)[50:-50, 0, 0]
    assert np.var(left) / np.var(noise) == pytest.approx(np.mean(gain**2), rel=0.1)


def test_zero_phase():
    """A slow sway is neither delayed nor reduced: the gain at 0.5 Hz is 1 / (1 + (0.5 / 3)^4)."""
    sway = swinging(240)
    middle = slice(60, 180)
    np.testing.assert_allclose(smoothed(sway)[middle], sway[middle], atol=1e-3)
    backwards = smoothed(sway[::-1].copy())[::-1]
    np.testing.assert_allclose(smoothed(sway), backwards, atol=1e-9)


@pytest.mark.parametrize("strength", ["light", "strong"])
@pytest.mark.parametrize("frames", [1, 2])
def test_a_flip_in_depth_does_not_spread(strength, frames):
    """A wrist 40 cm off along its ray for a frame or two moves its neighbours by no more than 3 cm."""
    sway, wrist = swinging(90), H36M17.index("left_wrist")
    flipped = sway.copy()
    flipped[45 : 45 + frames, wrist] *= 1 - 0.4 / np.linalg.norm(sway[45, wrist])
    found, clean = smoothed(flipped, strength), smoothed(sway, strength)
    moved = np.linalg.norm(found - clean, axis=-1)
    assert moved[45 : 45 + frames].max() < 0.05  # of 0.4: the outlier itself is corrected
    moved[45 : 45 + frames] = 0
    assert moved.max() < 0.03
    assert np.delete(moved, wrist, axis=1).max() == 0


def test_walking_after_standing_is_not_an_outlier():
    t = np.arange(120) / FPS
    walk = np.tile(BODY, (120, 1, 1))
    walk[:, 0, 2] += np.where(t > 2, 0.25 * (1 - np.cos(2 * np.pi * (t - 2))), 0)
    assert np.abs(smoothed(walk) - walk).max() < 0.02


@pytest.mark.parametrize("strength", ["light", "strong"])
def test_projections_barely_change(strength):
    """Depths that jitter by 10 cm at 4 m are corrected while projections move by less than a pixel of 1000."""
    truth = swinging(90)
    jitter = truth * (1 + np.random.default_rng(4).normal(0, 0.025, (90, len(H36M17), 1)))
    found = smoothed(jitter, strength)
    assert np.linalg.norm(found - truth, axis=-1).mean() < 0.6 * np.linalg.norm(jitter - truth, axis=-1).mean()
    moved = np.linalg.norm(CAMERA.project(found) - CAMERA.project(jitter), axis=-1)
    assert moved.mean() < 1.0 and moved.max() < 8.0


def test_gaps_are_not_filled_and_long_ones_split_motions():
    sway = swinging(60)
    sway[20:25] = np.nan  # short: one motion
    sway[40] = np.nan
    poses = zedo.smooth(poses_of(sway))
    np.testing.assert_array_equal(poses.frame, poses_of(sway).frame)
    assert not np.isin([*range(20, 25), 40], poses.frame).any()
    long = np.arange(60) + np.where(np.arange(60) >= 30, round(LONGEST_GAP_S * FPS) + 1, 0)
    jitter = jittering(60)
    whole = smoothed(jitter, frames=long)
    np.testing.assert_allclose(whole[:30], smoothed(jitter[:30]), atol=1e-12)
    np.testing.assert_allclose(whole[30:], smoothed(jitter[30:]), atol=1e-12)
    assert np.abs(smoothed(jitter)[29] - whole[29]).max() > 1e-3  # the split makes a difference


def test_missing_frames_count_as_time():
    """Every other frame of a smooth motion is left out: the same motion at half the rate."""
    sway = swinging(240)
    thinned = smoothed(sway[::2], frames=np.arange(0, 240, 2))
    np.testing.assert_allclose(thinned[30:90], sway[::2][30:90], atol=2e-3)


def test_people_are_smoothed_independently():
    one, other = jittering(40), jittering(40, 0.3, seed=2)
    other[10:20] = np.nan
    together = smoothed(np.stack([one, other], axis=1))
    np.testing.assert_array_equal(together[:, 0], smoothed(one))


def test_other_hypotheses_and_the_argument_are_unchanged():
    poses = poses_of(jittering(30, 0.05))
    before = poses.joints.copy()
    found = zedo.smooth(poses, "strong")
    np.testing.assert_array_equal(poses.joints, before)
    np.testing.assert_array_equal(found.joints[:, 0], before[:, 0])
    assert np.abs(found.best - poses.best).max() > 0.01
    assert found.provenance.options == {"seed": 0, "smooth": "strong"}


def test_off_and_unknown():
    poses = poses_of(swinging(5))
    np.testing.assert_array_equal(zedo.smooth(poses, "off").joints, poses.joints)
    assert zedo.smooth(poses, "off").provenance.options["smooth"] == "off"
    assert DEFAULT_SMOOTHING in STRENGTHS
    with pytest.raises(InputError, match="expected a smoothing strength of off, light, strong, got 'much'"):
        zedo.smooth(poses, "much")


def test_times_that_do_not_increase_are_replaced_by_frame_numbers():
    """All pictures in a folder have time 0."""
    jitter = jittering(30)
    np.testing.assert_array_equal(smoothed(jitter, times_s=np.zeros(30)), smoothed(jitter))
    unknown = replace(poses_of(jitter), fps=None)
    np.testing.assert_array_equal(zedo.smooth(unknown).best, smoothed(jitter))


def test_no_people_and_poses_behind_the_camera():
    absent = poses_of(np.full((4, *BODY.shape), np.nan))
    assert len(zedo.smooth(absent)) == 0
    behind = swinging(10)
    behind[5, 0, 2] = -0.1
    np.testing.assert_array_equal(smoothed(behind)[5], behind[5])
    assert np.isfinite(smoothed(behind)).all()


def test_the_stated_sum_is_minimised():
    """Against scipy's general least squares, for depths without outliers, at uneven times."""
    from scipy.optimize import lsq_linear

    rng = np.random.default_rng(6)
    times_s = np.cumsum(rng.uniform(0.02, 0.05, 12))
    joint = np.array([0.2, -0.1, 3.0]) + rng.normal(0, 0.004, (12, 3))
    strength = (2 * np.pi * 3.0) ** -4 / np.median(np.diff(times_s))
    rows, right = [], []
    for t, point in enumerate(joint):
        ray = point / np.linalg.norm(point)
        across = np.linalg.svd(ray[None])[2][1:]
        for direction, weight in ((ray, 1.0), *((a, ACROSS) for a in across)):
            row = np.zeros((12, 3))
            row[t] = np.sqrt(weight) * direction
            rows.append(row.ravel())
            right.append(np.sqrt(weight) * direction @ point)
    for t in range(1, 11):
        a, b, c = times_s[t - 1 : t + 2]
        second = 2 * np.array([1 / ((b - a) * (c - a)), -1 / ((b - a) * (c - b)), 1 / ((c - b) * (c - a))])
        for axis in range(3):
            row = np.zeros((12, 3))
            row[t - 1 : t + 2, axis] = second * np.sqrt(strength * (c - a) / 2)
            rows.append(row.ravel())
            right.append(0.0)
    expected = lsq_linear(np.array(rows), np.array(right)).x.reshape(12, 3)
    np.testing.assert_allclose(smooth_motion(joint[:, None], times_s, 3.0)[:, 0], expected, atol=1e-8)


def test_infer_smooths_and_records_the_strength(tmp_path):
    """`zedo infer` fits the motion by default; `--smooth light` smooths, `--motion off` leaves the lifted poses."""
    from infer_cases import demo_keypoints

    found = {}
    for strength in ("light", "off", None):
        words = [] if strength is None else ["--smooth", strength]
        out = tmp_path / str(strength)
        result = CliRunner().invoke(
            app, ["infer", str(demo_keypoints()[0]), "--out", str(out), "--iterations", "5", "--hypo", "1", *words]
        )
        assert result.exit_code == 0, result.stderr
        found[strength] = zedo.load(out / "poses.npz")
    assert found[None].provenance.options["motion"] == "full"
    assert found[None].contact is not None and found["light"].contact is None
    assert found["light"].provenance.options["smooth"] == "light"
    expected = zedo.smooth(found["off"])
    np.testing.assert_allclose(found["light"].joints, expected.joints, atol=1e-6)
    assert np.abs(found["off"].joints - expected.joints).max() > 1e-3


def test_infer_refuses_an_unknown_strength(tmp_path):
    from infer_cases import demo_keypoints

    result = CliRunner().invoke(
        app, ["infer", str(demo_keypoints()[0]), "--out", str(tmp_path / "o"), "--smooth", "much"]
    )
    assert result.exit_code != 0
    assert "off, light, strong" in result.stderr
