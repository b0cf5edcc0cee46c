"""`zedo infer` and `zedo demo` from end to end: what comes out of good inputs."""

from __future__ import annotations

import importlib.util
import json
import math
import os
import signal
import subprocess
import sys
import time
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import numpy as np
import pytest
from infer_cases import FEW, FPS, SIZE, body, own_format
from PIL import Image
from typer.testing import CliRunner, Result

from zedo_cli.app import app
from zedo_core.export import json as json_form
from zedo_core.export import npz as npz_form
from zedo_core.keypoints import read_keypoints
from zedo_core.pipeline.finished import NAME as RECORD
from zedo_core.pipeline.run import demo_assets
from zedo_core.render.video import video_writer
from zedo_core.source import open_source
from zedo_core.source.cut import Cut, Moment

RESULTS = {"poses.npz", "poses.json", "keypoints.json"}


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Keypoints of one person in three frames."""
    path = tmp_path / "clip.json"
    path.write_text(json.dumps(own_format([{4: body(t)} for t in range(3)])))
    return path


@pytest.fixture
def detector(shared: Path) -> str:
    return str(shared / "assets" / "weights" / "yolov8n-pose-dequantised.pt")


def infer(source: Path, out: Path, *words: str) -> Result:
    """`zedo infer` in this process; it must end well."""
    result = CliRunner().invoke(app, ["infer", str(source), "--out", str(out), *FEW, *words])
    assert result.exit_code == 0, result.stderr
    return result


def process(*words: str) -> subprocess.Popen[str]:
    """`zedo` as a process of its own, with as many threads as this one."""
    command = [sys.executable, "-m", "zedo_cli.app", *words]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, text=True, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {RECORD}


def joints(out: Path) -> np.ndarray:
    with np.load(out / "poses.npz") as poses:
        return poses["joints"]


def write_video(path: Path, pictures: Iterator[np.ndarray], fps: int) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps, options={"preset": "ultrafast"})
        for number, picture in enumerate(pictures):
            if number == 0:
                stream.height, stream.width = picture.shape[:2]
                stream.pix_fmt = "yuv420p"
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))


def video_facts(path: Path) -> tuple[float, int]:
    """Frame rate and number of frames, counted."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.average_rate is not None
        return float(stream.average_rate), sum(1 for _ in container.decode(stream))


class TestKeypoints:
    def test_own_format(self, clip: Path, tmp_path: Path) -> None:
        infer(clip, tmp_path / "out")
        assert names(tmp_path / "out") == RESULTS | {"overlay.mp4"}
        assert video_facts(tmp_path / "out" / "overlay.mp4") == (FPS, 3)
        poses, same = (form.read(tmp_path / "out" / f"poses{form.SUFFIX}") for form in (npz_form, json_form))
        assert poses.joints.shape == (3, 2, 17, 3) and poses.track_ids.tolist() == [4]
        assert (poses.joints[..., 2] > 0).all()
        np.testing.assert_allclose(same.joints, poses.joints, atol=1e-6)  # JSON holds six decimals
        assert (same.chosen == poses.chosen).all() and same.cameras == poses.cameras
        assert same.provenance == poses.provenance
        assert poses.provenance.options["hypotheses"] == 2 and poses.provenance.options["iterations"] == 5

    def test_coco_list_of_one_picture(self, tmp_path: Path) -> None:
        (tmp_path / "coco.json").write_text(json.dumps([{"image_id": 7, "keypoints": body(0)}]))
        infer(tmp_path / "coco.json", tmp_path / "out", "--image-size", "136x240")
        assert names(tmp_path / "out") == RESULTS | {"overlay.png"}
        assert npz_form.read(tmp_path / "out" / "poses.npz").frame_numbers.tolist() == [7]

    def test_results_of_an_earlier_run_are_replaced_or_named(self, clip: Path, tmp_path: Path) -> None:
        out = tmp_path / "out"
        infer(clip, out, "--format", "npz,json,bvh,trc")
        (out / "notes.bvh").write_text("mine")
        result = infer(clip, out, "--format", "json,trc", "--hypo", "3")
        assert names(out) == {"poses.json", "poses.trc", "poses.bvh", "notes.bvh", "keypoints.json", "overlay.mp4"}
        assert "poses.npz: removed, left from an earlier run" in result.stderr
        assert "poses.bvh is left from an earlier run, not of this result" in " ".join(result.stderr.split())
        again = infer(clip, out, "--format", "npz,json,bvh,trc")
        assert "earlier run" not in again.stderr

    def test_npz(self, clip: Path, tmp_path: Path) -> None:
        """The same values in another file, and the K in it as the camera, give what the JSON gives."""
        values = np.array([body(t) for t in range(3)]).reshape(3, 17, 3)
        K = np.array([[210.0, 0, 64], [0, 210, 119], [0, 0, 1]])
        np.savez(tmp_path / "clip.npz", keypoints=values, joints="coco-17", image_size=SIZE, fps=FPS, K=K)
        infer(tmp_path / "clip.npz", tmp_path / "a", "--camera", str(tmp_path / "clip.npz"))
        infer(clip, tmp_path / "b", "--fx", "210", "--cx", "64", "--cy", "119")
        np.testing.assert_array_equal(joints(tmp_path / "a"), joints(tmp_path / "b"))

    def test_missing_joints_may_be_nan(self, tmp_path: Path) -> None:
        values = np.array(body(0)).reshape(1, 17, 3)
        values[0, 3] = np.nan, np.nan, 0.0
        np.savez(tmp_path / "clip.npz", keypoints=values, joints="coco-17", image_size=SIZE)
        infer(tmp_path / "clip.npz", tmp_path / "out")
        assert np.isfinite(joints(tmp_path / "out")).all()

    def test_two_people_and_a_gap(self, tmp_path: Path) -> None:
        one, two = [body(t) for t in range(3)], [body(t, 30.0) for t in range(3)]
        people = [{1: one[0], 8: two[0]}, {8: two[1]}, {1: one[2], 8: two[2]}]
        (tmp_path / "two.json").write_text(json.dumps(own_format(people)))
        filled = json.loads(infer(tmp_path / "two.json", tmp_path / "filled", "--json").stdout)
        assert (filled["poses"], filled["filled"]) == (6, 1)
        found = npz_form.read(tmp_path / "filled" / "poses.npz")
        assert found.dense().filled.tolist() == [[False, False], [True, False], [False, False]] and len(found) == 6
        report = json.loads(infer(tmp_path / "two.json", tmp_path / "out", "--json", "--fill", "0").stdout)
        assert (report["frames"], report["frames_with_people"], report["people"]) == (3, 3, 2)
        assert (report["poses"], report["filled"]) == (5, 0)
        poses = npz_form.read(tmp_path / "out" / "poses.npz")
        assert poses.track_ids.tolist() == [1, 8]
        there = poses.dense()
        assert there.present.tolist() == [[True, True], [False, True], [True, True]]
        assert np.isfinite(poses.joints).all()
        assert (there.best[[0, 2], 1, 0, 0] > there.best[[0, 2], 0, 0, 0]).all()  # the second stands to the right
        frames = json.loads((tmp_path / "out" / "poses.json").read_text())["frames"]
        assert [[person["track"] for person in frame["people"]] for frame in frames] == [[1, 8], [8], [1, 8]]

    def test_saved_keypoints_give_the_same_poses(self, clip: Path, tmp_path: Path) -> None:
        """As INPUT, and beside a video as --keypoints."""
        infer(clip, tmp_path / "a")
        saved = tmp_path / "a" / "keypoints.json"
        infer(saved, tmp_path / "b")
        pictures = (np.full((SIZE[1], SIZE[0], 3), 40 * t, np.uint8) for t in range(3))
        write_video(tmp_path / "clip.mp4", pictures, FPS)
        infer(tmp_path / "clip.mp4", tmp_path / "c", "--keypoints", str(saved), "--detector", "not needed")
        np.testing.assert_array_equal(joints(tmp_path / "b"), joints(tmp_path / "a"))
        np.testing.assert_array_equal(joints(tmp_path / "c"), joints(tmp_path / "a"))
        assert saved.read_bytes() == (tmp_path / "b" / "keypoints.json").read_bytes()
        assert video_facts(tmp_path / "c" / "overlay.mp4") == (FPS, 3)

    def test_a_principal_point_outside_of_the_picture(self, clip: Path, tmp_path: Path) -> None:
        """As in a crop; without an image size the overlay has nothing but the keypoints to go by."""
        document = json.loads(clip.read_text()) | {"image_sizes": None}
        clip.write_text(json.dumps(document))
        infer(clip, tmp_path / "out", "--fx", "300", "--cx", "-20", "--cy", "-60")
        assert names(tmp_path / "out") == RESULTS | {"overlay.mp4"}


def test_the_choice_of_up_goes_with_the_result(clip: Path, tmp_path: Path) -> None:
    infer(clip, tmp_path / "out", "--up", "0,-1,0", "--format", "npz,html")
    assert npz_form.read(tmp_path / "out" / "poses.npz").provenance.options["up"] is not None
    assert "<canvas" in (tmp_path / "out" / "poses.html").read_text()
    words = ["infer", str(clip), "--out", str(tmp_path / "other"), "--up", "sideways"]
    refused = CliRunner().invoke(app, words)
    assert refused.exit_code == 2 and "up: expected" in refused.stderr and not (tmp_path / "other").exists()


class TestReport:
    @pytest.mark.parametrize(
        ("words", "source", "focal_px"),
        [
            ("", "guess", math.hypot(*SIZE)),
            ("--fx 300", "given", 300.0),
            ("--fov 60", "field of view of 60 degrees", SIZE[0] / 2 / math.tan(math.radians(30))),
            ("--camera cameras.json:left", "cameras.json, camera left", 250.0),
            ("--camera large.json", "large.json, resized", 250.0),
        ],
    )
    def test_camera(
        self, words: str, source: str, focal_px: float, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        left = {"fx": 250, "fy": 250, "cx": 67.5, "cy": 119.5, "size": SIZE}
        Path("cameras.json").write_text(json.dumps({"left": left, "right": left | {"fx": 999}}))
        Path("large.json").write_text(json.dumps(left | {"fx": 500, "fy": 500, "size": (272, 480)}))
        report = json.loads(infer(clip, tmp_path / "out", "--json", *words.split()).stdout)
        assert source in report["camera"] and report["focal_px"] == pytest.approx(focal_px)
        (camera,) = npz_form.read(tmp_path / "out" / "poses.npz").cameras
        assert camera.fx == pytest.approx(focal_px) and camera.source == report["camera"]

    def test_json_is_all_of_stdout(self, clip: Path, tmp_path: Path) -> None:
        result = infer(clip, tmp_path / "out", "--json")
        report = json.loads(result.stdout)
        assert {Path(file).name for file in report["files"]} == names(tmp_path / "out")
        assert all(Path(file).is_file() for file in report["files"])
        assert 0 < report["reprojection_px"] < 20 and {"lift", "write", "render"} <= report["seconds"].keys()

    def test_the_table_shows_whole_paths(self, clip: Path, tmp_path: Path) -> None:
        """To be copied, however long they are."""
        out = tmp_path / "a_folder_with_a_long_name" / "and_another_one_in_it_with_a_name_as_long"
        shown = infer(clip, out).stderr
        assert all(str(file) in shown.replace("\n", " ").split() for file in out.iterdir() if file.name != RECORD)

    def test_the_next_step_is_the_last_line(self, clip: Path, tmp_path: Path) -> None:
        out = tmp_path / "my out"
        assert infer(clip, out).stderr.splitlines()[-1] == f"next: zedo view '{out}' --open"
        assert "next:" not in infer(clip, out, "--format", "csv").stderr  # which zedo view cannot read

    def test_open_writes_a_page_and_opens_it(self, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        opened = []
        monkeypatch.setattr(webbrowser, "open", lambda uri: opened.append(uri) or True)
        infer(clip, tmp_path / "out", "--open")
        assert opened == [(tmp_path / "out" / "poses.html").as_uri()]
        assert names(tmp_path / "out") == RESULTS | {"overlay.mp4", "poses.html"}
        two = CliRunner().invoke(app, ["infer", str(clip), str(clip.parent / "clip.json"), "b.json", "--open"])
        assert two.exit_code == 2 and "expected one input to open" in " ".join(two.stderr.split())

    def test_quiet(self, clip: Path, tmp_path: Path) -> None:
        result = infer(clip, tmp_path / "out", "--quiet")
        assert (result.stdout, result.stderr) == ("", "")

    def test_without_json_stdout_is_empty(self, clip: Path, tmp_path: Path) -> None:
        assert infer(clip, tmp_path / "out").stdout == ""

    def test_same_seed_same_bytes(self, clip: Path, tmp_path: Path) -> None:
        """In this process and in one of its own; another seed gives something else."""
        infer(clip, tmp_path / "a", "--seed", "3")
        infer(clip, tmp_path / "b", "--seed", "4")
        running = process("infer", str(clip), "--out", str(tmp_path / "c"), *FEW, "--seed", "3", "--json", "--quiet")
        stdout, stderr = running.communicate(timeout=120)
        assert (running.returncode, stderr) == (0, "")
        assert json.loads(stdout)["frames"] == 3
        a, c = ((tmp_path / name / "poses.npz").read_bytes() for name in "ac")
        assert a == c
        assert not np.array_equal(joints(tmp_path / "a"), joints(tmp_path / "b"))

    def test_closed_stdout_is_said(self) -> None:
        """`zedo ... --json >&-`: there is nowhere to write the report to; `download --list` is the fastest report."""
        words = ["-m", "zedo_cli.app", "download", "--list", "--json"]
        closing = f"import os, sys; os.close(1); os.execv(sys.executable, [sys.executable, *{words}])"
        done = subprocess.run([sys.executable, "-c", closing], stderr=subprocess.PIPE, text=True, timeout=120)
        assert done.returncode == 1 and done.stderr.startswith("error: ") and done.stderr.count("\n") == 1
        assert "stdout" in done.stderr and "unexpected" not in done.stderr


class TestPictures:
    def test_picture(self, detector: str, tmp_path: Path) -> None:
        package = importlib.util.find_spec("ultralytics")  # importing it here would be another way in than the tool's
        assert package is not None and package.origin is not None
        with Image.open(Path(package.origin).parent / "assets" / "bus.jpg") as picture:
            picture.resize((405, 540)).save(tmp_path / "bus.jpg")
        report = json.loads(infer(tmp_path / "bus.jpg", tmp_path / "out", "--detector", detector, "--json").stdout)
        assert report["people"] >= 3 and report["frames"] == 1
        assert names(tmp_path / "out") == RESULTS | {"overlay.png", "detections.jsonl"}
        with Image.open(tmp_path / "out" / "overlay.png") as overlay:
            assert overlay.height == 540 and overlay.width > 405  # the side view stands beside the picture

    def test_video(self, detector: str, shared: Path, tmp_path: Path) -> None:
        with av.open(str(shared / "assets" / "videos" / "balance" / "cam03.mp4")) as whole:
            frames = (frame for frame, _ in zip(whole.decode(video=0), range(4), strict=False))
            small = (frame.reformat(width=272, height=480, format="rgb24").to_ndarray() for frame in frames)
            write_video(tmp_path / "cut.mp4", small, 50)
        report = json.loads(infer(tmp_path / "cut.mp4", tmp_path / "out", "--detector", detector, "--json").stdout)
        assert (report["frames"], report["frames_with_people"], report["people"]) == (4, 4, 1)
        assert names(tmp_path / "out") == RESULTS | {"overlay.mp4", "detections.jsonl"}
        assert video_facts(tmp_path / "out" / "overlay.mp4") == (50, 4)
        found = read_keypoints(tmp_path / "out" / "keypoints.json")
        assert found.image_sizes == ((272, 480),) and found.fps == 50


class TestInterrupted:
    """Ctrl-C: exit code 130, one line, whole files or none."""

    @pytest.mark.parametrize(
        ("stage", "left"), [("lift", set()), ("render", RESULTS)], ids=lambda value: value if value else ""
    )
    def test_while_lifting_and_drawing(
        self, stage: str, left: set[str], clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self._interrupt(stage, clip, tmp_path / "out", monkeypatch)
        assert names(tmp_path / "out") == left
        if left:
            assert len(json_form.read(tmp_path / "out" / "poses.json")) == 3

    def test_while_detecting(self, detector: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        write_video(tmp_path / "grey.mp4", (np.full((48, 64, 3), t, np.uint8) for t in range(4)), FPS)
        self._interrupt("detect", tmp_path / "grey.mp4", tmp_path / "out", monkeypatch, "--detector", detector)
        assert names(tmp_path / "out") == {"detections.jsonl.part"}  # for the next run, which goes on from there

    def test_a_process(self, clip: Path, tmp_path: Path) -> None:
        out = tmp_path / "out"
        running = process("infer", str(clip), "--out", str(out), "--preset", "reference", "--hypo", "20")
        deadline = time.monotonic() + 60
        while not out.exists() and time.monotonic() < deadline:  # made when all is loaded
            time.sleep(0.02)
        time.sleep(0.2)
        running.send_signal(signal.SIGINT)
        stdout, stderr = running.communicate(timeout=60)
        assert (running.returncode, stdout, stderr) == (130, "", "error: interrupted\n")
        assert names(out) == set()

    @staticmethod
    def _interrupt(stage: str, source: Path, out: Path, monkeypatch: pytest.MonkeyPatch, *words: str) -> None:
        """Press Ctrl-C when a stage first reports."""

        @contextmanager
        def shown_stages() -> Iterator[Callable[[str, int, int | None], None]]:
            yield lambda now, done, total: signal.raise_signal(signal.SIGINT) if now == stage else None

        monkeypatch.setattr("zedo_cli.infer.shown_stages", shown_stages)
        result = CliRunner().invoke(app, ["infer", str(source), "--out", str(out), *FEW, *words])
        assert (result.exit_code, result.stdout, result.stderr) == (130, "", "error: interrupted\n")


def test_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The packaged video, cut to four frames: drawing all hundred takes long."""
    video, camera = demo_assets()
    first = list(open_source(video, Cut(end=Moment(4, "frame"))))
    with video_writer(tmp_path / "clip.mp4", 60) as writer:
        for frame in first:
            writer.write(frame.image, frame.time_s)
    monkeypatch.setattr("zedo_core.pipeline.run.demo_assets", lambda: (tmp_path / "clip.mp4", camera))
    out = tmp_path / "out"
    result = CliRunner().invoke(app, ["demo", "--hypo", "2", "--out", str(out), "--json", "--quiet"])
    assert (result.exit_code, result.stderr) == (0, "")
    report = json.loads(result.stdout)
    assert (report["frames"], report["people"], report["camera"]) == (4, 1, "camera.json")
    assert report["reprojection_px"] < 30
    assert names(out) == RESULTS | {"detections.jsonl", "overlay.mp4", "figure.png", "poses.html"}
    assert video_facts(out / "overlay.mp4") == (60, 4)
    with Image.open(out / "figure.png") as figure:
        assert min(figure.size) > 100
