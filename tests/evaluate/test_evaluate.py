"""Evaluation: known answers, runs that are killed and shared, ablations, and what is refused."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from zedo_cli.app import app
from zedo_core.data import Samples, load_samples
from zedo_core.errors import FormatError, InputError
from zedo_core.evaluate import EvalRequest, as_json, evaluate, write_report
from zedo_core.evaluate.cases import pick
from zedo_core.evaluate.measure import PER_HYPOTHESIS, measure
from zedo_core.evaluate.plots import binned
from zedo_core.evaluate.samples import digest, samples_of, spoilt
from zedo_core.evaluate.settings import settings_of
from zedo_core.evaluate.summary import consecutive, summarise
from zedo_core.metrics import mpjpe
from zedo_core.skeleton import H36M17
from zedo_core.types import Lifted

# Enough for three chunks, with few network calls.
QUICK = EvalRequest(every=2, hypotheses=(1, 2), iterations=3)
COMMAND = [sys.executable, "-c", "from zedo_cli.app import main; main()", "eval"]
OPTIONS = ["--every", "2", "--hypo", "1,2", "--iterations", "3", "--quiet"]


@pytest.fixture(scope="module")
def samples() -> Samples:
    return samples_of(EvalRequest())


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an unbroken run of QUICK."""
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
    """24 clips of 25 frames, in which people move a little from frame to frame."""
    assert len(samples) == 600 and len(samples.sequences) == 24 and samples.left_out == 0
    steps = np.linalg.norm(np.diff(samples.joints_cam, axis=0), axis=-1).max(1)[np.diff(samples.sequence) == 0]
    assert 0 < np.median(steps) < 0.2 and steps.max() < 0.5
    assert digest(samples) == digest(load_samples("mocap", None))
    assert digest(samples) != digest(load_samples("mocap", None, seed=1))


def test_a_perfect_prediction_has_no_error(samples: Samples) -> None:
    """Rounding to float32 at 5 m is 0.5 um; PA-MPJPE, the differences of lengths and of frames have no more."""
    numbers = summarise(samples, measure(samples, lifted(samples.joints_cam[:, None])))
    for metric in set(PER_HYPOTHESIS) - {"pck", "auc"}:
        assert numbers[metric]["chosen"] < 2e-3 and numbers[metric]["oracle"] < 2e-3
    for metric in ("position", "reprojection", "bones", "velocity", "acceleration"):
        assert numbers[metric] < 2e-3
    assert numbers["pck"]["chosen"] == 100.0
    assert max(numbers["joints"].values()) < 2e-3


def test_a_mirrored_prediction_is_forgiven_by_the_official_procrustes_alone(samples: Samples) -> None:
    mirrored = samples.joints_cam * np.array([-1.0, 1.0, 1.0])
    numbers = summarise(samples, measure(samples, lifted(mirrored[:, None])))
    assert numbers["pa_official"]["chosen"] < 2e-3 < 30 < numbers["pa_mpjpe"]["chosen"]


def test_the_official_protocol_does_not_move_the_prediction_to_its_root(samples: Samples) -> None:
    """All joints, the root with them, 30 mm off the pose's own origin."""
    moved = samples.joints_cam + np.array([0.03, 0.0, 0.0])
    numbers = summarise(samples, measure(samples, lifted(moved[:, None], samples.joints_cam[:, None, 0])))
    assert numbers["mpjpe"]["chosen"] < 2e-3
    assert numbers["official"]["chosen"] == pytest.approx(30.0, abs=2e-3)
    assert numbers["position"] == pytest.approx(30.0, abs=2e-3)


def test_chosen_mean_median_and_oracle_of_known_hypotheses(samples: Samples) -> None:
    """Hypotheses in which 17 joints but the root are off by 17/16 of 40, 10 and 100 mm."""
    off = np.zeros((3, 17, 3))
    off[:, 1:, 1] = np.array([0.040, 0.010, 0.100])[:, None] * 17 / 16
    numbers = summarise(samples, measure(samples, lifted(samples.joints_cam[:, None] + off)))
    wanted = {"chosen": 40.0, "mean": 50.0, "median": 40.0, "oracle": 10.0}
    for kind, value in wanted.items():
        assert numbers["mpjpe"][kind] == pytest.approx(value, abs=2e-3)
    assert numbers["mpjpe"]["chosen_interval"] == pytest.approx([40.0, 40.0], abs=2e-3)
    assert numbers["action_mean"]["mpjpe"] == pytest.approx({"chosen": 40.0, "oracle": 10.0}, abs=2e-3)


def test_means_over_frames_and_over_actions_differ_and_intervals_hold_the_mean(samples: Samples) -> None:
    """One clip of 25 frames, here its own action, is wrong; the other 23 are one action."""
    two = replace(samples, action=(samples.sequence == 0).astype(int), actions=("right", "wrong"))
    joints = samples.joints_cam.copy()
    joints[samples.sequence == 0, 1:, 0] += 0.24 * 17 / 16
    numbers = summarise(two, measure(two, lifted(joints[:, None])))
    assert numbers["mpjpe"]["chosen"] == pytest.approx(10.0, abs=2e-3)
    assert numbers["action_mean"]["mpjpe"]["chosen"] == pytest.approx(120.0, abs=2e-3)
    low, high = numbers["mpjpe"]["chosen_interval"]
    assert low < 1e-2 and 20 < high < 40  # the wrong clip is drawn 0 to 3 times, whole


def test_joints_without_truth_are_left_out(samples: Samples) -> None:
    known = tuple(joint for joint in H36M17.joints if joint not in ("spine", "neck_nose", "pelvis"))
    part = replace(samples, evaluated=known)
    joints = samples.joints_cam.copy()
    joints[:, H36M17.indices(("spine", "neck_nose"))] += 0.5
    numbers = summarise(part, measure(part, lifted(joints[:, None])))
    assert numbers["mpjpe"]["chosen"] < 2e-3 and set(numbers["joints"]) == set(known)


def test_velocities_are_taken_between_consecutive_frames_alone(samples: Samples) -> None:
    assert [len(run) for run in consecutive(samples)] == [25] * 24
    thinned = samples.take(slice(None, None, 2))
    assert all(len(run) == 1 for run in consecutive(thinned))
    assert summarise(thinned, measure(thinned, lifted(thinned.joints_cam[:, None])))["velocity"] is None


def test_samples_that_are_not_finite_are_left_out_and_counted(samples: Samples) -> None:
    joints, xy = samples.joints_cam.copy(), samples.xy.copy()
    joints[3, 5, 1], joints[4, 5, 1], xy[7, 0, 0] = np.nan, np.inf, np.nan
    kept = replace(samples, joints_cam=joints, xy=xy).finite()
    assert len(kept) == 597 and kept.left_out == 3
    with pytest.raises(FormatError, match="found none among 600"):
        replace(samples, xy=np.full_like(xy, np.nan)).finite()


def test_noise_and_hidden_joints_are_as_asked_for(samples: Samples) -> None:
    spoiled = spoilt(samples, EvalRequest(noise_px=5.0, drop=0.2, seed=3))
    hidden = spoiled.confidence == 0
    assert hidden.mean() == pytest.approx(0.2, abs=0.02)  # 3.5 standard deviations of 10 200 draws are 0.014
    difference = (spoiled.xy - samples.xy)[~hidden]
    assert difference.std() == pytest.approx(5.0, rel=0.05) and (spoiled.xy[hidden] == 0).all()
    assert digest(spoilt(samples, EvalRequest(noise_px=5.0, drop=0.2, seed=3))) == digest(spoiled)


def test_a_run_that_is_killed_goes_on_to_the_same_answer(tmp_path: Path, finished: Path) -> None:
    out = tmp_path / "killed"
    process = subprocess.Popen([*COMMAND, *OPTIONS, "--out", str(out)], stderr=subprocess.DEVNULL)
    for _ in range(1200):
        if any(out.glob("chunks/*/[0-9]*.npz")) or process.poll() is not None:
            break
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    there = list(out.glob("chunks/*/[0-9]*.npz"))
    assert process.returncode == -signal.SIGKILL and 0 < len(there) < 6 and not (out / "results.json").exists()
    before = {path: path.stat().st_mtime_ns for path in there}
    again = subprocess.run([*COMMAND, *OPTIONS, "--out", str(out), "--resume"], capture_output=True, text=True)
    assert again.returncode == 0, again.stderr
    assert (out / "results.json").read_bytes() == (finished / "results.json").read_bytes()
    assert all(path.stat().st_mtime_ns == then for path, then in before.items())


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


def test_a_damaged_chunk_is_named(tmp_path: Path) -> None:
    request = replace(QUICK, every=20, hypotheses=(1,))
    evaluate(request, tmp_path)
    chunk = next(tmp_path.glob("chunks/*/*.npz"))
    chunk.write_bytes(chunk.read_bytes()[:1000])
    with pytest.raises(InputError, match=f"{chunk.name}: damaged"):
        evaluate(request, tmp_path, resume=True)


def test_all_that_is_written(tmp_path: Path) -> None:
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


def test_iterations_and_hypotheses_of_the_ablations() -> None:
    rows = settings_of(EvalRequest(ablate=("iterations", "hypo"), hypotheses=(1,)))
    calls = {row.options.iterations: row.options.step for row in rows if row.table == "iterations"}
    assert max(calls) == 1000 and len({round(n * step, 9) for n, step in calls.items()}) == 1
    assert [row.hypotheses for row in rows if row.table == "hypo"] == [1, 2, 5, 10, 20, 50]
    same = [row.key for row in rows if row.hypotheses == 1 and row.options.iterations == 20]
    assert len(same) == 3 and len(set(same)) == 1  # computed once


def test_published_numbers_stand_beside_those_of_their_data_set() -> None:
    rows = settings_of(EvalRequest(dataset="h36m", data=Path("x"), hypotheses=(1, 50)))
    assert [row.published for row in rows] == [
        {"mpjpe": 50.1, "pa_mpjpe": 35.8},
        {"mpjpe": 37.0, "pa_mpjpe": 27.5},
    ]
    assert settings_of(EvalRequest(hypotheses=(1,)))[0].published == {}


def test_random_initial_poses_come_from_the_training_split(tmp_path: Path, samples: Samples) -> None:
    rng = np.random.default_rng(0)
    positions = rng.normal(0, 0.3, (300, 17, 3)).astype(np.float32)
    path = tmp_path / "own.npz"
    np.savez(path, positions=positions, offsets=[0, 280, 300], split=["train", "test"])
    request = EvalRequest(data=path, hypotheses=(1,), iterations=2, ablate=("init",))
    found = evaluate(request, tmp_path / "out")
    assert found is not None and [row.setting.missing for row in found.rows] == [""] * 4


def test_worst_median_and_best_cases_are_of_different_sequences() -> None:
    errors = np.arange(12.0)
    sequence = np.repeat([0, 1, 2, 3], 3)
    assert pick(errors, sequence, 2) == [
        *(("worst", 11), ("worst", 8)),
        *(("median", 6), ("median", 5)),
        *(("best", 0), ("best", 3)),
    ]
    everything = pick(errors, np.zeros(12, int), 5)
    assert len({row for _, row in everything}) == 12


def test_binned_is_the_root_mean_square_of_equal_parts() -> None:
    x, y = binned(np.array([4.0, 1.0, 3.0, 2.0]), np.array([3.0, 1.0, 4.0, 1.0]), 2)
    np.testing.assert_allclose(x, [1.5, 3.5])
    np.testing.assert_allclose(y, [1.0, np.sqrt(12.5)])


def test_errors_are_those_of_the_metrics(samples: Samples) -> None:
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
        (["--dataset", "h36m"], "name your copy of it by --data DIR"),
        (["--protocol", "paper"], "the paper has no protocol for mocap"),
        (["--input", "detected"], "mocap has no detected 2D"),
        (["--method", "magic"], "no method 'magic'; expected one of zedo"),
        (["--ablate", "ro,xx"], "no ablation 'xx'"),
        (["--preset", "x"], "no preset 'x'"),
        (["--hypo", "0"], "from 1 to 200"),
        (["--hypo", "1,x"], "expected whole numbers such as 1,10,50"),
        (["--shard", "3/2"], "expected a shard I/N"),
        (["--shard", "3"], "expected I/N such as 1/4"),
        (["--data", "/nowhere.npz"], "no such file"),
        (["--split", "moon"], "no frame is marked 'moon'"),
    ],
)
def test_what_is_refused(args: list[str], message: str, tmp_path: Path) -> None:
    result = run(*args, "--out", str(tmp_path / "out"))
    assert result.exit_code in (1, 2)
    assert message in " ".join(result.stderr.replace("│", " ").split())
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written_to(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = run("--every", "50", "--out", str(tmp_path / "file" / "out"))
    assert result.exit_code == 1 and "cannot write there" in result.stderr


@pytest.mark.skipif(os.name == "nt", reason="kill -9 is of Unix")
def test_folder_of_motion_capture(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="expected one npz of motion capture in the folder, found none"):
        load_samples("mocap", tmp_path)
