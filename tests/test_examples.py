"""The examples run on real data as documented, and their results are in the measured range."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
from infer_cases import demo_keypoints
from train_cases import synthetic_motions

import zedo_core as zedo
from zedo_core.data.mocap_clips import SAMPLE

EXAMPLES = Path(__file__).parent.parent / "examples"


def run(example: str, *arguments: object) -> str:
    command = [sys.executable, EXAMPLES / example, *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_mocap_accuracy(shared: Path) -> None:
    """Measured: 67 mm on 2000 poses; 20 poses vary more."""
    file = shared / "data/mocap/mocap_h36m17.npz"
    output = run("mocap_accuracy.py", file, "--poses", 20, "--hypo", "1", "--preset", "default")
    (error,) = re.findall(r"chosen +([\d.]+)", output)
    assert 20 < float(error) < 120


def test_motion_accuracy(shared: Path) -> None:
    """One clip: the fit keeps bones and is better than smoothing. Measured on 24 clips: 52 and 42 mm."""
    file = shared / "data/mocap/mocap_h36m17.npz"
    output = run("motion_accuracy.py", file, "--clips", 2, "--noise", "5", "--hypo", 3)
    light, full = (float(error) for error in re.findall(r"px, \w+ +([\d.]+)", output))
    assert full < light
    assert output.count("bones 0.0 %") == 1


def test_clips_of_the_sample_in_the_package() -> None:
    """They are shorter than those of longer recordings. Measured on 4 clips: 75 and 64 mm."""
    output = run("motion_accuracy.py", SAMPLE, "--clips", 2, "--noise", "5", "--hypo", 2)
    light, full = (float(error) for error in re.findall(r"px, \w+ +([\d.]+)", output))
    assert full < light < 150
    output = run("sequence_accuracy.py", SAMPLE, "--clips", 2, "--noise", "0", "--steps", "1", "--samples", "1")
    errors = [float(error) for error in re.findall(r"([\d.]+) / +[\d.]+ +acc", output)]
    assert "noise 0, 50 frames" in output and len(errors) == 2 and max(errors) < 100


def test_erd_table(tmp_path: Path) -> None:
    """A line for each lifter, features and root, with the errors of P_0 to P_K, of which one is the best."""
    file, motions = tmp_path / "motions.npz", synthetic_motions()
    np.savez(file, positions=motions.positions, offsets=[0, 20, 40, 60], split=["train", "train", "test"])
    (tmp_path / "cameras.json").write_text('{"a": {"fx": 900, "fy": 900, "cx": 320, "cy": 240}}')
    sizes = ("--steps", 2, "--batch", 8, "--regressors", 2, "--regressor-steps", 2, "--poses", 5)
    words = ("--paper", "--features", "delta,cat", "--cameras", tmp_path / "cameras.json", "--noise", "1", *sizes)
    output = run("erd_table.py", file, *words)
    rows = re.findall(r"linear pca 0 noise 1 (\w+) root (\w+): ([\d.*]+) ([\d.*]+) ([\d.*]+)\n", output)
    assert [row[:2] for row in rows] == [(f, r) for f in ("delta", "cat") for r in ("known", "fitted")]
    assert all(sum(error.endswith("*") for error in row[2:]) == 1 for row in rows)
    assert len({row[2].rstrip("*") for row in rows}) == 1  # the same lifter
    row = run("erd_table.py", file, "--from", "erd", "--noise", "0", "--root", "fitted", *sizes)
    assert 10 < float(row.split(": ")[1].split()[0].rstrip("*")) < 200  # poses unlike those that it was trained on


def test_compare_with_reference(shared: Path, tmp_path: Path) -> None:
    """The keypoints of the demo, whose recording has a reference. Measured: 116 mm, the oracle 102 mm."""
    balance = shared / "assets/videos/balance"
    keypoints, _ = demo_keypoints()
    camera = zedo.read_camera(balance / "calibration.toml", "cam_03")
    zedo.save(zedo.lift(zedo.read_keypoints(keypoints), camera, hypotheses=10), tmp_path / "poses.npz")
    output = run(
        "compare_with_reference.py",
        tmp_path / "poses.npz",
        balance / "reference_zup.npz",
        balance / "calibration.toml",
        "cam_03",
    )
    chosen, mean, best = (float(error) for error in re.findall(r"[^-]MPJPE +([\d.]+)", output))
    assert best < chosen < mean
    assert chosen < 130


def test_compare_angles(shared: Path, tmp_path: Path) -> None:
    """Measured: trunk 4, thighs 7, knees 17 degrees; markers are worth 7 of a thigh."""
    balance = shared / "assets/videos/balance"
    keypoints, _ = demo_keypoints()
    camera = zedo.read_camera(balance / "calibration.toml", "cam_03")
    people = zedo.read_keypoints(keypoints)
    zedo.save(zedo.motion(zedo.lift(people, camera, hypotheses=3), people), tmp_path / "poses.npz")
    reference = (balance / "reference_zup.npz", balance / "calibration.toml", "cam_03")
    output = run("compare_angles.py", tmp_path / "poses.npz", *reference)
    errors = {name: float(mean) for name, mean in re.findall(r"(\w+) +([\d.]+) +[\d.]+ +[\d.]+\n", output)}
    assert errors["trunk_to_vertical"] < 10
    assert errors["thigh_to_vertical_r"] < 15
    assert errors["knee_angle_l"] < 30
    assert "ankle_angle_r" not in errors


def test_keypoint_input_never_imports_the_detector(tmp_path: Path) -> None:
    keypoints, camera = demo_keypoints()
    code = (
        "import sys; from zedo_cli.app import app\n"
        f"try: app(['infer', {str(keypoints)!r}, '--camera', {str(camera)!r}, '--hypo', '1', '--iterations', '2', "
        f"'--out', {str(tmp_path)!r}])\n"
        "except SystemExit as stop: assert not stop.code, stop.code\n"
        "assert 'ultralytics' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    assert (tmp_path / "poses.npz").is_file()
