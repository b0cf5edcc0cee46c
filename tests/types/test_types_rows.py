"""Rows of people by track and by frame, dense arrays, and what is derived of keypoints and poses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from row_cases import DISTORTED, PINHOLE, make_keypoints, make_poses, with_value

from zedo_core.errors import InputError
from zedo_core.skeleton import COCO17, H36M17
from zedo_core.types import DOUBTFUL_M, Frame, Keypoints, Poses, in_order, same_rows


def test_frame_size_is_width_and_height():
    assert Frame(image=np.zeros((480, 640, 3), dtype=np.uint8), number=0, time_s=0.0).size == (640, 480)


def test_rows_by_track_and_by_frame():
    for people in (make_keypoints(), make_poses()):
        assert len(people) == 5
        assert people.track_ids.tolist() == [4, 9]
        assert list(people.tracks) == [(4, slice(0, 3)), (9, slice(3, 5))]
        assert [people.at(t).tolist() for t in range(3)] == [[0], [1, 3], [2, 4]]
        assert people.dense().present.tolist() == [[True, False], [True, True], [True, True]]


def test_clips_without_people():
    for people in (make_keypoints().take(slice(0)), make_poses().take(slice(0))):
        assert len(people) == 0 and people.track_ids.tolist() == [] and list(people.tracks) == []
        assert [people.at(t).tolist() for t in range(3)] == [[], [], []]
        assert people.dense().present.shape == (3, 0)
        assert people.to_dataframe().empty
        assert repr(people).startswith(f"{type(people).__name__}: 0 people in 0 rows, 3 frames")


@pytest.mark.parametrize(
    "rows",
    [np.array([1, 2, 4]), np.array([False, True, True, False, True]), slice(1, 4)],
    ids=["rows", "mask", "slice"],
)
def test_take_selects_rows(rows):
    poses = make_poses()
    contact = np.arange(2 * len(poses)).reshape(-1, 2) % 3 == 0
    feet = np.random.default_rng(2).normal(size=(len(poses), 6, 3))
    poses = replace(poses, contact=contact, seen=poses.spread > np.median(poses.spread), feet=feet)
    taken = poses.take(rows)
    for name in Poses.PER_ROW:
        np.testing.assert_array_equal(getattr(taken, name), getattr(poses, name)[rows])
    assert taken.frame_numbers is poses.frame_numbers and taken.cameras is poses.cameras


def test_take_refuses_rows_out_of_order():
    with pytest.raises(InputError, match="sorted by track"):
        make_poses().take(np.array([3, 0]))


PRESENCE = st.integers(0, 4).flatmap(
    lambda p: st.lists(st.lists(st.booleans(), min_size=p, max_size=p), min_size=1, max_size=6)
)


@given(presence=PRESENCE, seed=st.integers(0, 9))
def test_dense_round_trip(presence, seed):
    """Any people in any columns: dense arrays have no column for people who never appear, and are sorted by id."""
    present = np.array(presence, bool).reshape(len(presence), -1)
    t, p = present.shape
    rng = np.random.default_rng(seed)
    confidence = rng.uniform(0.1, 1, (t, p, 17)) * present[..., None]
    xy = rng.normal(size=(t, p, 17, 2)) * present[..., None, None]
    ids = rng.permutation(10)[:p]
    keypoints = Keypoints.from_dense(xy, confidence, COCO17, track_ids=ids, frame_numbers=np.arange(t) * 3, fps=5.0)
    assert len(keypoints) == present.sum() and keypoints.fps == 5.0
    columns = [column for column in np.argsort(ids) if present[:, column].any()]
    dense = keypoints.dense()
    assert dense.track_ids.tolist() == ids[columns].tolist()
    np.testing.assert_array_equal(dense.present, present[:, columns])
    np.testing.assert_array_equal(dense.xy, xy[:, columns])
    np.testing.assert_array_equal(dense.confidence, confidence[:, columns])
    again = Keypoints.from_dense(
        dense.xy, dense.confidence, COCO17, track_ids=dense.track_ids, frame_numbers=keypoints.frame_numbers
    )
    for name in Keypoints.PER_ROW:
        np.testing.assert_array_equal(getattr(again, name), getattr(keypoints, name))


def test_dense_arrays_are_numbered_from_0():
    keypoints = Keypoints.from_dense(np.ones((2, 3, 17, 2)), np.ones((2, 3, 17)), COCO17)
    assert keypoints.track.tolist() == [0, 0, 1, 1, 2, 2] and keypoints.frame_numbers.tolist() == [0, 1]


def test_dense_poses():
    poses = make_poses()
    dense = poses.dense()
    column = np.searchsorted(poses.track_ids, poses.track)
    for name in ("joints", "score", "chosen", "spread", "filled", "best"):
        np.testing.assert_array_equal(getattr(dense, name)[poses.frame, column], getattr(poses, name))
    assert np.isnan(dense.joints[0, 1]).all() and np.isnan(dense.best[0, 1]).all()
    assert np.isnan(dense.score[0, 1]).all() and np.isnan(dense.spread[0, 1]).all()
    assert dense.chosen[0, 1] == -1 and not dense.filled[0, 1]


def test_scatter():
    dense = make_poses().scatter(np.arange(5), -1)
    assert dense.tolist() == [[0, -1], [1, 3], [2, 4]]


def test_in_order_sorts_rows():
    fields = in_order(frame=np.array([2, 0, 1]), track=np.array([1, 7, 1]), xy=np.arange(3), spread=None)
    assert fields["frame"].tolist() == [1, 2, 0] and fields["track"].tolist() == [1, 1, 7]
    assert fields["xy"].tolist() == [2, 0, 1] and fields["spread"] is None


def test_the_same_rows_of_two_clips():
    """Rows match by track id and frame number; the second clip begins one frame later."""
    a = make_poses()
    b = make_keypoints(frame_numbers=np.arange(3) + 11)
    assert [part.tolist() for part in same_rows(a, b)] == [[1, 2, 4], [0, 1, 3]]
    assert [part.tolist() for part in same_rows(a, a.take(np.array([0, 4])))] == [[0, 4], [0, 1]]
    assert [part.tolist() for part in same_rows(a, b.take(slice(0)))] == [[], []]


def test_keypoints_in_another_joint_set():
    keypoints = make_keypoints()
    found = keypoints.to_skeleton(H36M17)
    np.testing.assert_array_equal(found.dense().present, keypoints.dense().present)
    hips = keypoints.xy[:, COCO17.indices(("left_hip", "right_hip"))].mean(axis=1)
    # The mean of two by numpy and by a matrix product: equal up to rounding.
    np.testing.assert_allclose(found.xy[:, H36M17.index("pelvis")], hips, atol=1e-10)
    assert keypoints.to_skeleton(COCO17) is keypoints


def test_joint_with_a_missing_source_is_missing():
    keypoints = make_keypoints(confidence=with_value(make_keypoints().confidence, 0))
    found = keypoints.to_skeleton(H36M17)
    knee = H36M17.index("left_knee")
    assert found.confidence[3, knee] == 0 and found.xy[3, knee].tolist() == [0, 0]


def test_undistorted_keypoints():
    keypoints = make_keypoints()
    assert keypoints.undistorted((PINHOLE,)) is keypoints
    expected = DISTORTED.undistort(keypoints.xy)
    np.testing.assert_array_equal(keypoints.undistorted((DISTORTED,)).xy, expected)
    per_frame = keypoints.undistorted((PINHOLE, DISTORTED, PINHOLE)).xy
    second = keypoints.frame == 1
    np.testing.assert_array_equal(per_frame[~second], keypoints.xy[~second])
    np.testing.assert_array_equal(per_frame[second], expected[second])


def test_best_is_the_chosen_hypothesis():
    poses = make_poses(chosen=np.array([2, 0, 1, 2, 0]))
    assert poses.hypotheses == 3
    for row, chosen in enumerate(poses.chosen):
        np.testing.assert_array_equal(poses.best[row], poses.joints[row, chosen])
        assert poses.expected_error_m[row] == -poses.score[row, chosen]


def test_doubtful_poses():
    """Those with a large expected error or an unknown joint, but not those without a score."""
    score, joints = make_poses().score.copy(), make_poses().joints.copy()
    score[0, 2], score[1, 0], score[2] = -1.01 * DOUBTFUL_M, -1.0, np.nan
    joints[3, 2, 5], joints[4, 1, 5] = np.nan, np.nan
    assert make_poses(score=score, joints=joints).doubtful.tolist() == [True, False, False, True, False]


def test_camera_of_a_frame():
    assert make_poses().camera(1) is PINHOLE
    assert make_poses(cameras=(PINHOLE, DISTORTED, PINHOLE)).camera(1) is DISTORTED


def test_projection_into_the_cameras():
    cameras = (PINHOLE, DISTORTED, replace(PINHOLE, fx=500.0))
    joints = make_poses().joints.copy()
    joints[0, :, 3, 2] = -1.0
    poses = make_poses(joints=joints, cameras=cameras)
    for row, t in enumerate(poses.frame):
        np.testing.assert_array_equal(poses.projected()[row], cameras[t].project(poses.best[row]))
    assert np.isnan(poses.projected()[0, 3]).all()
    assert make_poses(cameras=cameras).take(slice(0)).projected().shape == (0, 17, 2)
