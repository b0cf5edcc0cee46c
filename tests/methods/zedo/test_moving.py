"""People seen in several frames: the mean motion of Diff3DHPE comes first, at ZeDO's distance."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import zedo_core as zedo
from zedo_core.data.mocap_clips import CAMERA, sample_keypoints
from zedo_core.methods.zedo.lifter import ZedoLifter
from zedo_core.methods.zedo.loading import load
from zedo_core.methods.zedo.options import preset
from zedo_core.types import Keypoints, Lifted

LONG, SHORT = 20, 5


@pytest.fixture(scope="module")
def lifter() -> ZedoLifter:
    return load()


@pytest.fixture(scope="module")
def people() -> Keypoints:
    """Two people: the second is seen in a few frames only."""
    rows = sample_keypoints(LONG + SHORT)
    track = np.repeat([0, 1], [LONG, SHORT])
    return replace(rows, track=track, times_s=rows.frame_numbers / 30)


@pytest.fixture(scope="module")
def alone(lifter: ZedoLifter, people: Keypoints) -> Lifted:
    """Each frame alone."""
    return replace(lifter, sequence=None).lift(people, (CAMERA,), 4)


@pytest.fixture(scope="module")
def lifted(lifter: ZedoLifter, people: Keypoints) -> Lifted:
    return lifter.lift(people, (CAMERA,), 4)


def test_the_motion_comes_first_at_the_distance_of_the_frames(
    lifter: ZedoLifter, people: Keypoints, alone: Lifted, lifted: Lifted
) -> None:
    assert lifter.sequence and alone.spread is not None and lifted.spread is not None
    motion = lifter.sequence.lift(people.take(people.track == 0), (CAMERA,), 1)
    assert motion.spread is not None
    first = lifted.joints[:LONG, 0]
    np.testing.assert_allclose(CAMERA.project(first), CAMERA.project(motion.joints[:, 0]), atol=0.01)
    np.testing.assert_allclose(first[:, 0, 2], alone.joints[:LONG, 0, 0, 2], rtol=1e-5)
    assert np.abs(first - alone.joints[:LONG, 0]).max() > 0.005
    np.testing.assert_array_equal(lifted.spread[:LONG], np.maximum(motion.spread, alone.spread[:LONG]))


def test_the_hypotheses_of_the_frames_follow(alone: Lifted, lifted: Lifted) -> None:
    assert alone.score is not None and lifted.score is not None
    np.testing.assert_array_equal(lifted.joints[:LONG, 1:], alone.joints[:LONG, :-1])
    np.testing.assert_array_equal(lifted.score[:LONG, 1:], alone.score[:LONG, :-1])
    assert (lifted.score[:, 0] >= lifted.score[:, 1]).all()


def test_a_few_frames_are_lifted_alone(alone: Lifted, lifted: Lifted) -> None:
    for name in ("joints", "score", "spread", "origin"):
        np.testing.assert_array_equal(getattr(lifted, name)[LONG:], getattr(alone, name)[LONG:])


def test_pictures_that_do_not_belong_together_are_lifted_alone(lifter: ZedoLifter, people: Keypoints) -> None:
    apart = replace(people, times_s=2.0 * people.frame_numbers)
    expected = replace(lifter, sequence=None).lift(apart, (CAMERA,), 2)
    np.testing.assert_array_equal(lifter.lift(apart, (CAMERA,), 2).joints, expected.joints)


def test_a_single_hypothesis_is_the_motion(lifter: ZedoLifter, people: Keypoints, lifted: Lifted) -> None:
    one = lifter.lift(people, (CAMERA,), 1)
    # The distance is that of the best of fewer candidates.
    np.testing.assert_allclose(CAMERA.project(one.joints[:LONG, 0]), CAMERA.project(lifted.joints[:LONG, 0]), atol=0.01)


def test_known_bones_change_the_motion(lifter: ZedoLifter, people: Keypoints, lifted: Lifted) -> None:
    joints = lifted.joints[:LONG, 0]
    parents = [max(parent, 0) for parent in lifter.skeleton.parents]
    bones_m = 1.1 * np.linalg.norm(joints - joints[:, parents], axis=-1).mean(0)
    found = lifter.with_bones({0: bones_m}).lift(people, (CAMERA,), 4)
    longer = np.linalg.norm(found.joints - found.joints[:, :, parents], axis=-1)[:LONG, 0, 1:].sum(-1).mean()
    shorter = np.linalg.norm(joints - joints[:, parents], axis=-1)[:, 1:].sum(-1).mean()
    # The distance, and so the scale, is that of the frames, which know nothing of the bones: the pose changes.
    assert np.abs(found.joints[:LONG, 0] - joints).max() > 0.005 and 0.95 < longer / shorter < 1.15


def test_only_the_default_preset_sees_motions(people: Keypoints) -> None:
    assert zedo.load_lifter(preset="fast").window is None
    assert load(options=preset("default")).window == 27
