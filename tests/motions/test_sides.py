"""Left and right that a detector exchanged: found, mended, and nothing else touched."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from zedo_core.camera import Camera
from zedo_core.data.mocap_clips import clips, motions
from zedo_core.motions.sides import _parts, mend_sides
from zedo_core.skeleton import COCO17, H36M17
from zedo_core.types import Keypoints

MIRROR = np.array(H36M17.mirror)
PARTS = {"arms": _parts(H36M17)[:1], "legs": _parts(H36M17)[1:2], "body": _parts(H36M17)}


@pytest.fixture(scope="module")
def people() -> Keypoints:
    """Clips of 25 frames of motion capture, one person after the other, in pixels."""
    samples = clips(motions(None, "test"))
    n = len(samples)
    track = np.unique(samples.sequence, return_inverse=True)[1]
    camera = Camera(fx=1000.0, fy=1000.0, cx=500.0, cy=500.0)
    joints = samples.joints_cam - samples.joints_cam[:, :1] * (1, 1, 0)
    noise = np.random.default_rng(0).normal(0, 1.5, (n, 17, 2))
    return Keypoints(
        frame=np.arange(n), track=track, xy=camera.project(joints) + noise,
        confidence=np.full((n, 17), 0.9), skeleton=H36M17, frame_numbers=np.arange(n), fps=30.0,
    )  # fmt: skip


def exchanged(keypoints: Keypoints, part: str, length: int) -> Keypoints:
    """The same with a part exchanged in frames 8 to 8 + length of every track."""
    xy = keypoints.xy.copy()
    joints = np.concatenate(PARTS[part])
    for _, rows in keypoints.tracks:
        run = np.arange(rows.start, rows.stop)[8 : 8 + length]
        xy[run[:, None], joints] = keypoints.xy[run[:, None], MIRROR[joints]]
    return replace(keypoints, xy=xy)


def far(a: Keypoints, b: Keypoints) -> np.ndarray:
    return np.linalg.norm(a.xy - b.xy, axis=-1) > 10.0


def test_nothing_is_changed_without_exchanges(people):
    found, mended = mend_sides(people)
    assert far(found, people).mean() < 0.002
    assert mended.mean() < 0.02


@pytest.mark.parametrize("part", ["arms", "legs", "body"])
@pytest.mark.parametrize("length", [1, 3, 8])
def test_exchanges_are_mended(people, part, length):
    bad = exchanged(people, part, length)
    found, mended = mend_sides(bad)
    assert far(found, people).sum() < 0.1 * far(bad, people).sum()
    assert mended.any()


def test_short_tracks_and_unseen_people_stay():
    keypoints = Keypoints(
        frame=np.arange(2), track=np.zeros(2, int), xy=np.ones((2, 17, 2)), confidence=np.ones((2, 17)),
        skeleton=COCO17, frame_numbers=np.arange(2),
    )  # fmt: skip
    found, mended = mend_sides(keypoints)
    assert (found.xy == keypoints.xy).all() and not mended.any()
