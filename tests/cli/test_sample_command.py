"""`zedo sample`: files, images and errors."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from infer_cases import demo_keypoints
from numpy import ndarray
from PIL import Image
from typer.testing import CliRunner

from zedo_core.data import mocap_clips

Zedo = Callable[..., tuple[int, str, str]]
FEW = ("--steps", 8, "--device", "cpu", "--json")


@pytest.fixture
def zedo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Zedo:
    from zedo_cli.app import app

    monkeypatch.chdir(tmp_path)

    def call(*words: object) -> tuple[int, str, str]:
        result = CliRunner().invoke(app, ["sample", *map(str, words)])
        return result.exit_code, result.stdout, result.stderr

    return call


@pytest.fixture
def bodies() -> ndarray:
    return mocap_clips.load(None).joints_cam[::120].astype(np.float32)


def test_poses_are_drawn(zedo: Zedo, tmp_path: Path) -> None:
    code, stdout, stderr = zedo("--count", 10, "--steps", 60, "--device", "cpu", "--json")
    assert code == 0, stderr
    report = json.loads(stdout)
    assert report["task"] == "drawn" and report["poses"] == 10 and report["moved_m"] is None
    assert report["within_limits"] >= 0.8
    with np.load(tmp_path / "zedo_samples" / "samples.npz") as found:
        assert found["poses"].shape == (10, 1, 17, 3) and len(found["joint_names"]) == 17
    with Image.open(tmp_path / "zedo_samples" / "samples.png") as picture:
        assert picture.size == (4 * 220, 3 * 220)
        assert len(np.unique(np.asarray(picture).reshape(-1, 3), axis=0)) > 10  # poses are drawn
    again = zedo("--count", 10, "--steps", 60, "--device", "cpu", "--flow")
    assert again[0] == 0 and "10 poses drawn" in again[2]


def test_missing_joints_are_completed(zedo: Zedo, bodies: ndarray, tmp_path: Path) -> None:
    bodies[:, 3] = np.nan
    np.save("part.npy", bodies)
    code, stdout, stderr = zedo("part.npy", "--count", 3, "--out", "done", *FEW)
    assert code == 0, stderr
    report = json.loads(stdout)
    assert report["task"] == "completed" and report["moved_m"] == pytest.approx(0, abs=1e-6)
    with np.load(tmp_path / "done" / "samples.npz") as found:
        assert found["poses"].shape == (len(bodies), 3, 17, 3) and np.isfinite(found["poses"]).all()


def test_a_result_is_denoised(zedo: Zedo, tmp_path: Path) -> None:
    """The poses of all people and frames of `zedo infer`."""
    import zedo_core

    keypoints, camera = demo_keypoints()
    poses = zedo_core.lift(
        zedo_core.read_keypoints(keypoints),
        zedo_core.read_camera(camera),
        hypotheses=2,
        lifter=zedo_core.load_lifter(options=zedo_core.ZedoOptions(iterations=2, initial_poses=10, candidates=2)),
    )
    zedo_core.save(poses, tmp_path / "poses.npz")
    code, stdout, stderr = zedo("poses.npz", "--sigma", 0.02, *FEW)
    assert code == 0, stderr
    report = json.loads(stdout)
    assert report["task"] == "denoised" and report["poses"] == len(poses)
    assert 0 < report["moved_m"] < 0.1


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (lambda b: b, (), "expected missing joints to complete, found none"),
        (lambda b: b[:, :14], (), r"expected 'poses' \(n, 17, 3\)"),
        (lambda b: b * 1000, ("--sigma", 0.01), "expected metres"),
        (lambda b: np.where(np.arange(17)[:, None] == 0, np.nan, b), (), "expected every pose to have its pelvis"),
        (lambda b: np.where(np.arange(17)[:, None] == 5, np.nan, b), ("--sigma", 0.01), "complete them first"),
        (lambda b: b, ("--sigma", 3), "up to 1 m"),
        (lambda b: b[:0], (), r"expected 'poses' \(n, 17, 3\)"),
    ],
)
def test_errors_are_one_line(
    change: Callable[[ndarray], ndarray], options: tuple[object, ...], message: str, zedo: Zedo, bodies: ndarray
) -> None:
    np.save("in.npy", change(bodies))
    code, _, stderr = zedo("in.npy", *options, *FEW)
    assert code == 2 and stderr.count("\n") == 1
    assert re.search(message, stderr), stderr
    assert not Path("zedo_samples").exists()


def test_invalid_files(zedo: Zedo) -> None:
    Path("text.npz").write_text("no poses")
    for name, message in (("text.npz", "not a readable npz"), ("lost.npz", "no such file")):
        code, _, stderr = zedo(name, *FEW)
        assert code == 2 and message in stderr
    code, _, stderr = zedo("--sigma", 0.1, *FEW)
    assert code == 2 and "expected a file of poses" in stderr
