"""What is evaluated: samples, their noise, those that are left out, and the rows that a method is given."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from evaluate_cases import QUICK
from toy_method import ConstantLifter
from typer.testing import CliRunner

import zedo_core
from zedo_cli.app import app
from zedo_cli.eval import _parse_noise
from zedo_core.camera import Camera
from zedo_core.data import Samples, load_samples
from zedo_core.errors import FormatError, InputError
from zedo_core.evaluate import EvalRequest, as_json, evaluate
from zedo_core.evaluate.run import chunks_of
from zedo_core.evaluate.samples import corrupt, digest, lift_samples, samples_of
from zedo_core.types import Keypoints, Lifted
from zedo_core.types.times import times_of


def test_the_sample_in_the_package(samples: Samples) -> None:
    """24 clips of 25 frames with realistic motion from frame to frame."""
    assert len(samples) == 600 and len(samples.sequences) == 24 and samples.left_out == 0
    steps = np.linalg.norm(np.diff(samples.joints_cam, axis=0), axis=-1).max(1)[np.diff(samples.sequence) == 0]
    assert 0 < np.median(steps) < 0.2 and steps.max() < 0.5
    assert digest(samples) == digest(load_samples("mocap", None))
    assert digest(samples) != digest(load_samples("mocap", None, seed=1))


@pytest.mark.skipif(os.name == "nt", reason="needs Unix")
def test_folder_of_motion_capture(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="expected one npz of motion capture in the folder, found none"):
        load_samples("mocap", tmp_path)


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


PRIOR = Path(zedo_core.__file__).parent / "assets" / "prior"


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
