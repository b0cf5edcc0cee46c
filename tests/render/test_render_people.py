"""Interpolated poses look different from observed ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from test_render import near, people

from zedo_core.render.draw import BACKGROUND, SIDES, draw_dashes, track_colour
from zedo_core.render.overlay import render_overlay
from zedo_core.render.side_view import SideView
from zedo_core.skeleton import H36M17


def test_interpolated_poses_are_pale_thin_and_dashed(tmp_path):
    poses, keypoints = people(1, 1, 1, size=(640, 480))
    keypoints = replace(keypoints, confidence=np.zeros_like(keypoints.confidence))
    images = {}
    for name, filled in (("observed", False), ("filled", True)):
        render_overlay(replace(poses, filled=np.array([filled])), keypoints, tmp_path / f"{name}.png", source=None)
        images[name] = np.asarray(Image.open(tmp_path / f"{name}.png"))
    xy = poses.cameras[0].project(poses.joints[0, 0])
    knee, ankle = (xy[H36M17.index(f"left_{joint}")] for joint in ("knee", "ankle"))
    along = np.round(np.linspace(knee, ankle, 40)).astype(int)[4:-4]
    on_bone = {name: image[along[:, 1], along[:, 0]] for name, image in images.items()}
    assert near(on_bone["observed"], SIDES["left"]).all()
    bare = near(on_bone["filled"], BACKGROUND)
    assert 0.2 < bare.mean() < 0.8 and not near(on_bone["filled"], SIDES["left"]).any()
    for part in (slice(0, 640), slice(640, None)):  # the image, and the panel with the legend
        coloured = {name: sum(near(image[:, part], SIDES[s]).sum() for s in SIDES) for name, image in images.items()}
        assert coloured["filled"] < 0.5 * coloured["observed"]
    labels = {name: near(image[:, :640], track_colour(0)).sum() for name, image in images.items()}
    assert labels["filled"] > 2 * labels["observed"]  # the mark


def test_the_legend_explains_interpolated_poses(tmp_path):
    poses, _ = people(2, 1, 1, size=(640, 480))
    panels = []
    for filled in ([False, False], [False, True]):
        view = SideView(replace(poses, filled=np.array(filled)), (480, 480))
        panels.append(view.draw(0))
    changed = np.argwhere((panels[0] != panels[1]).any(-1))
    assert len(changed) > 50 and changed[:, 0].max() < 0.2 * 480  # a line of text above the people


@pytest.mark.parametrize("length", [1.0, 7.0, 40.0])
def test_a_dashed_line_has_a_dash_at_either_end(length):
    image = np.zeros((20, 60, 3), np.uint8)
    draw_dashes(image, np.array([8.0, 10.0]), np.array([8.0 + length, 10.0]), (255, 255, 255), 2)
    row = image[10, :, 0]
    assert row[8] > 100 and row[8 + int(length)] > 100
    assert (row[8 : 9 + int(length)] < 50).any() == (length > 20)
