"""Renderings of saved results and `zedo render`, written to files and read back."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.spatial.transform import Rotation
from test_render import SIZE, frames_of, near, people, write_grey_video
from typer.testing import CliRunner, Result

from zedo_cli.app import app
from zedo_core.errors import InputError, OutputError
from zedo_core.export import save
from zedo_core.keypoints import write_keypoints
from zedo_core.render.clips import render
from zedo_core.render.draw import SIDES
from zedo_core.render.turning_view import fit_turning, levelled
from zedo_core.skeleton import H36M17
from zedo_core.source import open_source

TIMES_S = [0.0, 0.1, 0.15, 0.4, 0.5]


@pytest.mark.parametrize("kind", ["overlay", "side"])
def test_times_size_and_position_in_a_video(tmp_path, kind):
    source = open_source(write_grey_video(tmp_path / "in.mp4", TIMES_S))
    done = []
    render(kind, *people(), tmp_path / "out.mp4", source=source, on_frame=done.append)
    frames = list(open_source(tmp_path / "out.mp4"))
    assert [frame.time_s for frame in frames] == pytest.approx(TIMES_S, abs=1e-4)
    assert [frame.image[3, 3, 0] for frame in frames] == pytest.approx([10, 30, 50, 70, 90], abs=4)
    assert done == [1, 2, 3, 4, 5]
    width, height = frames[0].size
    assert height == SIZE[1] and (width == SIZE[0] if kind == "overlay" else width > 1.5 * SIZE[0])


def test_large_videos_are_not_scaled_down(tmp_path):
    size = (2200, 1300)
    source = open_source(write_grey_video(tmp_path / "in.mp4", [0.0, 0.1], size))
    render("overlay", *frames_of(*people(size=size), [0, 1]), tmp_path / "out.mp4", source=source)
    assert open_source(tmp_path / "out.mp4").size == size


def test_a_folder_of_pictures_has_the_results_frame_rate(tmp_path):
    (tmp_path / "in").mkdir()
    for i in range(5):
        Image.new("RGB", SIZE, (250, 10 * i, 250)).save(tmp_path / "in" / f"{i}.png")
    render("overlay", *people(), tmp_path / "a.mp4", source=open_source(tmp_path / "in"))
    assert open_source(tmp_path / "a.mp4").fps == 30.0


def test_the_panel_rotates(tmp_path):
    """A full turn takes 12 seconds: the arms point sideways at first, and are seen from the side at 3 s."""
    poses, keypoints = frames_of(*people(t=13, p=1, h=1), list(range(13)))
    joints = poses.joints.copy()
    for side, sign in (("left", 1), ("right", -1)):
        joints[..., H36M17.index(f"{side}_wrist"), :] = joints[..., 0, :] + np.array([0.8 * sign, -0.4, 0])
    poses = replace(poses, joints=joints, fps=1.0)
    source = open_source(write_grey_video(tmp_path / "in.mp4", [float(i) for i in range(13)]))
    render("side", poses, keypoints, tmp_path / "out.mp4", source=source)
    panels = [frame.image[40:, SIZE[0] :] for frame in open_source(tmp_path / "out.mp4")]

    def left_of_right(image: np.ndarray) -> float:
        return float(np.subtract(*(np.argwhere(near(image, SIDES[side]))[:, 1].mean() for side in ("left", "right"))))

    first = left_of_right(panels[0])
    assert first > 15 and abs(left_of_right(panels[3])) < 0.5 * first
    assert left_of_right(panels[6]) < -0.7 * first and left_of_right(panels[12]) > 0.7 * first


def test_the_people_stand_on_the_floor_and_fit_the_panel_at_every_angle():
    poses, _ = people()
    tilted = Rotation.from_euler("x", 30, degrees=True).as_matrix()
    tilted_poses = replace(poses, joints=poses.joints @ tilted.T)
    for level in (levelled(poses).best, levelled(tilted_poses).best):
        heights = -level[..., 1]
        assert np.nanmin(heights) == pytest.approx(0, abs=0.02)
        assert np.nanmean(heights[..., H36M17.index("head_top")]) == pytest.approx(1.6, abs=0.02)
        points = level.reshape(-1, 3)
        views = [fit_turning(points, (300, 400), turn) for turn in np.linspace(0, 2 * math.pi, 9)]
        assert len({round(view.scale_px_per_m, 6) for view in views}) == 1
        for view in views:
            xy = view.pixels(points[np.isfinite(points).all(-1)])
            assert (xy >= 0).all() and (xy <= (300, 400)).all()


def test_a_sheet_shows_frames_with_people(tmp_path):
    poses, keypoints = people(t=9, p=1)
    source = open_source(write_grey_video(tmp_path / "in.mp4", [i / 30 for i in range(9)]))
    render("sheet", poses.take(poses.frame < 5), keypoints, tmp_path / "a.png", source=source, moments=3)
    image = np.asarray(Image.open(tmp_path / "a.png"))
    shades = [10 + 20 * i for i in range(9)]
    shown = [i for i, grey in enumerate(shades) if (np.abs(image.astype(int) - grey).max(-1) < 3).mean() > 0.04]
    assert shown == [0, 2, 4]


def test_a_sheet_of_more_moments_than_frames(tmp_path):
    render("sheet", *frames_of(*people(), [0, 1]), tmp_path / "a.png", source=None, moments=50)
    with Image.open(tmp_path / "a.png") as image:
        assert min(image.size) > 400


def test_the_speed_of_a_gif(tmp_path):
    """60 frames at 30 fps: every third, 100 ms each."""
    render("gif", *people(t=60, p=1), tmp_path / "a.gif", source=None)
    with Image.open(tmp_path / "a.gif") as gif:
        durations = []
        for i in range(gif.n_frames):
            gif.seek(i)
            durations.append(gif.info["duration"])
        assert sum(durations) == 2000 and max(durations[:-1]) >= 100
        assert gif.info["loop"] == 0 and gif.size[1] == 120
        assert near(np.asarray(gif.convert("RGB")), SIDES["left"]).any()


def test_a_single_frame_is_an_image(tmp_path):
    for kind in ("overlay", "side"):
        render(kind, *frames_of(*people(), [0]), tmp_path / f"{kind}.png", source=None)
    with Image.open(tmp_path / "overlay.png") as image:
        assert image.size == SIZE


def test_invalid_requests_are_refused(tmp_path):
    poses, keypoints = people()
    for kind, name in (("overlay", "a.gif"), ("overlay", "a.png"), ("sheet", "a.mp4"), ("gif", "a.mp4"), ("side", "a")):
        with pytest.raises(OutputError, match="expected a name ending in"):
            render(kind, poses, keypoints, tmp_path / name, source=None)
    with pytest.raises(InputError, match="expected one of the kinds overlay, side, sheet, gif, found 'film'"):
        render("film", poses, keypoints, tmp_path / "a.mp4", source=None)
    other = open_source(write_grey_video(tmp_path / "in.mp4", [0.0, 0.1], (120, 160)))
    with pytest.raises(InputError, match="expected the input of the result, 160x120 px, found 120x160 px"):
        render("overlay", poses, keypoints, tmp_path / "a.mp4", source=other)
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]


# The command


def zedo(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture
def result(tmp_path: Path) -> Path:
    poses, keypoints = people()
    save(poses, tmp_path / "result" / "poses.npz")
    write_keypoints(keypoints, tmp_path / "result" / "keypoints.json")
    write_grey_video(tmp_path / "in.mp4", TIMES_S)
    return tmp_path / "result"


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("overlay", "poses_overlay.mp4"),
        ("side", "poses_side.mp4"),
        ("sheet", "poses_sheet.png"),
        ("gif", "poses_gif.gif"),
    ],
)
def test_render(result, kind, name):
    done = zedo("render", result, "--source", result.parent / "in.mp4", "--kind", kind, "--json", "--quiet")
    assert done.exit_code == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["file"] == str(result / name) and report["kind"] == kind and report["frames"] == 5
    assert (result / name).stat().st_size > 1000 and report["up"].startswith("estimated")


def test_render_without_source_and_keypoints(result):
    (result / "keypoints.json").unlink()
    done = zedo("render", result / "poses.npz", "--out", result / "new" / "a.mp4", "--up", "camera")
    assert done.exit_code == 0, done.stderr
    assert "keypoints.json: no such file; the poses are drawn without 2D keypoints" in " ".join(done.stderr.split())
    assert open_source(result / "new" / "a.mp4").size == SIZE


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--kind", "film"], 2, "--kind: expected overlay, side, sheet, gif, steps, found 'film'"),
        (["--source", "none.mp4"], 2, "none.mp4: expected a picture, a video or a folder of pictures, found nothing"),
        (["--out", "a.avi"], 1, "a.avi: expected a name ending in .mp4 or, for a single frame, .png for overlay"),
        (["--up", "0,0,0"], 2, "expected a direction"),
    ],
)
def test_render_errors(result, words, code, message):
    done = zedo("render", result, *words)
    assert done.exit_code == code and message in " ".join(done.stderr.split()), done.stderr
    assert sorted(path.name for path in result.iterdir()) == ["keypoints.json", "poses.npz"]
