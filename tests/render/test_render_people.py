"""Interpolated poses, joints that were not seen and uncertain keypoints look different from sure ones."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from test_render import near, people

from zedo_core.render.draw import BACKGROUND, LOW_CONFIDENCE, SIDES, draw_dashes, pale, track_colour
from zedo_core.render.overlay import render_overlay
from zedo_core.render.people import seen_joints
from zedo_core.render.side_view import SideView
from zedo_core.skeleton import COCO17, H36M17
from zedo_core.types import Keypoints, Poses


def test_interpolated_poses_are_pale_thin_and_dashed(tmp_path):
    poses, keypoints = people(1, 1, 1, size=(640, 480))
    images = {}
    for name, filled in (("observed", False), ("filled", True)):
        shown = replace(poses, filled=np.array([filled]))
        images[name] = drawn(tmp_path, shown, keypoints.take(np.array([not filled])))
    on_bone = {name: along_shin(image, poses, "left") for name, image in images.items()}
    assert near(on_bone["observed"], SIDES["left"]).all()
    bare = near(on_bone["filled"], BACKGROUND)
    assert 0.2 < bare.mean() < 0.8 and not near(on_bone["filled"], SIDES["left"]).any()
    for part in (slice(0, 640), slice(640, None)):  # the image, and the panel with the legend
        coloured = {name: sum(near(image[:, part], SIDES[s]).sum() for s in SIDES) for name, image in images.items()}
        assert coloured["filled"] < 0.5 * coloured["observed"]
    labels = {name: near(image[:, :640], track_colour(0)).sum() for name, image in images.items()}
    assert labels["filled"] > 2 * labels["observed"]  # the mark


def test_bones_at_joints_that_were_not_seen_are_dashed(tmp_path):
    """The left ankle has no keypoint: its bone is dashed in the image and in the panel, the other side's is not."""
    poses, keypoints = people(1, 1, 1, size=(640, 480))
    confidence = keypoints.confidence.copy()
    confidence[0, H36M17.index("left_ankle")] = 0
    seen, unseen = (
        drawn(tmp_path, poses, replace(keypoints, confidence=c)) for c in (keypoints.confidence, confidence)
    )
    assert 0.2 < near(along_shin(unseen, poses, "left"), BACKGROUND).mean() < 0.8
    assert near(along_shin(unseen, poses, "right"), SIDES["right"]).all()
    for part in (slice(0, 640), slice(640, None)):
        left, right = ([near(image[:, part], SIDES[s]).sum() for image in (seen, unseen)] for s in ("left", "right"))
        assert left[1] < 0.95 * left[0] and right[1] == pytest.approx(right[0], rel=0.02)  # where limbs cross


def test_joints_are_seen_where_the_keypoints_of_another_joint_set_give_them():
    poses, keypoints = people(2, 2, 1)
    coco = keypoints.to_skeleton(COCO17)
    confidence = coco.confidence.copy()
    confidence[0, COCO17.indices(("left_hip", "left_ankle"))] = 0
    seen = seen_joints(poses, replace(coco, confidence=confidence).take(np.array([True, True, True, False])))
    names = {name for name, there in zip(H36M17.joints, seen[0], strict=True) if not there}
    assert names == {"left_hip", "left_ankle", "pelvis", "spine", "head_top"}  # COCO has no head top, nor here its eyes
    assert seen[1].sum() == len(H36M17) - 1 and not seen[3].any()


def test_keypoints_of_low_confidence_are_pale(tmp_path):
    poses, keypoints = people(1, 1, 1, size=(640, 480))
    wrists = H36M17.indices(("left_wrist", "right_wrist"))
    xy, confidence = np.full_like(keypoints.xy, 1e6), keypoints.confidence.copy()
    xy[0, wrists] = (20, 20), (60, 20)
    confidence[0, wrists] = LOW_CONFIDENCE - 0.01, LOW_CONFIDENCE
    image = drawn(tmp_path, poses, replace(keypoints, xy=xy, confidence=confidence))
    assert tuple(image[20, 20]) == pale(SIDES["left"]) and tuple(image[20, 60]) == SIDES["right"]


def test_the_legend_explains_joints_that_were_not_seen():
    poses, _ = people(2, 1, 1, size=(640, 480))
    panels = []
    for second in (True, False):
        seen = np.array([[True], [second]]).repeat(len(H36M17), 1)
        panels.append(SideView(poses, seen, (480, 480)).draw(0))
    changed = np.argwhere((panels[0] != panels[1]).any(-1))
    assert len(changed) > 50 and changed[:, 0].max() < 0.2 * 480  # a line of text above the people


def drawn(folder: Path, poses: Poses, keypoints: Keypoints) -> np.ndarray:
    """The overlay on a dark background, with the panel on its right."""
    render_overlay(poses, keypoints, folder / "a.png", source=None)
    return np.asarray(Image.open(folder / "a.png"))


def along_shin(image: np.ndarray, poses: Poses, side: str) -> np.ndarray:
    """The pixels between knee and ankle."""
    knee, ankle = poses.cameras[0].project(poses.best[0, H36M17.indices((f"{side}_knee", f"{side}_ankle"))])
    x, y = np.round(np.linspace(knee, ankle, 40)).astype(int)[4:-4].T
    return image[y, x]


@pytest.mark.parametrize("length", [1.0, 7.0, 40.0])
def test_a_dashed_line_has_a_dash_at_either_end(length):
    image = np.zeros((20, 60, 3), np.uint8)
    draw_dashes(image, np.array([8.0, 10.0]), np.array([8.0 + length, 10.0]), (255, 255, 255), 2)
    row = image[10, :, 0]
    assert row[8] > 100 and row[8 + int(length)] > 100
    assert (row[8 : 9 + int(length)] < 50).any() == (length > 20)
