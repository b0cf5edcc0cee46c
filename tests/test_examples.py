"""The examples run on real data as documented, and their results are in the measured range."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from infer_cases import demo_keypoints

import zedo_core as zedo

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
