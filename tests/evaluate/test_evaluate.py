"""Evaluation: known results, interrupted and shared runs, ablations, and errors."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from toy_method import ConstantLifter
from typer.testing import CliRunner

import zedo_core
from zedo_cli.app import app
from zedo_cli.eval import _parse_noise
from zedo_core.camera import Camera
from zedo_core.data import Samples, load_samples
from zedo_core.errors import FormatError, InputError
from zedo_core.evaluate import EvalRequest, as_json, evaluate, write_report
from zedo_core.evaluate.cases import select_rows
from zedo_core.evaluate.measure import PER_HYPOTHESIS, measure
from zedo_core.evaluate.plots import binned
from zedo_core.evaluate.run import chunks_of
from zedo_core.evaluate.samples import corrupt, digest, lift_samples, samples_of
from zedo_core.evaluate.summary import consecutive, summarise
from zedo_core.metrics import mpjpe
from zedo_core.skeleton import H36M17
from zedo_core.types import Keypoints, Lifted
from zedo_core.types.times import times_of

PRIOR = Path(zedo_core.__file__).parent / "assets" / "prior"
# Enough for three chunks, with few network calls.
QUICK = EvalRequest(every=2, hypotheses=(1, 2), iterations=3)
COMMAND = [sys.executable, "-c", "from zedo_cli.app import main; main()", "eval"]
OPTIONS = ["--every", "2", "--hypo", "1,2", "--iterations", "3", "--quiet"]


@pytest.fixture(scope="module")
def samples() -> Samples:
    return samples_of(EvalRequest())


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an uninterrupted run of QUICK."""
    out = tmp_path_factory.mktemp("eval")
    found = evaluate(QUICK, out)
    assert found is not None
    write_report(found, out)
    return out


def lifted(joints: Any, origin: Any = None) -> Lifted:
    n, h = joints.shape[:2]
    return Lifted(
        joints=joints.astype(np.float32),
        origin=np.asarray(joints[:, :, 0] if origin is None else origin, np.float32),
        score=np.zeros((n, h), np.float32),
        spread=np.zeros((n, 17), np.float32),
    )


def test_the_sample_in_the_package(samples: Samples) -> None:
    """24 clips of 25 frames with realistic motion from frame to frame."""
    assert len(samples) == 600 and len(samples.sequences) == 24 and samples.left_out == 0
    steps = np.linalg.norm(np.diff(samples.joints_cam, axis=0), axis=-1).max(1)[np.diff(samples.sequence) == 0]
    assert 0 < np.median(steps) < 0.2 and steps.max() < 0.5
    assert digest(samples) == digest(load_samples("mocap", None))
    assert digest(samples) != digest(load_samples("mocap", None, seed=1))


def test_a_perfect_prediction_has_no_error(samples: Samples) -> None:
    """Rounding to float32 at 5 m is 0.5 um, which bounds all the errors."""
    numbers = summarise(samples, measure(samples, lifted(samples.joints_cam[:, None])))
    for metric in set(PER_HYPOTHESIS) - {"pck", "auc"}:
        assert numbers[metric]["chosen"] < 2e-3 and numbers[metric]["oracle"] < 2e-3
    for metric in ("position", "reprojection", "bones", "velocity", "acceleration"):
        assert numbers[metric] < 2e-3
    assert numbers["pck"]["chosen"] == 100.0
    assert max(numbers["joints"].values()) < 2e-3


def test_only_the_official_procrustes_alignment_allows_reflection(samples: Samples) -> None:
    mirrored = samples.joints_cam * np.array([-1.0, 1.0, 1.0])
    numbers = summarise(samples, measure(samples, lifted(mirrored[:, None])))
    assert numbers["pa_official"]["chosen"] < 2e-3 < 30 < numbers["pa_mpjpe"]["chosen"]


def test_the_official_protocol_does_not_subtract_the_predicted_root(samples: Samples) -> None:
    """All joints including the root are 30 mm off the pose's origin."""
    moved = samples.joints_cam + np.array([0.03, 0.0, 0.0])
    numbers = summarise(samples, measure(samples, lifted(moved[:, None], samples.joints_cam[:, None, 0])))
    assert numbers["mpjpe"]["chosen"] < 2e-3
    assert numbers["official"]["chosen"] == pytest.approx(30.0, abs=2e-3)
    assert numbers["position"] == pytest.approx(30.0, abs=2e-3)


def test_chosen_mean_median_and_oracle_of_known_hypotheses(samples: Samples) -> None:
    """Hypotheses in which all joints except the root are off by 17/16 of 40, 10 and 100 mm."""
    offset = np.zeros((3, 17, 3))
    offset[:, 1:, 1] = np.array([0.040, 0.010, 0.100])[:, None] * 17 / 16
    numbers = summarise(samples, measure(samples, lifted(samples.joints_cam[:, None] + offset)))
    expected = {"chosen": 40.0, "mean": 50.0, "median": 40.0, "oracle": 10.0}
    for kind, value in expected.items():
        assert numbers["mpjpe"][kind] == pytest.approx(value, abs=2e-3)
    assert numbers["mpjpe"]["chosen_interval"] == pytest.approx([40.0, 40.0], abs=2e-3)
    assert numbers["action_mean"]["mpjpe"] == pytest.approx({"chosen": 40.0, "oracle": 10.0}, abs=2e-3)


def test_means_over_frames_and_actions_and_intervals(samples: Samples) -> None:
    """One clip of 25 frames with its own action is wrong; the other 23 have another action."""
    two = replace(samples, action=(samples.sequence == 0).astype(int), actions=("right", "wrong"))
    joints = samples.joints_cam.copy()
    joints[samples.sequence == 0, 1:, 0] += 0.24 * 17 / 16
    numbers = summarise(two, measure(two, lifted(joints[:, None])))
    assert numbers["mpjpe"]["chosen"] == pytest.approx(10.0, abs=2e-3)
    assert numbers["action_mean"]["mpjpe"]["chosen"] == pytest.approx(120.0, abs=2e-3)
    low, high = numbers["mpjpe"]["chosen_interval"]
    assert low < 1e-2 and 20 < high < 40  # the wrong clip is drawn 0 to 3 times


def test_joints_without_truth_are_left_out(samples: Samples) -> None:
    known = tuple(joint for joint in H36M17.joints if joint not in ("spine", "neck_nose", "pelvis"))
    part = replace(samples, evaluated=known)
    joints = samples.joints_cam.copy()
    joints[:, H36M17.indices(("spine", "neck_nose"))] += 0.5
    numbers = summarise(part, measure(part, lifted(joints[:, None])))
    assert numbers["mpjpe"]["chosen"] < 2e-3 and set(numbers["joints"]) == set(known)


def test_velocities_are_between_consecutive_frames_only(samples: Samples) -> None:
    assert [len(run) for run in consecutive(samples)] == [25] * 24
    thinned = samples.take(slice(None, None, 2))
    assert all(len(run) == 1 for run in consecutive(thinned))
    assert summarise(thinned, measure(thinned, lifted(thinned.joints_cam[:, None])))["velocity"] is None


def test_samples_that_are_not_finite_are_left_out_and_counted(samples: Samples) -> None:
    joints, xy = samples.joints_cam.copy(), samples.xy.copy()
    joints[3, 5, 1], joints[4, 5, 1], xy[7, 0, 0] = np.nan, np.inf, np.nan
    finite = replace(samples, joints_cam=joints, xy=xy).drop_nonfinite()
    assert len(finite) == 597 and finite.left_out == 3
    with pytest.raises(FormatError, match="found none among 600"):
        replace(samples, xy=np.full_like(xy, np.nan)).drop_nonfinite()


def test_detector_noise(samples: Samples) -> None:
    """Stronger noise moves the joints farther; a joint that was missing stays so."""
    hidden = replace(samples, confidence=samples.confidence * (np.arange(17) != 3))
    weak, strong = (corrupt(hidden, EvalRequest(detector_noise=strength, seed=3)) for strength in (0.5, 2.0))
    moved = [np.linalg.norm(one.xy - samples.xy, axis=-1)[one.confidence > 0] for one in (weak, strong)]
    assert np.median(moved[1]) > 3 * np.median(moved[0]) > 1
    for one in (weak, strong):
        assert (one.confidence[:, 3] == 0).all() and (one.xy[one.confidence == 0] == 0).all()
    assert digest(corrupt(hidden, EvalRequest(detector_noise=2.0, seed=3))) == digest(strong)
    with pytest.raises(InputError, match="detector noise of a strength from 0 to 10, got 11"):
        EvalRequest(detector_noise=11.0)


@pytest.mark.parametrize(
    ("text", "noise"), [("0", (0, 0)), ("2.5", (2.5, 0)), ("detector", (0, 1)), ("detector:0.5", (0, 0.5))]
)
def test_noise_on_the_command_line(text: str, noise: tuple[float, float]) -> None:
    assert _parse_noise(text) == noise


@pytest.mark.parametrize("text", ["-1", "much", "detector:x", "inf", "nan", "other:1"])
def test_wrong_noise_on_the_command_line(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="expected pixels such as 5, or detector:1"):
        _parse_noise(text)


def test_noise_and_hidden_joints(samples: Samples) -> None:
    corrupted = corrupt(samples, EvalRequest(noise_px=5.0, drop=0.2, seed=3))
    hidden = corrupted.confidence == 0
    assert hidden.mean() == pytest.approx(0.2, abs=0.02)  # 3.5 standard deviations of 10 200 draws are 0.014
    difference = (corrupted.xy - samples.xy)[~hidden]
    assert difference.std() == pytest.approx(5.0, rel=0.05) and (corrupted.xy[hidden] == 0).all()
    assert digest(corrupt(samples, EvalRequest(noise_px=5.0, drop=0.2, seed=3))) == digest(corrupted)


def test_a_killed_run_resumes_to_the_same_result(tmp_path: Path, finished: Path) -> None:
    out = tmp_path / "killed"
    process = subprocess.Popen([*COMMAND, *OPTIONS, "--out", str(out)], stderr=subprocess.DEVNULL)
    for _ in range(1200):
        if any(out.glob("chunks/*/[0-9]*.npz")) or process.poll() is not None:
            break
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    chunks = list(out.glob("chunks/*/[0-9]*.npz"))
    assert process.returncode == -signal.SIGKILL and 0 < len(chunks) < 6 and not (out / "results.json").exists()
    before = {path: path.stat().st_mtime_ns for path in chunks}
    resumed = subprocess.run([*COMMAND, *OPTIONS, "--out", str(out), "--resume"], capture_output=True, text=True)
    assert resumed.returncode == 0, resumed.stderr
    assert (out / "results.json").read_bytes() == (finished / "results.json").read_bytes()
    assert all(path.stat().st_mtime_ns == mtime for path, mtime in before.items())


def test_shards_share_a_folder(tmp_path: Path, finished: Path) -> None:
    assert evaluate(QUICK, tmp_path, shard=(1, 2)) is None
    found = evaluate(QUICK, tmp_path, shard=(2, 2))
    assert found is not None
    assert json.loads(json.dumps(as_json(found))) == json.loads((finished / "results.json").read_text())


def test_a_folder_with_a_run_is_not_overwritten(finished: Path) -> None:
    with pytest.raises(InputError, match="--resume"):
        evaluate(QUICK, finished)
    with pytest.raises(InputError, match=r"another evaluation \(noise_px, samples_sha256 differ\)"):
        evaluate(replace(QUICK, noise_px=2.0), finished, resume=True)
    (finished / "request.json").write_text("[]")
    with pytest.raises(InputError, match="cannot be read"):
        evaluate(QUICK, finished, resume=True)


def test_a_damaged_chunk_is_refused_by_name(tmp_path: Path) -> None:
    request = replace(QUICK, every=20, hypotheses=(1,))
    evaluate(request, tmp_path)
    chunk = next(tmp_path.glob("chunks/*/*.npz"))
    chunk.write_bytes(chunk.read_bytes()[:1000])
    with pytest.raises(InputError, match=f"{chunk.name}: the file is damaged"):
        evaluate(request, tmp_path, resume=True)


def test_the_files_of_a_report(tmp_path: Path) -> None:
    request = replace(QUICK, every=20, ablate=("ro", "wu", "ra", "init"), gallery=2)
    found = evaluate(request, tmp_path)
    assert found is not None
    names = {path.name for path in write_report(found, tmp_path)}
    assert names == {
        *("results.json", "timings.json", "results.csv", "results.md", "gallery.html"),
        *("joints.png", "expected_error.png", "calibration.png", "hypotheses.png"),
    }
    report = json.loads((tmp_path / "results.json").read_text())
    rows = {(row["table"], row["setting"]): row for row in report["rows"]}
    assert set(rows) == {
        *(("main", "S = 1"), ("main", "S = 2")),
        *(("parts", name) for name in ("none", "RO", "RO, WU", "RO, WU, RA")),
        *(("init", name) for name in ("clusters", "random", "generated")),
    }
    assert rows["init", "clusters"]["numbers"] == rows["main", "S = 1"]["numbers"]
    assert rows["init", "generated"]["numbers"] != rows["main", "S = 1"]["numbers"]
    assert "train" in rows["init", "random"]["missing"] and "--ra-weights" in rows["parts", "RO, WU, RA"]["missing"]
    text = (tmp_path / "results.md").read_text()
    assert (
        "The paper's numbers are for Human3.6M." in text
        and "RA: not run, needs weights" in text
        and "oracle" in text
        and "78.2" in text
    )
    lines = (tmp_path / "results.csv").read_text().splitlines()
    chosen = rows["main", "S = 2"]["numbers"]["mpjpe"]["chosen"]
    assert f"main,S = 2,2,3,mpjpe,chosen,{chosen}" in lines
    assert "parts,none,1,3,mpjpe,published,75.0" in lines


class TestRows:
    """Samples as rows: each sequence a track, each sample a frame with its own camera."""

    def test_tracks_frames_and_cameras_of_the_rows(self, samples: Samples) -> None:
        class CheckedLifter(ConstantLifter):
            def lift(self, rows: Keypoints, cameras: Sequence[Camera], *more: Any, **options: Any) -> Lifted:
                assert [(track, rows.frame[part].tolist()) for track, part in rows.tracks] == [
                    *((3, list(range(25))), (4, list(range(25, 50)))),
                ]
                assert (rows.frame_numbers[rows.frame] == part.frame).all() and len(cameras) == 50
                np.testing.assert_allclose([camera.matrix for camera in cameras], part.K)
                np.testing.assert_array_equal(rows.xy, part.xy)
                return super().lift(rows, cameras, *more, **options)

        part = samples.take(np.flatnonzero((samples.sequence == 3) | (samples.sequence == 4)))
        assert lift_samples(CheckedLifter(), part, 2, 5).joints.shape == (50, 2, 17, 3)

    def test_times_of_the_rows_are_those_of_their_frames(self, samples: Samples) -> None:
        class TimedLifter(ConstantLifter):
            def lift(self, rows: Keypoints, *more: Any, **options: Any) -> Lifted:
                assert rows.times_s is not None
                times_s = [times_of(rows)[rows.frame[part]] for _, part in rows.tracks]
                for times, frames in zip(times_s, ([0, 2, 7], [3, 4]), strict=True):
                    np.testing.assert_allclose(np.diff(times), np.diff(frames) / 50.0)
                return super().lift(rows, *more, **options)

        part = samples.take(np.flatnonzero((samples.sequence == 3) | (samples.sequence == 4))[[0, 2, 7, 28, 29]])
        part = replace(part, frame=np.array([0, 2, 7, 3, 4]), fps=50.0)
        assert len(lift_samples(TimedLifter(), part, 1, 0).joints) == 5

    def test_chunks_of_samples_and_of_whole_sequences(self) -> None:
        sequence = np.repeat(np.arange(5), [60, 60, 30, 250, 10])
        assert [(part.start, part.stop) for part in chunks_of(sequence, whole_sequences=False)] == [
            (start, min(start + 100, 410)) for start in range(0, 410, 100)
        ]
        assert [(part.start, part.stop) for part in chunks_of(sequence, whole_sequences=True)] == [
            *((0, 120), (120, 400), (400, 410)),
        ]

    def test_weights_of_other_joints_are_refused(self, tmp_path: Path) -> None:
        config, folder = json.loads((PRIOR / "prior.json").read_text()), tmp_path / "other"
        shutil.copytree(PRIOR, folder)
        own = {"joints": [f"j{i}" for i in range(17)], "parents": [None, *["j0"] * 16]}
        (folder / "prior.json").write_text(json.dumps({**config, "skeleton": {"name": "own", **own}}))
        with pytest.raises(InputError, match="for the joints of the data sets, h36m-17, found own"):
            evaluate(replace(QUICK, weights=str(folder), preset="zero-shot-prior-only"), tmp_path / "out")


class TestWithoutScores:
    """A method may provide neither scores nor spreads nor origins."""

    def test_the_official_protocol_measures_from_the_root(self, samples: Samples) -> None:
        joints = samples.joints_cam[:, None].astype(np.float32) + np.float32(0.03)
        measured = measure(samples, Lifted(joints=joints))
        assert not {"score", "spread"} & set(measured)
        assert summarise(samples, measured)["official"]["chosen"] < 2e-3


def test_worst_median_and_best_rows_are_from_different_sequences() -> None:
    errors = np.arange(12.0)
    sequence = np.repeat([0, 1, 2, 3], 3)
    assert select_rows(errors, sequence, 2) == [
        *(("worst", 11), ("worst", 8)),
        *(("median", 6), ("median", 5)),
        *(("best", 0), ("best", 3)),
    ]
    everything = select_rows(errors, np.zeros(12, int), 5)
    assert len({row for _, row in everything}) == 12


def test_binned_gives_the_rms_of_equal_parts() -> None:
    x, y = binned(np.array([4.0, 1.0, 3.0, 2.0]), np.array([3.0, 1.0, 4.0, 1.0]), 2)
    np.testing.assert_allclose(x, [1.5, 3.5])
    np.testing.assert_allclose(y, [1.0, np.sqrt(12.5)])


def test_errors_agree_with_the_metrics(samples: Samples) -> None:
    rng = np.random.default_rng(0)
    joints = samples.joints_cam[:, None] + rng.normal(0, 0.05, (600, 3, 17, 3))
    measured = measure(samples, lifted(joints))
    truth = np.broadcast_to(samples.joints_cam[:, None], joints.shape)
    np.testing.assert_allclose(measured["mpjpe"], mpjpe(joints, truth, 0), atol=1e-6)
    np.testing.assert_allclose(measured["joint"].mean(1), measured["mpjpe"][:, 0], atol=1e-6)


def run(*args: str) -> Any:
    return CliRunner().invoke(app, ["eval", *args])


def test_the_command_prints_tables_and_json(tmp_path: Path) -> None:
    result = run("--every", "20", "--hypo", "1,2", "--iterations", "3", "--out", str(tmp_path), "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == json.loads((tmp_path / "results.json").read_text())
    assert "PA-MPJPE" in result.stderr and "30 samples" in " ".join(result.stderr.split())


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--dataset", "coco"], "no data set 'coco'; expected one of h36m, 3dpw, 3dhp, ski, mocap"),
        (["--dataset", "h36m"], "give the path of your copy by --data DIR"),
        (["--protocol", "paper"], "protocol 'paper': expected one of the data sets"),
        (["--input", "detected"], "mocap has no detected 2D"),
        (["--method", "magic"], "no method 'magic'; expected one of diff3dhpe, erd, zedo"),
        (["--ablate", "ro,xx"], "no ablation 'xx'"),
        (["--preset", "x"], "no preset 'x'"),
        (["--hypo", "0"], "from 1 to 200"),
        (["--hypo", "1,x"], "expected whole numbers such as 1,10,50"),
        (["--shard", "3/2"], "expected a shard I/N"),
        (["--shard", "3"], "expected I/N such as 1/4"),
        (["--data", "/nowhere.npz"], "no such file"),
        (["--split", "moon"], "expected frames of the split 'moon'"),
    ],
)
def test_invalid_options(args: list[str], message: str, tmp_path: Path) -> None:
    result = run(*args, "--out", str(tmp_path / "out"))
    assert result.exit_code in (1, 2)
    assert message in " ".join(result.stderr.replace("│", " ").split())
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written_to(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = run("--every", "50", "--out", str(tmp_path / "file" / "out"))
    assert result.exit_code == 1 and "cannot write there" in result.stderr


@pytest.mark.skipif(os.name == "nt", reason="needs Unix")
def test_folder_of_motion_capture(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="expected one npz of motion capture in the folder, found none"):
        load_samples("mocap", tmp_path)


def without_detections(samples: Samples, rows: list[int]) -> Samples:
    """The samples, of which some have no detection, as in the published ones of Human3.6M."""
    confidence, xy = samples.confidence.copy(), samples.xy.copy()
    confidence[rows], xy[rows] = 0, 0
    confidence[rows[0], :3] = 1  # three keypoints do not tell the size of a person
    return replace(samples, confidence=confidence, xy=xy)


def test_samples_without_a_detection_are_counted_and_left_out(tmp_path, monkeypatch, samples) -> None:
    few = samples.take(slice(0, 40))
    monkeypatch.setattr("zedo_core.evaluate.samples.load_samples", lambda *words: without_detections(few, [3, 7, 20]))
    result = CliRunner().invoke(app, ["eval", "--out", str(tmp_path), "--json", "--hypo", "1", "--iterations", "3"])
    assert result.exit_code == 0, result.stderr
    report = json.loads(result.stdout)
    assert report["dataset"]["undetected"] == 3 and report["dataset"]["samples"] == 37
    assert "3 samples were left out of all means: no detection" in result.stderr
    assert "3 samples were left out of all means: no detection" in (tmp_path / "results.md").read_text()
    for name in ("results.json", "results.csv"):
        assert "NaN" not in (tmp_path / name).read_text() and "nan" not in (tmp_path / name).read_text()
    rest = few.take(np.delete(np.arange(40), [3, 7, 20]))
    monkeypatch.setattr("zedo_core.evaluate.samples.load_samples", lambda *words: rest)
    request = EvalRequest(hypotheses=(1,), iterations=3)
    alone = evaluate(request, tmp_path / "alone")
    assert alone is not None and report["rows"][0]["numbers"] == as_json(alone)["rows"][0]["numbers"]


def test_samples_of_which_none_has_a_detection_are_refused(monkeypatch, samples) -> None:
    few = samples.take(slice(0, 3))
    monkeypatch.setattr("zedo_core.evaluate.samples.load_samples", lambda *words: without_detections(few, [0, 1, 2]))
    with pytest.raises(InputError, match="expected people with 4 keypoints, found none among 3"):
        samples_of(EvalRequest())


@pytest.fixture
def fragile(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Lifting that fails, or gives NaN for some samples, where a test says so."""
    import zedo_core.evaluate.run as run

    behaviour: dict[str, Any] = {}
    original = run.lift_samples

    def lift(lifter: Any, part: Samples, hypotheses: int, seed: int) -> Lifted:
        if hypotheses == behaviour.get("fails"):
            raise ValueError("a fault of a method")
        lifted = original(lifter, part, hypotheses, seed)
        if hypotheses != behaviour.get("nan"):
            return lifted
        joints = lifted.joints.copy()
        joints[: behaviour.get("count", len(joints))] = np.nan
        return replace(lifted, joints=joints)

    monkeypatch.setattr(run, "lift_samples", lift)
    return behaviour


SHORT = EvalRequest(every=20, hypotheses=(1, 2), iterations=3)


@pytest.mark.parametrize("fault", ["fails", "nan"])
def test_a_variant_that_fails_does_not_lose_the_others(tmp_path, fragile, fault) -> None:
    whole = evaluate(SHORT, tmp_path / "whole")
    fragile[fault] = 2
    found = evaluate(SHORT, tmp_path / "out")
    assert found is not None and whole is not None
    assert found.rows[0].numbers == whole.rows[0].numbers
    assert found.rows[1].numbers is None and found.rows[1].variant.missing
    files = write_report(found, tmp_path / "out")
    assert {file.name for file in files} >= {"results.json", "results.csv", "results.md"}
    why = "failed: a fault of a method" if fault == "fails" else "no result is finite"
    assert f"not run, {why}" in (tmp_path / "out" / "results.md").read_text()
    fragile.clear()
    if fault == "fails":  # a later run goes on where it failed
        mended = evaluate(SHORT, tmp_path / "out", resume=True)
        assert mended is not None and mended.rows[1].numbers == whole.rows[1].numbers


def test_when_all_variants_fail_the_first_error_is_raised(tmp_path, fragile) -> None:
    fragile["fails"] = 1
    with pytest.raises(ValueError, match="a fault of a method"):
        evaluate(replace(SHORT, hypotheses=(1,)), tmp_path / "out")


def test_results_that_are_not_finite_are_counted_and_left_out_of_all_variants(tmp_path, fragile) -> None:
    fragile |= {"nan": 2, "count": 4}
    found = evaluate(SHORT, tmp_path / "out")
    assert found is not None and found.samples.failed == 4
    assert [(row.numbers or {})["samples"] for row in found.rows] == [len(found.samples)] * 2
    text = json.dumps(as_json(found), allow_nan=False)
    assert '"failed": 4' in text


def test_a_part_of_the_report_that_fails_does_not_lose_the_others(tmp_path, monkeypatch, caplog) -> None:
    found = evaluate(SHORT, tmp_path)
    assert found is not None

    def broken(*words: Any) -> Any:
        raise ValueError("a fault of a plot")

    monkeypatch.setattr("zedo_core.evaluate.plots.save_plots", broken)
    monkeypatch.setattr("zedo_core.evaluate.report.tidy", broken)
    files = write_report(replace(found, request=replace(SHORT, gallery=1)), tmp_path)
    assert {file.name for file in files} == {"results.json", "timings.json", "results.md", "gallery.html"}
    assert "plots: failed, the others are written (a fault of a plot)" in caplog.text
