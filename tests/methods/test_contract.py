"""Contract tests of every method, among them a toy method that is known to no other module."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from infer_cases import FPS, SIZE, body, own_format
from toy_method import TOY
from typer.testing import CliRunner

import zedo_core as zedo
from zedo_cli.app import app
from zedo_core.detection import DetectedFrame, Detections
from zedo_core.errors import InputError
from zedo_core.evaluate import EvalRequest, evaluate
from zedo_core.export import formats
from zedo_core.methods import DEFAULT_METHOD, Lifter, SteppingLifter, get_method, methods
from zedo_core.motions.smooth import smooth
from zedo_core.motions.tracks import fill_gaps, one_size
from zedo_core.motions.upright import upright
from zedo_core.pipeline import models
from zedo_core.render.overlay import render_overlay
from zedo_core.render.video import video_writer
from zedo_core.skeleton import COCO17, H36M17
from zedo_core.types import Frame, Keypoints, Poses

ROOT = Path(__file__).parents[2]
CAMERA = zedo.Camera.from_fov(60, SIZE)
FRAMES, GAP = 6, 3
EVERY = [*methods(), TOY.name]


@pytest.fixture(autouse=True)
def _second_method(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(methods(), TOY.name, TOY)


@pytest.fixture(params=EVERY)
def name(request: pytest.FixtureRequest) -> str:
    """The name of each method in turn."""
    return request.param


@pytest.fixture
def keypoints(tmp_path: Path) -> Path:
    """Two people, the second of whom is absent from one frame."""
    people = [{1: body(t), 2: body(t, 30.0)} if t != GAP else {1: body(t)} for t in range(FRAMES)]
    path = tmp_path / "keypoints.json"
    path.write_text(json.dumps(own_format(people)))
    return path


def lifter_of(name: str, **settings: Any) -> Lifter:
    return zedo.load_lifter(method=name, device="cpu", iterations=2, **settings)


def lifted(name: str, keypoints: Path, hypotheses: int = 2) -> Poses:
    return zedo.lift(zedo.read_keypoints(keypoints), CAMERA, hypotheses=hypotheses, lifter=lifter_of(name))


@pytest.mark.parametrize("path", sorted((ROOT / "zedo_core").rglob("*.py")), ids=lambda path: str(path.name))
def test_other_modules_know_methods_by_name_only(path: Path) -> None:
    parts = path.relative_to(ROOT / "zedo_core").parts
    assert parts[0] == "methods" or parts == ("__init__.py",) or "methods.zedo" not in path.read_text()


class TestMethod:
    def test_lookup_by_name(self, name: str) -> None:
        method = get_method(name)
        assert method.name == name and method.summary and method.presets and method.most_hypotheses >= 1
        with pytest.raises(InputError, match=rf"no method 'nobody'; expected one of .*{name}"):
            get_method("nobody")

    def test_properties_of_the_lifter(self, name: str) -> None:
        lifter = lifter_of(name)
        assert isinstance(lifter, Lifter) and lifter.name == name and lifter.settings["iterations"] == 2
        assert lifter.weights and len(lifter.weights_sha256) == 64
        json.dumps(dict(lifter.settings))

    @pytest.mark.parametrize("preset", [None, 0])
    def test_presets_by_name(self, name: str, preset: int | None) -> None:
        preset_name = None if preset is None else get_method(name).presets[preset]
        assert isinstance(zedo.load_lifter(method=name, device="cpu", preset=preset_name), Lifter)

    def test_unknown_settings_are_refused(self, name: str) -> None:
        with pytest.raises(InputError, match="no preset 'slow'"):
            zedo.load_lifter(method=name, device="cpu", preset="slow")

    def test_every_row_is_lifted(self, name: str, keypoints: Path) -> None:
        done: list[tuple[int, int]] = []
        people = zedo.read_keypoints(keypoints)
        poses, again = (
            zedo.lift(people, CAMERA, hypotheses=2, lifter=lifter_of(name), on_progress=lambda *now: done.append(now))
            for _ in range(2)
        )
        assert poses.joints.shape == (2 * FRAMES - 1, 2, len(poses.skeleton), 3) and np.isfinite(poses.joints).all()
        assert (poses.joints[..., 2] > 0).all() and done[-1] == (len(poses), len(poses))
        np.testing.assert_array_equal(poses.joints, again.joints)
        assert poses.provenance.method == name and poses.provenance.options["hypotheses"] == 2
        for values in (poses.score, -poses.spread):
            assert np.isnan(values).all() or (np.isfinite(values) & (values <= 0)).all()

    def test_rows_are_independent(self, name: str, keypoints: Path) -> None:
        """For methods without a window; other batch sizes round differently: 1 mm."""
        lifter, people = lifter_of(name), zedo.read_keypoints(keypoints)
        if lifter.window is None:
            one, both = (zedo.lift(rows, CAMERA, lifter=lifter) for rows in (people.take(people.track == 1), people))
            np.testing.assert_allclose(one.best, both.best[both.track == 1], rtol=0, atol=1e-3)

    def test_a_camera_per_frame(self, name: str, keypoints: Path) -> None:
        people, lifter = zedo.read_keypoints(keypoints), lifter_of(name)
        one, each = (zedo.lift(people, cameras, lifter=lifter) for cameras in (CAMERA, [CAMERA] * FRAMES))
        np.testing.assert_allclose(one.joints, each.joints, rtol=0, atol=1e-3)

    def test_numbers_of_hypotheses_out_of_range_are_refused(self, name: str, keypoints: Path) -> None:
        for count in (0, get_method(name).most_hypotheses + 1):
            with pytest.raises(InputError, match="hypotheses"):
                lifted(name, keypoints, count)

    def test_steps(self, name: str, keypoints: Path) -> None:
        """For methods that show them: of the rows that are asked for, from the same place, as often as asked."""
        lifter, people = lifter_of(name), zedo.read_keypoints(keypoints).to_skeleton(H36M17)
        if isinstance(lifter, SteppingLifter):
            wanted = np.array([1, 3, 7])
            steps, again = (lifter.steps(people, [CAMERA], wanted, 2, 5) for _ in range(2))
            assert steps.joints.shape == (len(steps.names), 3, 17, 3) and len(set(steps.names)) == len(steps.names)
            assert np.isfinite(steps.joints).all()
            np.testing.assert_array_equal(steps.joints, again.joints)
            alone = lifter.steps(people, [CAMERA], wanted[1:2], 2, 5)
            np.testing.assert_allclose(alone.joints, steps.joints[:, 1:2], rtol=0, atol=1e-3)

    def test_no_people(self, name: str) -> None:
        empty = Keypoints.from_dense(np.zeros((3, 1, 17, 2)), np.zeros((3, 1, 17)), COCO17)
        assert len(zedo.lift(empty, CAMERA, lifter=lifter_of(name))) == 0


class TestResults:
    def test_selection_and_smoothing(self, name: str, keypoints: Path) -> None:
        poses = lifted(name, keypoints)
        for choice in ("best", "track", "mean"):
            chosen = zedo.select(poses, choice)
            refined = fill_gaps(smooth(one_size(chosen), "light"), 1.0)
            assert len(refined) == 2 * FRAMES and refined.filled.sum() == 1
            assert np.isfinite(refined.best).all() and upright(refined).points.shape == refined.best.shape

    def test_every_format(self, name: str, keypoints: Path, tmp_path: Path) -> None:
        poses = lifted(name, keypoints)
        for suffix in available_formats():
            files = zedo.save(poses, tmp_path / f"poses{suffix}")
            assert files and all(file.stat().st_size for file in files)
            if hasattr(formats()[suffix], "read"):
                again = zedo.load(tmp_path / f"poses{suffix}")
                np.testing.assert_allclose(again.best, poses.best, rtol=0, atol=1e-4)  # rounding in text formats
                np.testing.assert_array_equal(np.isnan(again.score), np.isnan(poses.score))

    def test_an_overlay(self, name: str, keypoints: Path, tmp_path: Path) -> None:
        overlay = tmp_path / "overlay.mp4"
        render_overlay(lifted(name, keypoints), zedo.read_keypoints(keypoints), overlay, source=None)
        assert overlay.stat().st_size > 1000


class TestCommands:
    def test_infer(self, name: str, keypoints: Path, tmp_path: Path) -> None:
        out = tmp_path / "out"
        report = run("infer", keypoints, "--method", name, "--iterations", 2, "--hypo", 2, "--fov", 60, "--out", out)
        assert report["method"] == name and report["poses"] == 2 * FRAMES and report["filled"] == 1
        assert zedo.load(out / "poses.npz").provenance.method == name and (out / "overlay.mp4").is_file()

    def test_live(self, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(models, "load_detector", lambda *_: OnePerson())
        video, out = tmp_path / "video.mp4", tmp_path / "out"
        with video_writer(video, FPS) as writer:
            for t in range(FRAMES):
                writer.write(np.full((SIZE[1], SIZE[0], 3), 40 * t, np.uint8))
        given = ("--detector", video, "--fov", 60, "--record", out)  # any file, since the detector is replaced
        report = run("live", video, "--method", name, "--iterations", 1, *given)
        assert report["frames"] >= 1 and report["frames_with_people"] == report["frames"]
        assert zedo.load(out / "poses.npz").provenance.method == name

    def test_eval(self, name: str, tmp_path: Path) -> None:
        given = ("--method", name, "--every", 60, "--hypo", "1,2", "--iterations", 1, "--gallery", 1)
        report = run("eval", *given, "--out", tmp_path / "eval")
        assert report["request"]["method"] == name and [row["hypotheses"] for row in report["rows"]] == [1, 2]
        for row in report["rows"]:
            numbers = row["numbers"]
            assert 0 < numbers["mpjpe"]["oracle"] <= numbers["mpjpe"]["chosen"] < 1000
        names = {path.name for path in (tmp_path / "eval").iterdir()}
        assert {"results.json", "results.md", "joints.png", "hypotheses.png", "gallery.html"} <= names

    @pytest.mark.parametrize("name", [name for name in EVERY if name != DEFAULT_METHOD])
    def test_bench(self, name: str, tmp_path: Path) -> None:
        report = run("bench", "--method", name, "--quick", "--device", "cpu", "--out", tmp_path)
        groups = {m["group"] for m in report["measurements"]}
        assert report["request"]["method"] == name and groups == {"rates", "picture"}
        assert all(m["seconds"] > 0 for m in report["measurements"])
        assert {path.name for path in tmp_path.iterdir()} == {"bench.json", "bench.md"}


class TestEvaluation:
    def test_no_plots_of_scores_without_scores(self, tmp_path: Path) -> None:
        run("eval", "--method", TOY.name, "--every", 60, "--hypo", "1", "--out", tmp_path)
        assert not {"expected_error.png", "calibration.png"} & {path.name for path in tmp_path.iterdir()}
        assert "expected error" not in (tmp_path / "results.md").read_text()

    def test_another_method_is_another_evaluation(self, tmp_path: Path) -> None:
        request = EvalRequest(method=TOY.name, every=60, hypotheses=(1,))
        assert evaluate(request, tmp_path) is not None
        with pytest.raises(InputError, match=r"another evaluation \(iterations, method, weights differ"):
            evaluate(replace(request, method=DEFAULT_METHOD, iterations=1), tmp_path, resume=True)

    def test_a_method_with_a_window_gets_whole_sequences(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Every third sample of clips of 25 frames: no chunk ends within a clip."""
        lifter = TOY.load("none", "cpu", window=9)
        rows: list[int] = []

        def variants(trial: Any, joints: int) -> Iterator[Any]:
            for variant in TOY.variants(trial, joints):
                yield replace(variant, load=lambda device: lifter)

        lift = type(lifter).lift
        monkeypatch.setattr(type(lifter), "lift", lambda self, *given: rows.append(len(given[0])) or lift(self, *given))
        monkeypatch.setitem(methods(), TOY.name, replace(TOY, variants=variants))
        request = EvalRequest(method=TOY.name, hypotheses=(1,), every=3)
        found = evaluate(request, tmp_path)
        assert found is not None and sum(rows) == len(found.samples) == 200
        counts = np.bincount(found.samples.sequence)
        ends = np.cumsum(counts)
        assert set(np.cumsum(rows).tolist()) <= set(ends.tolist()) and rows[0] >= 100


class OnePerson:
    """A detector that finds the demo's person in every frame."""

    name, files, skeleton, image_px, least_confidence = "stub", (), COCO17, 640, 0.1

    def detect(self, frame: Frame, before: Sequence[DetectedFrame] = ()) -> Detections:
        joints = np.reshape(body(0), (1, 17, 3))
        points = joints[0, joints[0, :, 2] > 0, :2]
        box = np.concatenate([points.min(0), points.max(0)])[None]
        return Detections(boxes=box, confidence=np.full(1, 0.9), joints=joints)


def available_formats() -> list[str]:
    """Suffixes of formats whose packages are installed."""

    def is_available(suffix: str) -> bool:
        try:
            getattr(formats()[suffix], "require", lambda: None)()
            return True
        except zedo.ZedoError:
            return False

    return [suffix for suffix in formats() if is_available(suffix)]


def run(*words: object) -> dict[str, Any]:
    """Run a command and return its report."""
    result = CliRunner().invoke(app, [*map(str, words), "--json"])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)
