"""One body and one trajectory per track: invariants, recovery of a known motion, gaps, strangers and contacts."""

from __future__ import annotations

from dataclasses import replace

import export_cases
import numpy as np
import pytest

import zedo_core as zedo
from zedo_core.camera import Camera
from zedo_core.data.mocap_clips import clips, motions
from zedo_core.errors import InputError
from zedo_core.metrics import bone_lengths, pa_mpjpe
from zedo_core.motions import fit
from zedo_core.motions.body import Body, body_lengths
from zedo_core.motions.contact import contacts
from zedo_core.motions.fit import Observations, _solve_banded, fit_motion
from zedo_core.motions.height import standing_heights_m
from zedo_core.motions.motion import motion
from zedo_core.motions.segments import Segments
from zedo_core.skeleton import H36M17
from zedo_core.types import Keypoints, Poses, Provenance

FPS = 30.0
EYE = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
CAMERA = Camera(fx=1000.0, fy=1000.0, cx=500.0, cy=500.0, size=(1001, 1001))


@pytest.fixture(scope="module")
def walk() -> np.ndarray:
    """A clip of motion capture (t, j, 3) in front of the camera."""
    samples = clips(motions(None, "test"))
    joints = samples.joints_cam[samples.sequence == samples.sequence[0]]
    return joints - joints[0, 0] + (0.3, -0.1, 5.0)


def seen(walk: np.ndarray, noise_px: float = 0.0) -> Keypoints:
    xy = CAMERA.project(walk) + np.random.default_rng(3).normal(0, noise_px, (*walk.shape[:2], 2))
    return Keypoints.from_dense(xy[:, None], np.ones((len(walk), 1, len(H36M17))), H36M17, fps=FPS)


def lifted(walk: np.ndarray, error_m: float = 0.04, hypotheses: int = 5) -> Poses:
    """Hypotheses on the rays whose depths err, each frame and joint by itself, and whose sizes vary by 5 %."""
    rng = np.random.default_rng(4)
    depth = rng.normal(0, error_m, (len(walk), 1, hypotheses, len(H36M17), 1))
    size = rng.normal(1, 0.05, (len(walk), 1, hypotheses, 1, 1))
    joints = size * walk[:, None, None] * (1 + depth / walk[:, None, None, :, 2:])
    return export_cases.poses_of(
        joints,
        track_ids=(0,),
        score=-rng.uniform(0.05, 0.07, joints.shape[:3]),
        chosen=np.zeros(joints.shape[:2], int),
        spread=np.full((len(walk), 1, len(H36M17)), error_m),
        cameras=(CAMERA,),
        frame_numbers=np.arange(len(walk)),
        provenance=Provenance(method="zedo", weights="w", weights_sha256="0", version="0", options={}),
        fps=FPS,
        times_s=None,
    )


def error_mm(poses: Poses, walk: np.ndarray) -> float:
    return 1000 * float(pa_mpjpe(poses.best.astype(float), walk[poses.frame]).mean())


def test_bones_keep_their_length_and_sides_are_equal(walk):
    best = motion(lifted(walk), seen(walk)).best.astype(float)
    lengths = bone_lengths(best, H36M17.edges)
    np.testing.assert_allclose(lengths, np.tile(lengths[0], (len(walk), 1)), rtol=1e-5)  # results are float32
    for left, right in H36M17.bone_pairs:
        np.testing.assert_allclose(bone_lengths(best, [left]), bone_lengths(best, [right]), rtol=1e-5)


@pytest.mark.parametrize("noise_px", [0.0, 3.0])
def test_better_than_smoothing(walk, noise_px):
    """Near the truth but for the size, which nothing tells (and noise makes bones longer)."""
    poses, keypoints = lifted(walk), seen(walk, noise_px)
    full, light = (error_mm(motion(poses, keypoints, mode=mode), walk) for mode in ("full", "light"))
    assert full < 0.9 * light
    assert full < 15


def test_keypoints_are_optional(walk):
    assert error_mm(motion(lifted(walk)), walk) == pytest.approx(
        error_mm(motion(lifted(walk), seen(walk)), walk), abs=5
    )


def test_gaps_are_bridged_and_marked(walk):
    poses, keypoints = lifted(walk), seen(walk)
    gap = (poses.frame >= 10) & (poses.frame < 15)
    found = motion(poses.take(~gap), keypoints.take(~gap))
    assert found.frame[found.filled].tolist() == list(range(10, 15))
    assert error_mm(found.take(found.filled), walk) < 25


def test_what_is_too_small_for_the_person_is_bridged(walk):
    """Keypoints that shrink to a point for three frames, as detectors do where a person is hidden."""
    poses, keypoints = lifted(walk), seen(walk)
    xy = keypoints.xy.copy()
    xy[12:15] = xy[12:15, :1] + 0.1 * (xy[12:15] - xy[12:15, :1])
    joints = poses.joints.copy()
    joints[12:15] *= 10
    found = motion(replace(poses, joints=joints), replace(keypoints, xy=xy))
    assert np.flatnonzero(found.filled).tolist() == [12, 13, 14]
    speed_m_s = np.linalg.norm(np.diff(found.best[:, 0], axis=0), axis=-1) * FPS
    assert speed_m_s.max() < 5


def test_uneven_times(walk):
    """Every third frame is dropped: those that remain come out as with all frames, but for the size."""
    poses, keypoints = lifted(walk), seen(walk)
    times_s = np.arange(len(walk)) / FPS
    kept = np.flatnonzero(np.arange(len(walk)) % 3 != 1)
    clip = {"frame_numbers": np.arange(len(kept)), "times_s": times_s[kept], "frame": np.arange(len(kept))}
    few = motion(replace(poses.take(kept), **clip), replace(keypoints.take(kept), **clip))
    every = motion(replace(poses, times_s=times_s), replace(keypoints, times_s=times_s))
    assert pa_mpjpe(few.best.astype(float), every.best[kept].astype(float)).mean() < 0.015


@pytest.mark.parametrize("count", [1, 2, 3])
def test_few_frames(walk, count):
    found = motion(lifted(walk[:count]), seen(walk[:count]))
    assert np.isfinite(found.best).all()
    assert error_mm(found, walk) < 80


def test_people_who_are_never_complete_stay(walk):
    poses = lifted(walk)
    joints = poses.joints.copy()
    joints[..., H36M17.index("left_ankle"), :] = np.nan
    found = motion(replace(poses, joints=joints), seen(walk))
    assert np.isnan(found.best[:, H36M17.index("left_ankle")]).all()
    assert found.contact is not None and not found.contact.any()


def test_time_reversal(walk):
    """Nothing is causal: a motion backwards is fitted as it is forwards."""
    forward = motion(lifted(walk), seen(walk)).best
    poses, keypoints = lifted(walk), seen(walk)
    back = motion(
        replace(poses, **{name: getattr(poses, name)[::-1] for name in ("joints", "score", "spread")}),
        replace(keypoints, xy=keypoints.xy[::-1]),
    ).best
    np.testing.assert_allclose(back[::-1], forward, atol=0.01)


def test_a_camera_that_moves_knows_no_standing_feet(walk):
    moving = [replace(CAMERA, R_cam_from_world=EYE, t_cam_from_world=(0.01 * t, 0.0, 0.0)) for t in range(len(walk))]
    found = motion(replace(lifted(walk), cameras=tuple(moving)), seen(walk))
    assert found.contact is None
    assert error_mm(found, walk) < 20


def test_without_a_ground_no_foot_is_held(walk):
    found = motion(lifted(walk), seen(walk), ground=False)
    assert found.contact is None
    assert error_mm(found, walk) < 20


def test_measured_segments_hold(walk):
    found = motion(lifted(walk), seen(walk), segments=Segments({"thigh": 0.5, "trunk": 0.6}))
    bones = [(H36M17.index(a), H36M17.index(b)) for a, b in (("left_hip", "left_knee"), ("right_hip", "right_knee"))]
    np.testing.assert_allclose(bone_lengths(found.best, bones), 0.5, atol=1e-4)


def test_given_heights_hold(walk):
    found = motion(lifted(walk), seen(walk), heights=1.6)
    assert standing_heights_m(found)[0] == pytest.approx(1.6, abs=1e-3)


def test_keypoints_of_others(walk):
    others = seen(walk)
    with pytest.raises(InputError, match="expected keypoints of the people and frames of the poses"):
        motion(lifted(walk), replace(others, track=others.track + 7))


def test_unknown_mode():
    with pytest.raises(InputError, match="expected a motion of off, light, strong, full, got 'soft'"):
        motion(lifted(np.zeros((1, 17, 3)) + 5), mode="soft")


def test_saved_with_contacts(walk, tmp_path):
    found = motion(lifted(walk), seen(walk))
    assert found.contact is not None and 0 < found.contact.mean() < 1
    for suffix in ("npz", "json"):
        zedo.save(found, tmp_path / f"poses.{suffix}")
        np.testing.assert_array_equal(zedo.load(tmp_path / f"poses.{suffix}").contact, found.contact)
    assert found.table()["contact"].sum() == found.contact.sum()


def test_lengths_of_a_body():
    """Exact lengths come back in proportion; what is seen badly is drawn towards the proportions of adults."""
    rng = np.random.default_rng(0)
    lengths = body_lengths(walk_of(rng, 2000), np.full((2000, 17), 0.02), H36M17)
    assert lengths.sum() == pytest.approx(4.0, rel=0.02)
    few = body_lengths(walk_of(rng, 1), np.full((1, 17), 0.3), H36M17)
    assert lengths[H36M17.bones.index(("left_hip", "pelvis"))] == pytest.approx(0.25, rel=0.05)
    assert few[H36M17.bones.index(("left_hip", "pelvis"))] < 0.2


def walk_of(rng: np.random.Generator, count: int) -> np.ndarray:
    """Random poses in which every bone has 0.25 m."""
    body = Body(H36M17, np.full(16, 0.25))
    directions = rng.normal(size=(count, 16, 3))
    return body.relative(directions / np.linalg.norm(directions, axis=-1, keepdims=True))


def test_banded_solution_against_a_dense_one():
    rng, t, k = np.random.default_rng(1), 5, 4
    full = rng.normal(size=(t * k, t * k))
    full = full @ full.T + 50 * np.eye(t * k)
    frame = np.arange(t * k) // k
    full[np.abs(frame[:, None] - frame) > 2] = 0
    H = np.zeros((t, k, 4 * k))
    for i in range(t):
        block = full[i * k : (i + 1) * k, i * k : min(i + 3, t) * k]
        H[i, :, : block.shape[1]] = block
    right = rng.normal(size=(t, k))
    np.testing.assert_allclose(_solve_banded(H, right).ravel(), np.linalg.solve(full, right.ravel()), rtol=1e-9)


def test_exact_observations_are_a_fixed_point(walk):
    body = Body(H36M17, bone_lengths(walk, H36M17.edges).mean(0))
    still = np.tile(walk[:1], (10, 1, 1))
    known = Observations(
        times_s=np.arange(10) / FPS,
        slopes=still[..., :2] / still[..., 2:],
        noise=np.full((10, 17), 0.002),
        hypotheses=(still - still[:, :1])[:, None],
        error_m=np.full((10, 1), 0.05),
        spread_m=np.full((10, 17), 0.05),
        start=still,
        standing=np.zeros((10, 17)),
    )
    np.testing.assert_allclose(fit_motion(known, body), still, atol=1e-3)


def test_contacts_of_a_step():
    """One foot stands all the time; the other is lifted, swings, and stands again."""
    times_s = np.arange(60) / FPS
    joints = np.tile((0.0, 0.0, 4.0), (60, 17, 1))
    swing = np.clip((times_s - 0.6) / 0.6, 0, 1)
    left = H36M17.index("left_ankle")
    joints[:, left, 0] += swing
    joints[:, left, 1] -= 0.3 * np.sin(np.pi * swing)
    found = contacts(joints, times_s, np.array((0.0, -1.0, 0.0)), H36M17)
    assert found[:, 1].all()
    assert found[:16, 0].all() and found[40:, 0].all() and not found[20:34, 0].any()


def test_windows_of_long_motions_fit_together(walk, monkeypatch):
    poses, keypoints = lifted(walk), seen(walk)
    whole = motion(poses, keypoints).best
    monkeypatch.setattr(fit, "_WINDOW", 10)
    monkeypatch.setattr(fit, "_OVERLAP", 8)
    assert np.linalg.norm(motion(poses, keypoints).best - whole, axis=-1).mean() < 0.02
