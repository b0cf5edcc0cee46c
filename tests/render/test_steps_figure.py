"""Figures and animations of a method's steps, read back, and `zedo render --kind steps`."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from step_cases import lifted, saved
from test_render import near, people, write_grey_video
from typer.testing import CliRunner

from zedo_cli.app import app
from zedo_core.errors import InputError, OutputError
from zedo_core.methods import Steps
from zedo_core.render.draw import SIDES
from zedo_core.render.step_cells import StepsView, _cut_out
from zedo_core.render.steps import MAX_ROWS, render_steps
from zedo_core.source import open_source

CELL, TEXT = 320, 32  # px of a figure


def view_of(
    frames: int = 5, rows: list[int] | None = None, truth_off: float | None = None, steps: int = 3
) -> StepsView:
    """The first of two standing people; each step is 0.1 m nearer to the result, in depth."""
    poses, keypoints = people(t=frames)
    chosen = np.array(rows if rows is not None else [0, 2, 3])
    best = poses.best[chosen]
    away = np.zeros((steps, 1, 17, 3))
    away[:, 0, 1:, 0] = 0.1 * np.arange(steps)[::-1, None]  # every joint but the pelvis
    truth = None if truth_off is None else best + np.where(np.arange(17)[:, None] > 0, (truth_off, 0, 0), 0)
    made = Steps(names=tuple(f"step {k}" for k in range(steps)), joints=best + away)
    return StepsView(poses=poses, keypoints=keypoints, source=None, rows=chosen, steps=made, truth=truth)


def cells(image: np.ndarray, row: int, header: int = 2 * TEXT) -> list[np.ndarray]:
    top = header + row * (CELL + TEXT)
    return [image[top : top + CELL, x : x + CELL] for x in range(0, image.shape[1], CELL)]


def test_a_figure_has_a_row_for_each_pose(tmp_path: Path) -> None:
    view, done = view_of(truth_off=0.034), []
    assert view.titles == ("2D keypoints", "step 0", "step 1", "step 2", "result", "truth")
    render_steps(view, tmp_path / "a.png", done.append)
    image = np.asarray(Image.open(tmp_path / "a.png"))
    assert image.shape == (2 * TEXT + 3 * (CELL + TEXT), 6 * CELL, 3) and done == [1, 2, 3]
    for row in range(3):
        shown = cells(image, row)
        assert all(near(cell, SIDES["left"]).any() and near(cell, SIDES["right"]).any() for cell in shown)
        np.testing.assert_array_equal(shown[3], shown[4])  # the last step is the result
        places = [np.argwhere(near(cell, SIDES["left"]))[:, 1].mean() for cell in shown[1:4]]
        assert places[0] > places[1] + 2 > places[2] + 4  # the steps come from the right


def test_left_and_right_are_as_from_behind_the_camera(tmp_path: Path) -> None:
    """The person faces the camera: in the picture and beside it their left is on the right."""
    render_steps(view_of(), tmp_path / "a.png")
    for cell in cells(np.asarray(Image.open(tmp_path / "a.png")), 0):
        left, right = (np.argwhere(near(cell, SIDES[side]))[:, 1].mean() for side in ("left", "right"))
        assert left > right + 10


def test_the_error_of_a_result() -> None:
    view = view_of(truth_off=0.034)
    assert view.truth is not None and view_of().error_mm(0) is None
    assert view.error_mm(1) == pytest.approx(34 * 16 / 17)
    partly, pelvis = view.truth.copy(), view.truth.copy()
    partly[1, 5:], pelvis[1, 0] = np.nan, np.nan
    assert replace(view, truth=partly).error_mm(1) == pytest.approx(34 * 4 / 5)
    assert replace(view, truth=pelvis).error_mm(1) is None  # without a pelvis there is nothing to compare with


def test_a_truth_that_is_not_known_everywhere_is_drawn_as_far(tmp_path: Path) -> None:
    view = view_of(truth_off=0.0)
    assert view.truth is not None
    view.truth[0, [1, 2, 3, 14, 15, 16]] = np.nan
    render_steps(view, tmp_path / "a.png")
    cell = cells(np.asarray(Image.open(tmp_path / "a.png")), 0)[-1]
    assert near(cell, SIDES["left"]).any() and not near(cell, SIDES["right"]).any()


def test_few_of_many_steps_with_the_first_and_the_last() -> None:
    assert view_of(steps=21).titles == ("2D keypoints", "step 0", "step 5", "step 10", "step 15", "step 20", "result")
    assert view_of(steps=1).titles == ("2D keypoints", "step 0", "result")


def test_an_animation_plays_the_frames(tmp_path: Path) -> None:
    times_s = [0.0, 0.1, 0.15, 0.4, 0.5]
    source = open_source(write_grey_video(tmp_path / "in.mp4", times_s))
    view = replace(view_of(rows=[0, 1, 2, 3, 4]), source=source)
    render_steps(view, tmp_path / "a.mp4")
    frames = list(open_source(tmp_path / "a.mp4"))
    assert [frame.time_s for frame in frames] == pytest.approx(times_s, abs=1e-4)
    assert frames[0].size[0] == 5 * 270
    greys = [np.median(frame.image[90:290, 20:60]) for frame in frames]  # beside the person
    assert greys == pytest.approx([10, 30, 50, 70, 90], abs=4)


def test_an_animation_of_one_pose_plays_its_steps(tmp_path: Path) -> None:
    done: list[int] = []
    render_steps(view_of(rows=[2]), tmp_path / "a.mp4", done.append)
    frames = list(open_source(tmp_path / "a.mp4"))
    assert len(frames) == round((2 * 0.4 + 2) * 25) and done == [1] and frames[0].size[0] == 3 * 270
    off = [np.abs(one[:, 270:540].astype(int) - one[:, 540:]).mean() for one in (f.image[30:290] for f in frames)]
    assert off[0] > off[10] > off[21] and off[21] < 0.3 * off[0]  # the pose becomes the result beside it


def test_a_gif(tmp_path: Path) -> None:
    render_steps(view_of(rows=[2]), tmp_path / "a.gif")
    with Image.open(tmp_path / "a.gif") as gif:
        assert gif.n_frames == 24 and gif.size[0] == 3 * 170  # every third of 70 frames


def test_a_cut_out_beyond_the_picture() -> None:
    image = np.full((40, 60, 3), 200, np.uint8)
    image[:, 30:] = 100
    cell = _cut_out(image, (-10.0, -10.0, 80.0), 160)
    assert (cell[20:100, 20:80] == 200).all() and (cell[20:100, 80:140] == 100).all()
    assert (cell[:18] < 40).all() and (cell[102:] < 40).all() and (cell[:, :18] < 40).all()
    assert _cut_out(image, (1e6, 1e6, 50.0), 160).max() < 40 and _cut_out(image, (-1e7, -1e7, 3e7), 160).shape[0] == 160
    assert (_cut_out(image, (10.0, 10.0, 10.0), 160) == 200).all()


def test_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"ending in \.png, \.mp4, \.gif for steps"):
        render_steps(view_of(), tmp_path / "a.jpg")
    with pytest.raises(InputError, match=f"at most {MAX_ROWS} frames in a figure, got 50; see --frames"):
        render_steps(view_of(frames=60, rows=list(range(50))), tmp_path / "a.png")
    source = open_source(write_grey_video(tmp_path / "in.mp4", [0.0, 0.1]))
    with pytest.raises(InputError, match="expected the chosen frames in the source, found none"):
        render_steps(replace(view_of(rows=[3]), source=source), tmp_path / "a.png")
    assert not list(tmp_path.glob("a*"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(tmp_path_factory.mktemp("steps") / "out", *lifted("diff3dhpe"))


class TestCommand:
    def run(self, *words: object) -> tuple[int, str, str]:
        result = CliRunner().invoke(app, ["render", *map(str, words)])
        return result.exit_code, result.stdout, " ".join(result.stderr.split())

    def test_a_figure_beside_the_result(self, folder: Path) -> None:
        given = ("--kind", "steps", "--iterations", 2, "--truth", folder, "--device", "cpu", "--json")
        code, out, err = self.run(folder, *given)
        assert code == 0, err
        assert json.loads(out)["file"] == str(folder / "poses_steps.png") and json.loads(out)["frames"] == 3
        with Image.open(folder / "poses_steps.png") as image:
            assert image.size == (6 * CELL, 2 * TEXT + 3 * (CELL + TEXT))

    def test_an_animation(self, folder: Path, tmp_path: Path) -> None:
        code, _, err = self.run(folder, "--kind", "steps", "--frames", "2-4", "-o", tmp_path / "a.mp4")
        assert code == 0 and len(list(open_source(tmp_path / "a.mp4"))) == 3, err

    @pytest.mark.parametrize(
        ("given", "message"),
        [
            (("--frames", "1"), "--frames: expected --kind steps, found --kind overlay"),
            (("--kind", "steps", "--frames", "99"), "expected frames of the person among 0 to 5, found none in '99'"),
            (("--kind", "steps", "--weights", "erd"), "diff3dhpe.safetensors: no such file"),
            (("--kind", "step"), "expected overlay, side, sheet, gif, steps, found 'step'"),
        ],
    )
    def test_bad_input_is_one_line(self, folder: Path, given: tuple[str, ...], message: str) -> None:
        code, out, err = self.run(folder, *given)
        assert code in (1, 2) and not out and message in err and "Traceback" not in err
