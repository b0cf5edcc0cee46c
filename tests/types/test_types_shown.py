"""People as tables, as text, and as figures in notebooks."""

from __future__ import annotations

import csv
import re
import sys
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from numpy import ndarray
from row_cases import make_keypoints, make_poses, with_value

from zedo_core.errors import MissingExtraError
from zedo_core.export import save
from zedo_core.skeleton import COCO17, H36M17
from zedo_core.types import Keypoints, Poses


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
