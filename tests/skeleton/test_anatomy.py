"""Anatomical limits, on constructed poses and on motion capture."""

from __future__ import annotations

import numpy as np
import pytest
from numpy import ndarray
from train_cases import standing

from zedo_core.data import mocap_clips
from zedo_core.skeleton import COCO17, H36M17, LSP14, Skeleton
from zedo_core.skeleton.anatomy import asymmetry, within_limits


def bent(joint: str, below: tuple[str, ...], axis: tuple[float, ...], degrees: float) -> ndarray:
    """The standing person with the joints `below` rotated about `joint`."""
    pose = standing().numpy().astype(float)
    centre, moved = H36M17.index(joint), H36M17.indices(below)
    k, angle = np.array(axis), np.radians(degrees)
    bone = pose[moved] - pose[centre]
    rotated = bone * np.cos(angle) + np.cross(k, bone) * np.sin(angle) + np.outer(bone @ k, k) * (1 - np.cos(angle))
    pose[moved] = pose[centre] + rotated
    return pose[None]


@pytest.mark.parametrize(
    ("pose", "valid"),
    [
        (bent("left_knee", ("left_ankle",), (1, 0, 0), 90), True),  # backwards: the person faces z, y is up
        (bent("left_knee", ("left_ankle",), (1, 0, 0), -60), False),
        (bent("right_knee", ("right_ankle",), (1, 0, 0), -60), False),
        (bent("left_elbow", ("left_wrist",), (1, 0, 0), -120), True),
        (bent("left_elbow", ("left_wrist",), (1, 0, 0), -178), False),
        (bent("spine", ("thorax", "neck_nose", "head_top"), (1, 0, 0), 150), False),
    ],
)
def test_limits_of_single_joints(pose: ndarray, valid: bool) -> None:
    assert within_limits(pose, H36M17).item() == valid
    R = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    R *= np.sign(np.linalg.det(R))
    assert within_limits(pose @ R.T, H36M17).item() == valid  # in any axes


@pytest.mark.parametrize("skeleton", [H36M17, LSP14], ids=lambda s: s.name)
def test_real_poses_are_within_limits_and_their_mirror_images_are_not(skeleton: Skeleton) -> None:
    """With left and right swapped the knees bend forwards; people standing with straight legs still pass."""
    poses = mocap_clips.load(None).joints_cam[:, H36M17.indices(skeleton.joints)]
    assert within_limits(poses, skeleton).mean() > 0.99
    assert within_limits(poses[:, skeleton.mirror], skeleton).mean() < 0.3


def test_joints_missing_from_the_set_are_not_checked() -> None:
    assert within_limits(np.random.default_rng(0).normal(size=(3, len(COCO17), 3)), COCO17).shape == (3,)


def test_asymmetry_is_that_of_the_worst_pair() -> None:
    pose = standing().numpy().astype(float)[None]
    assert asymmetry(pose, H36M17).item() == pytest.approx(0, abs=1e-6)
    knee, ankle = H36M17.index("left_knee"), H36M17.index("left_ankle")
    pose[0, ankle] = pose[0, knee] + 1.2 * (pose[0, ankle] - pose[0, knee])
    assert asymmetry(pose, H36M17).item() == pytest.approx(0.2 / 1.1, rel=1e-5)
