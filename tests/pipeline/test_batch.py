"""Several inputs in one run."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from infer_cases import demo_keypoints
from PIL import Image
from typer.testing import CliRunner, Result

from zedo_cli.app import app
from zedo_core.errors import InputError, OutputError
from zedo_core.keypoints import read_keypoints
from zedo_core.pipeline import run
from zedo_core.pipeline.batch import expand, folders

FEW = ("--iterations", "2", "--hypo", "1")
DONE = "all results are there already"


@pytest.fixture
def clips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keypoints a, b and d of one frame, c that is none; the test runs beside them."""
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b", "deeper/d"):
        path = Path(f"clips/{name}.json")
        path.parent.mkdir(exist_ok=True, parents=True)
        values = read_keypoints(demo_keypoints()[0])
        person = np.concatenate([values.xy[0], values.confidence[0, :, None]], -1).round(1).ravel().tolist()
        path.write_text(json.dumps([{"image_id": 1, "keypoints": person}]))
    Path("clips/c.json").write_text("{")
    return Path("clips")


def zedo(*words: str) -> Result:
    return CliRunner().invoke(app, ["infer", *words, "--out", "out", "--image-size", "1088x1920", *FEW])


class TestNames:
    def test_patterns(self, clips: Path) -> None:
        assert expand(["clips/*.json"]) == tuple(clips / f"{name}.json" for name in "abc")
        assert expand(["clips/**/*.json"])[-1] == clips / "deeper" / "d.json"
        assert expand(["clips/b.json", "clips/[ab].json"]) == (clips / "b.json", clips / "a.json")  # each once
        assert expand(["nowhere.mp4", "-"]) == (Path("nowhere.mp4"), Path("-"))  # told when it is its turn
        with pytest.raises(InputError, match=r"clips/\*\.mp4: expected a file or folder that fits"):
            expand(["clips/a.json", "clips/*.mp4"])

    def test_a_file_whose_name_looks_like_a_pattern(self, tmp_path: Path) -> None:
        (tmp_path / "clip[1].mp4").touch()
        assert expand([tmp_path / "clip[1].mp4"]) == (tmp_path / "clip[1].mp4",)

    @pytest.mark.parametrize(
        ("inputs", "names"),
        [
            (["a.mp4", "b.mp4", "c"], ["a", "b", "c"]),
            (["a.mp4", "a.jpg"], ["a_mp4", "a_jpg"]),
            (["x/a.mp4", "y/a.mp4", "b.mp4"], ["x_a", "y_a", "b"]),
            (["x/a.mp4", "y/a.mp4", "y/a.jpg"], ["x_a", "y_a_mp4", "a_jpg"]),
            (["p/x/a.mp4", "q/x/a.mp4"], ["a", "a_2"]),
            (["-", "stdin.mp4"], ["stdin", "stdin_mp4"]),
        ],
    )
    def test_each_has_a_folder_of_its_own(self, inputs: list[str], names: list[str]) -> None:
        found = [path.name for path in folders([Path(name) for name in inputs], Path("out"))]
        assert len(set(found)) == len(found)
        if inputs != ["-", "stdin.mp4"]:
            assert found == names


def test_one_that_fails_does_not_end_it(clips: Path) -> None:
    result = zedo("clips/*.json", "nowhere.mp4", "clips/deeper/d.json", "--json")
    assert result.exit_code == 1
    report = json.loads(result.stdout)
    assert [Path(one["input"]).name for one in report["inputs"]] == [
        "a.json",
        "b.json",
        "c.json",
        "nowhere.mp4",
        "d.json",
    ]
    assert [one["report"] is not None for one in report["inputs"]] == [True, True, False, False, True]
    assert report["failed"] == 2 and "not valid JSON" in report["inputs"][2]["error"]
    table = result.stderr.splitlines()[-3:]
    assert table[0] == "error: 2 failed, the rest is done:"
    assert all(line.startswith("failed: ") for line in table[1:])
    assert "c.json" in table[1] and "nowhere.mp4: no such file" in table[2]
    assert not [path for path in Path("out").rglob("*") if path.is_file() and path.parent.name not in "abd"]
    assert all((Path("out") / name / "poses.npz").is_file() for name in "abd")


def test_all_well(clips: Path) -> None:
    result = zedo("clips/a.json", "clips/b.json")
    assert result.exit_code == 0 and "failed" not in result.stderr
    assert "clips/a.json: 1 frames (1 with people), 1 people, in out/a" in result.stderr


def test_one_alone_stays_as_it_is(clips: Path) -> None:
    assert zedo("clips/a.js*").exit_code == 0
    assert Path("out/poses.npz").is_file()
    broken = zedo("clips/c.js*")
    assert broken.exit_code == 2 and broken.stderr.startswith("error: clips/c.json: not valid JSON")


def test_what_is_wrong_for_all_of_them_ends_it_at_once(clips: Path) -> None:
    result = zedo("clips/a.json", "clips/b.json", "--weights", "nowhere")
    assert result.exit_code == 1 and result.stderr.count("\n") == 1 and "nowhere" in result.stderr
    assert zedo("clips/a.json", "clips/b.json", "--keypoints", "clips/a.json").exit_code == 2


def test_finished_ones_are_left_alone(clips: Path) -> None:
    zedo("clips/a.json", "clips/b.json")
    before = {name: Path(f"out/{name}/overlay.png").stat().st_mtime_ns for name in "ab"}
    Path("out/b/poses.npz").unlink()
    resumed = zedo("clips/a.json", "clips/b.json", "--resume")
    assert resumed.exit_code == 0 and "clips/a.json: all results are there already" in resumed.stderr
    after = {name: Path(f"out/{name}/overlay.png").stat().st_mtime_ns for name in "ab"}
    assert after["a"] == before["a"] and after["b"] > before["b"]
    later = before["a"] / 1e9 + 60
    os.utime("clips/a.json", (later, later))  # the input is another one now
    zedo("clips/a.json", "clips/b.json", "--resume")
    assert Path("out/a/overlay.png").stat().st_mtime_ns > before["a"]


def test_formats_whose_files_have_names_of_their_own(clips: Path) -> None:
    words = ("clips/a.json", "--format", "npz,angles,csv-wide", "--axes", "world-zup")
    assert zedo(*words).exit_code == 0
    assert {"angles.csv", "angles.html", "poses_wide.csv"} <= {path.name for path in Path("out").iterdir()}
    assert DONE in zedo(*words, "--resume").stderr
    Path("out/angles.csv").unlink()
    assert DONE not in zedo(*words, "--resume").stderr
    left = zedo("clips/a.json", "--format", "npz").stderr
    assert "angles.csv, angles.html, poses_wide.csv" in " ".join(left.split()) and "earlier run" in left


def test_a_file_for_each_person(clips: Path) -> None:
    left = json.loads(Path("clips/a.json").read_text())[0]
    moved = [value + 300 * (i % 3 == 0) for i, value in enumerate(left["keypoints"])]
    Path("two.json").write_text(json.dumps([left, left | {"keypoints": moved}]))
    words = ("two.json", "--format", "bvh,trc")
    assert zedo(*words).exit_code == 0
    files = {f"poses_person{i}.{kind}" for i in (1, 2) for kind in ("bvh", "trc")}
    assert {path.name for path in Path("out").glob("poses*")} == files
    for name in ("poses_person1.bvh", "poses_person2.trc"):
        assert DONE in zedo(*words, "--resume").stderr
        Path("out", name).unlink()
        assert DONE not in zedo(*words, "--resume").stderr
    assert DONE not in zedo("two.json", "--format", "bvh,csv", "--resume").stderr


def test_nobody_in_a_picture_is_a_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (64, 48)).save("grey.png")
    words = ["infer", "grey.png", "--format", "npz,bvh", "--out", "out", *FEW]
    assert CliRunner().invoke(app, words).exit_code == 0
    assert DONE in CliRunner().invoke(app, [*words, "--resume"]).stderr


def test_results_of_which_some_are_of_a_later_run_are_not_complete(
    clips: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    zedo("clips/a.json")

    def fails(*_: object) -> None:
        raise OutputError("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(run, "draw_results", fails)
        assert zedo("clips/a.json").exit_code == 1
    assert DONE not in zedo("clips/a.json", "--resume").stderr


def test_unknown_formats_and_axes_list_the_choices(clips: Path) -> None:
    for words, choices in ((("--format", "angels"), "angles, bvh"), (("--axes", "up"), "camera, world-yup, world-zup")):
        result = zedo("clips/a.json", *words)
        assert result.exit_code == 2 and choices in " ".join(result.stderr.split())


def test_an_unexpected_fault_is_one_of_one_input(clips: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from zedo_core.pipeline import observe

    real = observe.read_keypoints

    def fails(path: Path, **options: object):
        if path.name == "a.json":
            raise ValueError("two\nlines")
        return real(path, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(observe, "read_keypoints", fails)
    result = zedo("clips/a.json", "clips/b.json")
    assert result.exit_code == 1 and "failed: clips/a.json: unexpected ValueError: two lines" in result.stderr
    assert Path("out/b/poses.npz").is_file()
