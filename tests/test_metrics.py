"""Errors of poses: known values, what they must not depend on, and an independent Procrustes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import roma
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy import ndarray
from scipy.spatial.transform import Rotation

from zedo_core.metrics import (
    auc,
    bone_errors,
    motion_errors,
    mpjpe,
    pa_mpjpe,
    pck,
    procrustes,
    reprojection_px,
    symmetry_errors,
)
from zedo_core.skeleton import H36M17

SEEDS = st.integers(0, 10_000)


def poses(seed: int, rows: int = 4) -> ndarray:
    return np.random.default_rng(seed).normal(0, 0.4, (rows, 17, 3))


@settings(max_examples=20, deadline=None)
@given(SEEDS)
def test_a_pose_has_no_error_to_itself(seed: int) -> None:
    """1e-12 m is a few thousand roundings of float64; the SVD needs them."""
    pose = poses(seed)
    assert mpjpe(pose, pose, 0).tolist() == [0.0] * 4
    np.testing.assert_allclose(pa_mpjpe(pose, pose), 0, atol=1e-12)


def test_mpjpe_is_relative_to_the_root() -> None:
    truth = poses(0)
    moved = truth + np.array([1.0, -2.0, 3.0])
    np.testing.assert_allclose(mpjpe(moved, truth, 3), 0, atol=1e-12)
    moved[:, 5] += (0.0, 0.3, 0.4)  # 0.5 m in one joint of 17
    np.testing.assert_allclose(mpjpe(moved, truth, 3), 0.5 / 17, rtol=1e-9)
    moved[:, 3] += (0.0, 0.3, 0.4)  # the root with it: now the other 15 are off
    np.testing.assert_allclose(mpjpe(moved, truth, 3), 0.5 * 15 / 17, rtol=1e-9)


@settings(max_examples=20, deadline=None)
@given(SEEDS, st.floats(0.1, 10))
def test_pa_mpjpe_ignores_similarities(seed: int, scale: float) -> None:
    a, b = poses(seed), poses(seed + 1)
    R = Rotation.from_quat(np.random.default_rng(seed).normal(size=(4, 4))).as_matrix()
    turned = scale * a @ np.swapaxes(R, 1, 2) + np.array([3.0, -1.0, 5.0])
    np.testing.assert_allclose(pa_mpjpe(turned, b), pa_mpjpe(a, b), rtol=1e-9)
    np.testing.assert_allclose(pa_mpjpe(turned, a), 0, atol=1e-11)


@settings(max_examples=20, deadline=None)
@given(SEEDS)
def test_pa_mpjpe_sees_a_reflection(seed: int) -> None:
    """A random pose is far from its mirror image: some 0.1 m of its 0.4 m at the least."""
    a = poses(seed)
    assert (pa_mpjpe(a * (-1.0, 1.0, 1.0), a) > 0.05).all()


@settings(max_examples=20, deadline=None)
@given(SEEDS)
def test_procrustes_agrees_with_roma(seed: int) -> None:
    """Two float64 SVDs of well-conditioned 3x3 matrices: 1e-9."""
    a, b = poses(seed), poses(seed + 1)
    b[::2] = a[::2] * (1.0, -1.0, 1.0)  # half of them mirrored, where the sign of the determinant decides
    found: Any = roma.rigid_points_registration(torch.from_numpy(a), torch.from_numpy(b), compute_scaling=True)
    R, t, s = found
    wanted = (s[:, None, None] * torch.from_numpy(a) @ R.mT + t[:, None]).numpy()
    np.testing.assert_allclose(procrustes(a, b), wanted, atol=1e-9)
    np.testing.assert_allclose(pa_mpjpe(a, b), np.linalg.norm(wanted - b, axis=-1).mean(-1), atol=1e-9)


def test_any_batch_shape_and_inputs_stay() -> None:
    a, b = poses(0, 6), poses(1, 6)
    kept = a.copy(), b.copy()
    for metric in (pa_mpjpe, lambda x, y: mpjpe(x, y, 0)):
        flat = metric(a, b)
        assert flat.shape == (6,)
        np.testing.assert_allclose(metric(a.reshape(2, 3, 17, 3), b.reshape(2, 3, 17, 3)).reshape(6), flat, rtol=1e-12)
    np.testing.assert_array_equal(a, kept[0])
    np.testing.assert_array_equal(b, kept[1])


def test_reprojection_ignores_missing_joints() -> None:
    keypoints = np.random.default_rng(0).uniform(0, 1000, (3, 17, 2))
    projected = keypoints + np.array((3.0, 4.0))
    confidence = np.full((3, 17), 0.7)
    np.testing.assert_allclose(reprojection_px(projected, keypoints, confidence), 5.0)
    confidence[:, 4] = 0.0
    keypoints[:, 4] = np.nan
    np.testing.assert_allclose(reprojection_px(projected, keypoints, confidence), 5.0)
    projected[:, 4] = np.nan  # as a camera projects what is behind it
    np.testing.assert_allclose(reprojection_px(projected, keypoints, confidence), 5.0)


def test_reprojection_is_weighted_and_undefined_without_joints() -> None:
    keypoints, projected = np.zeros((2, 2, 2)), np.array([[[3.0, 4.0], [0.0, 1.0]]] * 2)
    got = reprojection_px(projected, keypoints, np.array([[0.25, 0.75], [0.0, 0.0]]))
    assert got[0] == pytest.approx((5 * 0.25 + 1 * 0.75) / 1.0)
    assert np.isnan(got[1])


def test_pck_and_auc_of_a_case_done_by_hand() -> None:
    """Of 31 thresholds 0, 5 .. 150 mm, an error of 0 passes all, one of 100 mm eleven, one of 150 mm one."""
    errors = np.array([[0.0, 0.100, 0.150, 0.1501]])
    assert pck(errors).tolist() == [0.75]
    np.testing.assert_allclose(auc(errors), (31 + 11 + 1) / (4 * 31), rtol=1e-12)


def test_standard_procrustes_does_not_forgive_a_mirrored_pose() -> None:
    pose = poses(3)
    mirrored = pose * np.array([-1.0, 1.0, 1.0])
    assert (pa_mpjpe(mirrored, pose) > 0.05).all()
    np.testing.assert_allclose(pa_mpjpe(mirrored, pose, reflection=True), 0, atol=1e-12)


def test_motion_errors_see_velocity_and_acceleration() -> None:
    """A joint of 17 runs away at 0.17 m a frame, or a frame squared; the motion of the root does not count."""
    truth = np.random.default_rng(0).normal(0, 0.4, (6, 17, 3))
    frame = np.arange(6.0)
    moving, accelerating = truth.copy(), truth.copy()
    moving[:, 4, 0] += 0.17 * frame
    accelerating[:, 4, 0] += 0.17 * frame**2 / 2
    np.testing.assert_allclose(motion_errors(moving, truth, 0, 1), 0.01, rtol=1e-9)
    np.testing.assert_allclose(motion_errors(moving, truth, 0, 2), 0, atol=1e-12)
    np.testing.assert_allclose(motion_errors(accelerating, truth, 0, 2), 0.01, rtol=1e-9)
    drifting = truth + frame[:, None, None]
    np.testing.assert_allclose(motion_errors(drifting, truth, 0, 1), 0, atol=1e-12)


def test_bones_and_symmetry_of_a_body_with_one_long_thigh() -> None:
    pose = poses(1, 2)
    hip, knee = H36M17.index("left_hip"), H36M17.index("left_knee")
    thigh = np.linalg.norm(pose[:, knee] - pose[:, hip], axis=-1)
    longer = pose.copy()
    below = [knee, H36M17.index("left_ankle")]
    longer[:, below] += (pose[:, knee] - pose[:, hip])[:, None]  # the thigh is twice as long, the shin as it was
    np.testing.assert_allclose(bone_errors(longer, pose, H36M17.edges), thigh / len(H36M17.edges), rtol=1e-9)
    even = np.stack([pose[0], pose[0]])
    even[:, list(H36M17.mirror)] = even * np.array([-1.0, 1.0, 1.0])
    both = (pose[:1] + (even * 1.0)[:1]) / 2  # the mean of a pose and its mirror image is symmetric
    np.testing.assert_allclose(symmetry_errors(both, H36M17.bone_pairs), 0, atol=1e-12)
    assert len(H36M17.bone_pairs) == 6 and symmetry_errors(longer, H36M17.bone_pairs).min() > 0
