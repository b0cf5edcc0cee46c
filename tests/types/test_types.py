"""The data types passed between the stages: rows of people, their checks, and their representations."""

from __future__ import annotations

import csv
import re
import sys
import xml.etree.ElementTree as ElementTree
from dataclasses import FrozenInstanceError, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy import ndarray

from zedo_core.camera import Camera
from zedo_core.errors import InputError, MissingExtraError
from zedo_core.export import save
from zedo_core.skeleton import COCO17, H36M17
from zedo_core.types import DOUBTFUL_M, Frame, Keypoints, Poses, Provenance, in_order, same_rows

PINHOLE = Camera(fx=1100.0, fy=1050.0, cx=640.5, cy=355.0, size=(1280, 720))
DISTORTED = replace(PINHOLE, distortion=(-0.12, 0.05, 0.001, -0.002, 0.01))


def make_keypoints(**fields: Any) -> Keypoints:
    """Persons 4 and 9 in frames 10 to 12, the second absent from the first: rows 4@10, 4@11, 4@12, 9@11, 9@12."""
    rng = np.random.default_rng(0)
    defaults = {
        "frame": np.array([0, 1, 2, 1, 2]),
        "track": np.array([4, 4, 4, 9, 9]),
        "xy": rng.uniform(0, 700, size=(5, len(COCO17), 2)),
        "confidence": rng.uniform(0.1, 1, size=(5, len(COCO17))),
        "skeleton": COCO17,
        "frame_numbers": np.arange(3) + 10,
    }
    return Keypoints(**(defaults | fields))


def make_poses(**fields: Any) -> Poses:
    """The same people with three hypotheses each, the last one chosen; the pose of row 3 was filled in."""
    rng = np.random.default_rng(0)
    defaults = {
        "frame": np.array([0, 1, 2, 1, 2]),
        "track": np.array([4, 4, 4, 9, 9]),
        "joints": rng.normal((0, 0, 6), size=(5, 3, len(H36M17), 3)),
        "score": np.tile([-0.02, -0.03, -0.04], (5, 1)),
        "chosen": np.full(5, 2),
        "spread": np.full((5, len(H36M17)), 0.03),
        "filled": np.arange(5) == 3,
        "skeleton": H36M17,
        "cameras": (PINHOLE,),
        "frame_numbers": np.arange(3) + 10,
        "provenance": Provenance(method="m", weights="w", weights_sha256="0", version="0"),
    }
    return Poses(**(defaults | fields))


def with_value(array: ndarray, value: float) -> ndarray:
    """A copy with another value for the left knee of person 9 in frame 11."""
    copy = array.copy()
    copy[3, COCO17.index("left_knee")] = value
    return copy


def test_frame_size_is_width_and_height():
    assert Frame(image=np.zeros((480, 640, 3), dtype=np.uint8), number=0, time_s=0.0).size == (640, 480)


# Checks


@pytest.mark.usefixtures("undecorated")
@pytest.mark.parametrize("make", [make_keypoints, make_poses])
@pytest.mark.parametrize(
    ("fields", "match"),
    [
        ({"frame": np.array([0, 2, 1, 1, 2])}, "expected rows sorted by track, then by frame"),
        ({"track": np.array([9, 9, 9, 4, 4])}, "expected rows sorted by track, then by frame"),
        ({"frame": np.array([0, 1, 1, 1, 2])}, "each person once per frame; sort them with `in_order`"),
        ({"frame": np.array([0, 1, 3, 1, 2])}, "expected frames from 0 to 2, got 0 to 3"),
        ({"frame": np.array([-1, 1, 2, 1, 2])}, "expected frames from 0 to 2, got -1 to 2"),
        ({"frame_numbers": np.arange(2)}, "expected frames from 0 to 1, got 0 to 2"),
        ({"track": np.array([4, 4, 9, 9])}, r"tracks \(n,\) and frame numbers \(t,\), got \(5,\), \(4,\) and \(3,\)"),
        ({"frame_numbers": np.zeros((3, 1), int)}, r"got \(5,\), \(5,\) and \(3, 1\)"),
        ({"times_s": np.zeros(2)}, r"expected 3 frame times, got \(2,\)"),
    ],
)
def test_invalid_rows_are_refused(make, fields, match):
    with pytest.raises(InputError, match=match) as caught:
        make(**fields)
    assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("undecorated")
@pytest.mark.parametrize(
    ("fields", "match"),
    [
        ({"xy": np.zeros((5, 16, 2))}, r"xy \(n, 17, 2\)"),
        ({"skeleton": H36M17, "confidence": np.zeros((5, 16))}, "of h36m-17"),
        ({"fps": 0.0}, "a frame rate above 0, got 0"),
        ({"fps": np.inf}, "a frame rate above 0, got inf"),
        ({"image_sizes": ((1, 1), (1, 1))}, "1 or 3 image sizes, got 2"),
        ({"xy": with_value(make_keypoints().xy, np.nan)}, "frame 11, person 9, joint left_knee is not a finite number"),
        ({"confidence": with_value(make_keypoints().confidence, np.inf)}, "joint left_knee"),
        ({"confidence": with_value(make_keypoints().confidence, 1.5)}, r"0\.\.1, found 1\.5"),
        ({"confidence": with_value(make_keypoints().confidence, -0.25)}, r"0\.\.1, found -0\.25"),
    ],
)
def test_invalid_keypoints_are_refused(fields, match):
    with pytest.raises(InputError, match=match):
        make_keypoints(**fields)


@pytest.mark.usefixtures("undecorated")
@pytest.mark.parametrize(
    ("fields", "match"),
    [
        ({"score": np.zeros((5, 4))}, "do not fit 5 rows of h36m-17"),
        ({"joints": np.zeros((5, len(H36M17), 3))}, "do not fit 5 rows"),
        ({"filled": np.zeros(4, bool)}, "do not fit 5 rows"),
        ({"cameras": (PINHOLE,) * 2}, "1 or 3 cameras, got 2"),
        ({"chosen": np.array([0, 1, 3, 0, 0])}, "chosen hypotheses from 0 to 2, got 0 to 3"),
        ({"chosen": np.array([0, 1, -1, 0, 0])}, "chosen hypotheses from 0 to 2, got -1 to 1"),
    ],
)
def test_invalid_poses_are_refused(fields, match):
    with pytest.raises(InputError, match=match):
        make_poses(**fields)


@pytest.mark.usefixtures("undecorated")
@pytest.mark.parametrize(
    ("xy", "confidence", "fields", "match"),
    [
        ((3, 17, 2), (3, 17), {}, r"expected xy \(t, p, j, 2\) and confidence \(t, p, j\), got \(3, 17, 2\)"),
        ((3, 2, 17, 2), (3, 2, 16), {}, r"and \(3, 2, 16\)"),
        ((3, 2, 17, 2), (3, 2, 17), {"track_ids": np.arange(3)}, r"expected 2 track ids, got \(3,\)"),
        ((3, 2, 17, 2), (3, 2, 17), {"frame_numbers": np.arange(2)}, "expected frames from 0 to 1, got 0 to 2"),
        ((3, 2, 17, 2), (3, 2, 17), {"track_ids": np.array([4, 4])}, "each person once per frame"),
    ],
)
def test_invalid_dense_arrays_are_refused(xy, confidence, fields, match):
    with pytest.raises(InputError, match=match):
        Keypoints.from_dense(np.ones(xy), np.ones(confidence), COCO17, **fields)


def test_fields_cannot_be_assigned():
    for value in (make_keypoints(), make_poses()):
        with pytest.raises(FrozenInstanceError):
            setattr(value, "fps", 1.0)  # noqa: B010  (an assignment would not pass the type checker)


# Rows


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


# Keypoints and poses


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


# Tables


def test_the_data_frame_of_poses_has_the_columns_of_the_csv(tmp_path):
    joints = make_poses().joints.copy()
    joints[1, 2, H36M17.index("spine")] = np.nan
    poses = make_poses(joints=joints, times_s=np.array([0.0, 0.5, np.nan]), chosen=np.array([2, 2, 0, 1, 2]))
    save(poses, tmp_path / "poses.csv")
    with open(tmp_path / "poses.csv", encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    table = poses.to_dataframe()
    known = ["x_m", "y_m", "z_m", "spread_m", "score", "hypothesis", "filled", "doubtful"]
    assert list(table.columns) == ["frame", "time_s", "track", "joint", *known] == list(lines[0])
    assert len(table) == len(lines) == 5 * 17 - 1
    for line, (_, row) in zip(lines, table.iterrows(), strict=True):
        assert line["joint"] == row["joint"] and line["time_s"] == (
            "" if np.isnan(row["time_s"]) else f"{row['time_s']:.6f}"
        )
        for name in ("frame", "track", "hypothesis", "filled", "doubtful"):
            assert int(line[name]) == row[name]
        for name in known[:5]:
            assert float(line[name]) == pytest.approx(row[name], abs=1e-6)  # the file has micrometres
    # Ordered by frame number, then by track id.
    found = table.drop_duplicates(["frame", "track"])[["frame", "track"]].to_numpy().tolist()
    assert found == [[10, 4], [11, 4], [11, 9], [12, 4], [12, 9]]
    spine = table[(table.joint == "spine") & (table.frame == 11)]
    assert spine.track.tolist() == [9] and spine.filled.tolist() == [1]
    assert table[(table.frame == 11) & (table.track == 4)].doubtful.all()
    wrist = table[(table.joint == "left_wrist") & (table.frame == 12) & (table.track == 4)]
    assert np.asarray(wrist[["x_m", "y_m", "z_m"]])[0].tolist() == joints[2, 0, H36M17.index("left_wrist")].tolist()
    assert wrist.score.tolist() == [-0.02] and wrist.hypothesis.tolist() == [0]


def test_the_data_frame_of_keypoints_has_a_line_for_each_seen_joint():
    keypoints = make_keypoints(confidence=with_value(make_keypoints().confidence, 0))
    table = keypoints.to_dataframe()
    assert list(table.columns) == ["frame", "time_s", "track", "joint", "x_px", "y_px", "confidence"]
    assert len(table) == 5 * 17 - 1 and table.time_s.isna().all()
    nose = table[(table.frame == 12) & (table.track == 9) & (table.joint == "nose")]
    assert np.asarray(nose[["x_px", "y_px"]])[0].tolist() == keypoints.xy[4, COCO17.index("nose")].tolist()


def test_a_data_frame_without_pandas(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    for people in (make_keypoints(), make_poses()):
        with pytest.raises(MissingExtraError, match=r"pandas, which is not installed; .* pip install .*\[pandas\]'"):
            people.to_dataframe()
        assert len(people.table()["frame"]) == 5 * 17  # arrays need no pandas


# Text and figures


def test_repr_has_two_lines():
    assert repr(make_keypoints(fps=29.97, image_sizes=((640, 480),))).splitlines() == [
        "Keypoints: 2 people (id 4, 9) in 5 rows, 3 frames at 29.97 fps",
        "  coco-17, 100 % of the joints seen, 640x480 px",
    ]
    assert repr(make_poses()).splitlines() == [
        "Poses: 2 people (id 4, 9) in 5 rows, 3 frames",
        "  h36m-17, 3 hypotheses by m, expected error 40 mm",
    ]
    assert repr(make_poses(score=np.full((5, 3), np.nan)).take(slice(1))).splitlines() == [
        "Poses: 1 person (id 4) in 1 rows, 3 frames",
        "  h36m-17, 3 hypotheses by m",
    ]


def test_repr_of_many_people_is_short():
    crowd = Keypoints.from_dense(np.ones((1, 9, 17, 2)), np.ones((1, 9, 17)), COCO17)
    assert repr(crowd).startswith("Keypoints: 9 people (id 0, 1, 2, 3, 4, 5, ...) in 9 rows, 1 frame\n")


def drawn(people: Keypoints | Poses) -> tuple[ElementTree.Element, list[ndarray]]:
    """The HTML shown in notebooks, and the ends (bone, end, 2) of the bones in each panel."""
    shown = ElementTree.fromstring(f"<div>{people._repr_html_()}</div>")
    ends = [
        np.array([re.findall(r"-?[\d.]+", bone.get("d", "")) for bone in panel.iter("path")], float).reshape(-1, 2, 2)
        for panel in shown.iter("svg")
    ]
    return shown, ends


def test_a_figure_of_poses_for_notebooks():
    """The frame with the most people, from the camera and from the side."""
    poses = make_poses()
    shown, (front, side) = drawn(poses)
    assert shown.findtext("pre") == repr(poses)
    assert [caption.text for caption in shown.iter("figcaption")] == [
        "frame 11, from the camera",
        "frame 11, from the side",
    ]
    assert len(front) == len(side) == 2 * len(H36M17.edges)
    for panel, ends in zip(shown.iter("svg"), (front, side), strict=True):
        width, height = float(panel.get("width", "")), float(panel.get("height", ""))
        assert (ends >= 0).all() and (ends <= (width, height)).all() and np.ptp(ends[..., 1]) > 0.8 * height
        colours = {bone.get("stroke") for bone in panel.iter("path")}
        assert len(colours) == 3  # left, right and centre
    np.testing.assert_allclose(front[..., 1], side[..., 1], atol=0.11)  # one scale; numbers have one decimal
    # The first bone has the proportions of the pose: x against y from the camera, z against y from the side.
    child, parent = H36M17.edges[0]
    for ends, axes in ((front, [0, 1]), (side, [2, 1])):
        scale = np.ptp(ends[..., 1]) / np.ptp(poses.best[poses.at(1)][..., 1])
        bone = poses.best[1, [child, parent]][:, axes]
        np.testing.assert_allclose(np.diff(ends[0], axis=0), scale * np.diff(bone, axis=0), atol=0.2)


def test_a_figure_of_keypoints_for_notebooks():
    _, (panel,) = drawn(make_keypoints())
    assert len(panel) == 2 * len(COCO17.edges)
    knee = COCO17.index("left_knee")
    _, (panel,) = drawn(make_keypoints(confidence=with_value(make_keypoints().confidence, 0)))
    assert len(panel) == 2 * len(COCO17.edges) - sum(knee in edge for edge in COCO17.edges)


def test_figures_of_degenerate_poses():
    """No people, no known joint, a single joint, and a line: no warnings, and only finite numbers."""
    assert drawn(make_poses().take(slice(0)))[1] == []
    unknown = np.full_like(make_poses().joints, np.nan)
    assert drawn(make_poses(joints=unknown))[1] == []
    unknown[:, :, 0] = 1.0
    assert [len(panel) for panel in drawn(make_poses(joints=unknown))[1]] == [0, 0]
    for flat in ((1, 0, 0), (0, 1, 0), (0, 0, 1)):
        _, panels = drawn(make_poses(joints=make_poses().joints * flat))
        assert [len(panel) for panel in panels] == [2 * len(H36M17.edges)] * 2
        assert all(np.isfinite(panel).all() and np.abs(panel).max() <= 800 for panel in panels)
