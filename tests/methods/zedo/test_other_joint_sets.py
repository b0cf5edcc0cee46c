"""A prior for another joint set than Human3.6M's, from training to 3D poses."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from train_cases import synthetic_motions
from typer.testing import CliRunner

import zedo_core
from zedo_core.errors import WeightsError
from zedo_core.methods.zedo.loading import load
from zedo_core.skeleton import H36M17, LSP14

FRAMES = 3


@pytest.fixture(scope="module")
def zedo() -> Callable[..., str]:
    from zedo_cli.app import app

    def call(*words: object) -> str:
        result = CliRunner().invoke(app, [str(word) for word in words])
        assert result.exit_code == 0, result.stderr
        return result.stdout

    return call


@pytest.fixture(scope="module")
def weights(zedo: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lsp")
    positions = synthetic_motions().positions[:, H36M17.indices(LSP14.joints)]
    np.savez(folder / "poses.npz", positions=positions, joint_names=LSP14.joints, skeleton=LSP14.name)
    given = ("--data", folder / "poses.npz", "--out", folder / "prior", "--skeleton", "lsp-14")
    sizes = ("--width", 64, "--blocks", 1, "--batch", 8, "--steps", 3, "--check-every", 0, "--device", "cpu")
    zedo("train", "prior", *given, *sizes)
    zedo("train", "clusters", *given, "--hypo", "1,12")
    return folder / "prior"


def keypoints_file(path: Path) -> Path:
    """A person of 14 joints about 4 m in front of the camera."""
    person = synthetic_motions().positions[0][H36M17.indices(LSP14.joints)]
    person = (person - person.mean(0)) * (1, -1, 1) + (0, 0, 4)
    xy = 1000 * person[:, :2] / person[:, 2:] + 500
    rows = np.concatenate([xy, np.ones((14, 1))], axis=1)
    np.savez(path, keypoints=np.tile(rows, (FRAMES, 1, 1)), joints=LSP14.name, image_size=(1001, 1001), fps=25.0)
    return path


def test_fourteen_joints_from_training_to_results(zedo: Callable[..., str], weights: Path, tmp_path: Path) -> None:
    given = ("--weights", weights, "--fx", 1000, "--out", tmp_path / "out", "--hypo", 3, "--device", "cpu", "--json")
    report = json.loads(zedo("infer", keypoints_file(tmp_path / "kp.npz"), *given))
    assert report["frames_with_people"] == FRAMES
    with np.load(tmp_path / "out" / "poses.npz") as found:
        assert found["joints"].shape == (FRAMES, 1, 3, 14, 3) and np.isfinite(found["joints"]).all()
        assert tuple(found["joint_names"]) == LSP14.joints
    assert (tmp_path / "out" / "overlay.mp4").stat().st_size > 1000


def test_the_papers_initial_pose_optimiser_supports_them(weights: Path) -> None:
    options = zedo_core.ZedoOptions(init="adam", adam_steps=3, iterations=2)
    lifter = load(weights, options=options, device="cpu")
    xy = np.random.default_rng(0).uniform(300, 700, (2, 14, 2))
    found = lifter.lift_rows(xy, np.ones((2, 14)), np.tile(np.diag([1000.0, 1000, 1]), (2, 1, 1)), 2)
    assert found.joints.shape == (2, 2, 14, 3) and np.isfinite(found.joints).all()


def test_initial_poses_of_other_joints_are_refused(weights: Path, tmp_path: Path) -> None:
    for file in weights.glob("prior*"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    with pytest.raises(WeightsError, match=r"expected initial poses of 14 joints \(lsp-14\), found 17; make them with"):
        zedo_core.load_lifter(tmp_path, device="cpu")
