"""Doubtful poses, labels and legends in overlays, contact sheets and figures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_hex
from PIL import Image
from test_render import near, people

from zedo_core.render.clips import render
from zedo_core.render.draw import BACKGROUND, DOUBT, SIDES, draw_bones, draw_label, track_colour
from zedo_core.render.figure import _DOUBT, _figure, save_figure
from zedo_core.render.footage import panel_size
from zedo_core.render.legend import draw_legend, fitting, legend_height, legend_of
from zedo_core.render.overlay import render_overlay, render_pictures
from zedo_core.render.side_view import SideView
from zedo_core.skeleton import H36M17
from zedo_core.source import open_source
from zedo_core.types import Poses

SIZE = (640, 480)


def unsure(poses: Poses, row: int = 0) -> Poses:
    """The same, with an expected error of 0.2 m in one row."""
    score = poses.score.copy()
    score[row] = -0.2
    return replace(poses, score=score)


def test_doubtful_poses_are_outlined_in_image_and_panel(tmp_path):
    poses, keypoints = people(1, 2, 1, size=SIZE)
    sure = overlay(tmp_path, poses, keypoints)
    marked = overlay(tmp_path, unsure(poses), keypoints)
    for part in (slice(0, 640), slice(640, None)):
        assert not near(sure[:, part], DOUBT).any()
        assert near(marked[:, part], DOUBT).sum() > 300
    left = near(marked[:, :320], DOUBT).sum()  # the first person stands on the left
    assert left > 300 and not near(marked[:, 320:640], DOUBT).any()
    assert near(marked[:, :320], SIDES["left"]).sum() < 0.5 * near(sure[:, :320], SIDES["left"]).sum()  # pale


def test_a_pose_that_fills_a_gap_is_not_doubtful_too(tmp_path):
    poses, keypoints = people(1, 1, 1, size=SIZE)
    filled = replace(unsure(poses), filled=np.array([True]))
    assert not near(overlay(tmp_path, filled, keypoints), DOUBT).any()


def test_the_outline_of_doubt_surrounds_the_bone():
    image = np.full((60, 60, 3), BACKGROUND, np.uint8)
    xy = np.full((17, 2), np.nan)
    xy[list(H36M17.edges[0])] = (10, 30), (50, 30)
    draw_bones(image, xy, H36M17, 4, doubtful=True)
    rim, bare = (near(image[:, 30].astype(int), colour) for colour in (DOUBT, BACKGROUND))
    rows = np.flatnonzero(rim)
    assert len(rows) >= 2 and rows.min() < 28 and rows.max() > 32 and not rim[30] and not bare[30]


@pytest.mark.parametrize("at", [(-40.0, 50.0), (155.0, 60.0), (80.0, -30.0), (80.0, 300.0), (158.0, 2.0)])
def test_labels_lie_within_the_image(at):
    """The whole box is there wherever the head is."""
    boxes = []
    for head in ((60.0, 60.0), at):
        image = np.zeros((120, 160, 3), np.uint8)
        draw_label(image, np.tile(head, (17, 1)), H36M17, "12 doubtful", 11, track_colour(0))
        boxes.append(int(near(image.astype(int), track_colour(0)).sum()))
    assert boxes[1] == boxes[0] > 500


def test_the_legend_explains_doubt_where_there_is_any():
    poses, _ = people(1, 2, 3, size=SIZE)
    seen = np.ones((2, 17), bool)
    names = [[e.name for row in legend_of(p, seen, 480) for e in row] for p in (poses, unsure(poses))]
    assert "doubtful" not in names[0] and set(names[1]) - set(names[0]) == {"doubtful"}


@pytest.mark.parametrize("height", [240, 270, 480, 1080])
def test_no_limb_covers_the_legend(height):
    """What lies far off the people is cut off there, and the legend leaves room for them."""
    poses, _ = people(1, 1, 3, size=SIZE)
    joints = np.repeat(poses.joints, 40, axis=0)
    joints[0, 1:] += (0.0, -1.2, 0.0)  # hypotheses far above
    many = people(40, 1, 3, size=SIZE)[0]
    many, seen, size = replace(many, joints=joints), np.ones((40, 17), bool), panel_size((height, height))
    view = SideView(many, seen, size)
    width, tall = draw_legend(np.zeros((size[1], size[0], 3), np.uint8), view._legend, view._text)
    assert len(view._legend) >= 3 and width <= size[0] and tall < legend_height(len(view._legend), view._text)
    panel, legend = view.draw(0), view._background()
    np.testing.assert_array_equal(panel[:tall, :width], legend[:tall, :width])


def test_narrow_panels_have_an_entry_a_row():
    poses, _ = people(1, 1, 12, size=SIZE)
    rows = fitting(legend_of(poses, np.zeros((1, 17), bool), 240), (120, 240), 10)
    assert [len(row) for row in rows][:2] == [2, 1]


def test_a_sheet_has_one_legend_below_the_frames(tmp_path):
    poses, keypoints = people(4, 1, 3)
    sheets = []
    for shown in (poses, unsure(poses, 3)):
        render("sheet", shown, keypoints, tmp_path / "a.png", source=None, moments=2)
        sheets.append(np.asarray(Image.open(tmp_path / "a.png")).astype(int))
    strip = 30
    assert sheets[0].shape == sheets[1].shape
    assert not near(sheets[0], DOUBT).any() and near(sheets[1][-strip:], DOUBT).sum() > 20
    white = near(sheets[0], SIDES["left"])
    assert white[-strip:].any() and not white[:20].any()  # at the foot, not above the people of each frame
    assert near(sheets[1][:-strip], DOUBT).sum() > 100


def test_a_figure_marks_doubtful_and_filled_poses(tmp_path):
    poses, keypoints = people(t=3, p=1, h=3)
    joints = poses.joints.copy()
    joints[2, 1:] = np.nan  # only the first hypothesis of a filled pose is known
    poses = replace(unsure(poses, 1), joints=joints, filled=np.array([False, False, True]))
    figure = _figure(poses, keypoints)
    assert [axes.get_title() for axes in figure.axes[::2]] == ["frame 0 ", "frame 1 doubtful", "frame 2 interpolated"]
    marked = [
        any(to_hex(colour) == _DOUBT for body in axes.collections for colour in np.asarray(body.get_edgecolor()))
        for axes in figure.axes[1::2]
    ]
    assert marked == [False, True, False]
    (legend,) = figure.legends
    names = [text.get_text() for text in legend.get_texts()]
    assert names == ["left", "right", "chosen hypothesis", "other hypotheses", "joint not seen", "doubtful"]
    save_figure(poses, keypoints, tmp_path / "a.png")


def test_unseen_joints_of_a_figure_are_pale():
    poses, keypoints = people(t=1, p=1, h=1)
    confidence = keypoints.confidence.copy()
    confidence[0, H36M17.index("left_ankle")] = 0.0
    _, axes_3d = _figure(poses, replace(keypoints, confidence=confidence)).axes
    alphas = np.asarray(axes_3d.collections[0].get_edgecolor())[:, 3]
    unseen = np.array([H36M17.index("left_ankle") in edge for edge in H36M17.edges])
    assert alphas[unseen].max() < 0.5 and (alphas[np.logical_not(unseen)] == 1).all()


def test_each_unrelated_picture_is_drawn_by_itself(tmp_path):
    """Ids are shown where there are several people only; names that would be the same keep their suffix."""
    poses, keypoints = people(3, 2, 3, size=SIZE)  # one person in the third
    for name, shape in (("a.png", (480, 640, 3)), ("b.png", (480, 640, 3)), ("a.jpg", (240, 320, 3))):
        (tmp_path / "in").mkdir(exist_ok=True)
        Image.fromarray(np.zeros(shape, np.uint8)).save(tmp_path / "in" / name)
    source = open_source(tmp_path / "in")
    assert [file.name for file in source.files] == ["a.jpg", "a.png", "b.png"]
    done = []
    files = render_pictures(poses, keypoints, tmp_path / "out", source=source, on_frame=done.append)
    assert [file.name for file in files] == ["a.jpg.png", "a.png.png", "b.png"] and done == [1, 2, 3]
    drawn = [np.asarray(Image.open(file)).astype(int) for file in files]
    assert [image.shape[:2] for image in drawn] == [(240, 560), (480, 1120), (480, 1120)]
    label = [near(image, track_colour(0)).sum() for image in drawn]
    assert label[1] > 300 and label[2] == 0


def overlay(folder: Path, poses: Poses, keypoints) -> np.ndarray:
    render_overlay(poses, keypoints, folder / "a.png", source=None)
    return np.asarray(Image.open(folder / "a.png")).astype(int)
