"""`zedo.detect`, `zedo.infer` and `zedo.motion`: paths and frames in memory, and no files unless they are asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy import ndarray

import zedo_core as zedo
from zedo_core.errors import CameraError, InputError
from zedo_core.pipeline.run import demo_assets
from zedo_core.source.cut import Cut, Moment

FEW: dict[str, Any] = {"hypotheses": 2, "iterations": 5}


@pytest.fixture(scope="module")
def images() -> list[ndarray]:
    """Eight frames of the demo's video."""
    return [frame.image for frame in zedo.open_source(demo_assets()[0], Cut(end=Moment(8, "frame")))]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_frames_in_memory_give_what_the_video_gives(images: list[ndarray]) -> None:
    video, camera = demo_assets()
    cut = Cut(end=Moment(8, "frame"))
    of_video = zedo.infer(video, camera=camera, cut=cut, **FEW)
    for frames in (images, np.stack(images)):
        poses = zedo.infer(frames, camera=camera, fps=60, **FEW)
        np.testing.assert_array_equal(poses.joints, of_video.joints)
        np.testing.assert_array_equal(poses.track, of_video.track)
        assert poses.times_s == pytest.approx(np.arange(8) / 60)
    assert not list(Path().iterdir())  # nothing is written


def test_the_steps_one_after_another_give_the_same(images: list[ndarray]) -> None:
    camera = zedo.read_camera(demo_assets()[1])
    keypoints = zedo.detect(images, fps=60)
    assert len(keypoints) == 8 and keypoints.image_sizes == ((1088, 1920),)
    lifter = zedo.load_lifter(iterations=5)
    poses = zedo.motion(zedo.lift(keypoints, camera, hypotheses=2, lifter=lifter), keypoints)
    expected = zedo.infer(images, camera=camera, fps=60, **FEW)
    np.testing.assert_allclose(poses.best, expected.best, atol=1e-6)


def test_files_are_written_where_they_are_asked_for(images: list[ndarray]) -> None:
    poses = zedo.infer(images[:2], fov=40, out="out", formats=("npz", "csv"), **FEW)
    written = {path.name for path in Path("out").glob("[!.]*")}
    assert written == {"poses.npz", "poses.csv", "keypoints.json", "overlay.mp4"}
    np.testing.assert_array_equal(zedo.load("out/poses.npz").joints, poses.joints)


def test_one_picture_and_cameras_in_every_form(images: list[ndarray]) -> None:
    camera = zedo.read_camera(demo_assets()[1])
    forms: list[Any] = [camera, demo_assets()[1], str(demo_assets()[1])]
    first, *others = [zedo.infer(images[0], camera=form, **FEW) for form in forms]
    assert len(first) == 1 and first.times_s is None
    for poses in others:
        np.testing.assert_array_equal(poses.joints, first.joints)
    by_matrix = zedo.infer(images[0], camera=camera.matrix, **FEW)
    assert by_matrix.cameras[0].fx == camera.fx and by_matrix.best == pytest.approx(first.best, abs=0.1)
    assert zedo.infer(images[0], **FEW).cameras[0].source.startswith("guess")


def test_nobody_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    assert len(zedo.infer(np.zeros((16, 16, 3), np.uint8), **FEW)) == 0
    assert "nobody was found" in caplog.text


@pytest.mark.parametrize(
    ("images", "options", "message"),
    [
        ([], {}, "expected pictures as a list or an array of frames, got list"),
        ([np.zeros((4, 4, 3))], {}, r"frame 0: expected an RGB picture, uint8 .* got float64 \(4, 4, 3\)"),
        ([np.zeros((4, 4), np.uint8)], {}, "frame 0: expected an RGB picture"),
        ("missing.mp4", {}, "missing.mp4: no such file"),
        (np.zeros((9, 9, 3), np.uint8), {"hypos": 3}, "unknown option 'hypos'; expected some of .*hypotheses"),
        (np.zeros((9, 9, 3), np.uint8), {"formats": ("bvh",)}, "unknown option 'formats'"),
    ],
)
def test_what_is_no_input(images: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        zedo.infer(images, **options)


def test_two_cameras_at_once() -> None:
    with pytest.raises(CameraError, match="one way to give the camera"):
        zedo.infer(np.zeros((9, 9, 3), np.uint8), camera=np.eye(3), fov=40)
