"""Invalid input results in a one-line error, an exit code, and no files."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from bad_inputs import PRIOR, write_inputs
from typer.testing import CliRunner

from zedo_cli.app import app

MAX_LINE = 700  # characters, including the list of all known formats; a dump of shapes is far longer


@pytest.fixture(scope="session")
def given(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of inputs, in which the tests run."""
    return write_inputs(tmp_path_factory.mktemp("given"))


# Name, arguments (in the folder above), exit code, words of the line.
CASES: list[tuple[str, str, int, str]] = [
    # inputs
    ("missing file", "infer nowhere.mp4", 2, "nowhere.mp4: no such file"),
    ("missing folder", "infer nowhere/", 2, "nowhere: no such file"),
    ("empty video", "infer empty.mp4", 2, "empty.mp4: expected a picture or a video, found an empty file"),
    ("text as video", "infer text.mp4", 2, "text.mp4: expected a picture or a video"),
    ("garbage as video", "infer garbage.mp4", 2, "garbage.mp4: expected a picture or a video"),
    ("text as picture", "infer text.png", 2, "text.png: expected a picture or a video"),
    ("damaged picture", "infer damaged.png --detector {detector}", 2, "damaged.png: damaged"),
    ("pattern without matches", "infer '*.nothing'", 2, "*.nothing: expected a file or folder that fits the pattern"),
    ("number of a camera", "infer 0", 2, "0: no such file; for a camera say 'zedo live 0'"),
    ("keypoints of several inputs", "infer grey.png good.json --keypoints good.json", 2, "--keypoints one input only"),
    # parts of the input
    ("start as text", "infer good.json --start now", 2, "expected seconds (90.5) got 'now'"),
    ("end before the start", "infer good.json --start 5f --end 2f", 2, "start before the end 5f 2f"),
    ("every 0", "infer good.json --every 0", 2, "--every greater than or equal to 1"),
    ("frames beyond the end", "infer good.json --start 5f", 2, "no frame of the keypoints lies within --start 5f"),
    (
        "frames beyond the end, of a picture",
        "infer grey.png --detector {detector} --start 5f",
        2,
        "grey.png: no frame lies within",
    ),
    ("seconds without a rate", "infer good.json --start 1", 2, "neither times nor a frame rate; give frame numbers"),
    ("unknown person", "infer good.json --person 7", 2, "id of a person who appears (0), got 7"),
    ("person as text", "infer good.json --person anna", 2, "person's id, largest or all, got 'anna'"),
    ("no people", "infer good.json --max-people 0", 2, "--max-people greater than or equal to 1"),
    ("folder without pictures", "infer no_pictures", 2, "no_pictures: expected a folder with pictures"),
    ("empty folder", "infer empty_folder", 2, "empty_folder: expected a folder with pictures"),
    ("folder of other JSON", "infer no_openpose", 2, "no_openpose: OpenPose"),
    ("empty path", "infer ''", 2, "INPUT expected a path got an empty string"),
    # keypoint files
    ("unknown JSON", "infer unknown.json", 2, "unknown.json: expected keypoints in a known format 'poses'"),
    ("empty list", "infer empty_list.json", 2, "empty_list.json: expected keypoints found a list of 0"),
    ("broken JSON", "infer broken.json", 2, "broken.json: not valid JSON"),
    ("newer format", "infer newer.json", 2, "newer.json: zedo-keypoints-9 update zedo"),
    ("too few joints", "infer short.json", 2, "short.json: frame 0 expected 51 coco-17 values, found 48"),
    ("too few joints, COCO", "infer short_coco.json", 2, "short_coco.json: entry 0 expected 51 found 30"),
    ("entry without picture", "infer mixed_coco.json", 2, "mixed_coco.json: entry 1 image_id"),
    ("NaN", "infer nan.json", 2, "nan.json: frame 0 nose nan"),
    ("infinite", "infer infinite.json", 2, "infinite.json: frame 0 nose inf"),
    ("coordinate too large", "infer huge.json", 2, "huge.json: nose 1e+300"),
    ("confidence", "infer confidence.json", 2, "confidence.json: nose confidence 7"),
    ("texts", "infer texts.json", 2, "texts.json: expected a list of numbers"),
    ("all joints missing", "infer nobody.json", 2, "nobody.json: nobody was found"),
    ("no frames", "infer no_frames.json", 2, "no_frames.json: nobody was found"),
    ("NaN in npz", "infer nan.npz", 2, "nan.npz: frame 0 left_ear nan"),
    ("infinite in npz", "infer infinite.npz", 2, "infinite.npz: left_ear inf"),
    ("too few joints in npz", "infer shape.npz", 2, "shape.npz: 17, 3 found (1, 16, 3)"),
    ("no joint set", "infer no_joints.npz", 2, "no_joints.npz: expected 'joints'"),
    ("unknown joint set", "infer martian.npz", 2, "martian.npz: martian-9 coco-17"),
    ("other npz", "infer other.npz", 2, "other.npz: expected keypoints that say their 17 joints --skeleton"),
    ("broken npz", "infer broken.npz", 2, "broken.npz: not a readable npz"),
    ("pickled npz", "infer objects.npz", 2, "objects.npz: not a readable npz"),
    ("no frames in npz", "infer no_frames.npz", 2, "no_frames.npz: nobody was found"),
    # image size
    ("no image size", "infer no_size.json", 2, "image size is unknown"),
    ("no image size, COCO", "infer coco.json --fov 60", 2, "image size is unknown"),
    ("no image size, only fx", "infer no_size.json --fx 90", 2, "image size is unknown"),
    (
        "another image size",
        "infer good.json --image-size 1920x1080 --fov 60",
        2,
        "good.json states pictures of 60x80 px, --image-size says 1920x1080 leave --image-size out",
    ),
    ("image size as text", "infer no_size.json --image-size abc", 2, "expected WIDTHxHEIGHT got 'abc'"),
    ("image size of 0", "infer no_size.json --image-size 0x10", 2, "expected WIDTHxHEIGHT got '0x10'"),
    ("half an image size", "infer no_size.json --image-size 10x", 2, "expected WIDTHxHEIGHT got '10x'"),
    ("image size in superscript", "infer no_size.json --image-size ²x²", 2, "expected WIDTHxHEIGHT got"),
    ("huge image size", "infer no_size.json --image-size 99999999x99999999", 2, "image size"),
    ("image size of a picture", "infer grey.png --image-size 60x80", 2, "--image-size keypoint files grey.png"),
    ("image size of a folder", "infer no_pictures --image-size 60x80", 2, "--image-size keypoint files no_pictures"),
    (
        "image size of a picture with keypoints",
        "infer grey.png --keypoints good.json --image-size 60x80",
        2,
        "--image-size keypoint files grey.png",
    ),
    # cameras
    ("empty camera", "infer good.json --camera ''", 2, "--camera FILE[:NAME] got ''"),
    ("empty camera file", "infer good.json --camera :left", 2, "--camera FILE[:NAME] got ':left'"),
    ("K with zeros", "infer good.json --camera zeros.json", 2, "zeros.json focal lengths above 0"),
    ("NaN in camera", "infer good.json --camera nan_camera.json", 2, "nan_camera.json fx finite"),
    ("text in camera", "infer good.json --camera text_camera.json", 2, "text_camera.json fx expected numbers"),
    ("skew", "infer good.json --camera skewed.json", 2, "skewed.json without skew, got 50"),
    ("3 coefficients", "infer good.json --camera three.json", 2, "three.json distortion coefficients got 3"),
    ("camera of another size", "infer good.json --camera other_camera.json", 2, "640x480 60x80"),
    ("several cameras", "infer good.json --camera two.json", 2, "two.json: 2 cameras left, right"),
    ("unknown camera", "infer good.json --camera two.json:top", 2, "two.json: no camera 'top' left, right"),
    ("no camera in file", "infer good.json --camera unknown.json", 2, "unknown.json: expected fx, fy found no camera"),
    ("text as camera", "infer good.json --camera notes.txt", 2, "notes.txt: expected fx, fy found no camera"),
    ("picture as camera", "infer good.json --camera grey.png", 2, "grey.png: found binary data"),
    ("folder as camera", "infer good.json --camera empty_folder", 2, "empty_folder: cannot read the camera"),
    ("missing camera", "infer good.json --camera nowhere.toml", 2, "nowhere.toml: cannot read the camera"),
    ("lens without inverse", "infer good.json --camera bent.json", 2, "distortion"),
    ("fx 0", "infer good.json --fx 0", 2, "focal lengths above 0 fx=0"),
    ("fx negative", "infer good.json --fx=-5", 2, "focal lengths above 0 fx=-5"),
    ("fx NaN", "infer good.json --fx nan", 2, "finite nan"),
    ("fx infinite", "infer good.json --fx inf", 2, "finite inf"),
    ("fx as text", "infer good.json --fx wide", 2, "--fx valid number"),
    ("fx tiny", "infer good.json --fx 1e-300", 2, "focal"),
    ("fx huge", "infer good.json --fx 1e300", 2, "focal"),
    ("fy 0", "infer good.json --fx 90 --fy 0", 2, "focal lengths above 0 fy=0"),
    ("cx NaN", "infer good.json --fx 90 --cx nan", 2, "finite nan"),
    ("cx alone", "infer good.json --cx 30", 2, "cx need fx"),
    ("fov 0", "infer good.json --fov 0", 2, "field of view 1 to 170 got 0"),
    ("fov 200", "infer good.json --fov 200", 2, "field of view 1 to 170 got 200"),
    ("fov NaN", "infer good.json --fov nan", 2, "field of view 1 to 170 got nan"),
    ("fx and fov", "infer good.json --fx 90 --fov 60", 2, "one way to give the camera focal length field of view"),
    ("file and fov", "infer good.json --camera zeros.json --fov 60", 2, "one way to give the camera file field"),
    # saved keypoints of pictures
    ("keypoints twice", "infer good.json --keypoints good.json", 2, "good.json: holds keypoints already"),
    ("missing keypoints", "infer grey.png --keypoints nowhere.json", 2, "nowhere.json: no such file"),
    ("picture as keypoints", "infer grey.png --keypoints grey.png", 2, "grey.png: not valid JSON"),
    ("folder as keypoints", "infer grey.png --keypoints empty_folder", 2, "empty_folder: 0 JSON files"),
    ("keypoints of another size", "infer grey.png --keypoints other_size.json", 2, "1088x1920 60x80"),
    ("keypoints of other frames", "infer grey.png --keypoints late.json", 2, "late.json frames 5000"),
    ("empty path of keypoints", "infer grey.png --keypoints ''", 2, "--keypoints expected a path got an empty string"),
    # weights
    ("empty name of weights", "infer good.json --weights ''", 1, "'': no such file no prior of that name known: prior"),
    ("missing weights", "infer good.json --weights nowhere", 1, "nowhere no such file known: prior"),
    ("empty weights folder", "infer good.json --weights empty_folder", 1, "prior.safetensors: no such file"),
    ("corrupted weights", "infer good.json --weights corrupted", 1, "corrupted/prior.safetensors: damaged"),
    ("truncated weights", "infer good.json --weights truncated", 1, "truncated/prior.safetensors: damaged"),
    ("no config", "infer good.json --weights no_config", 1, "no_config/prior.json: no such file"),
    ("older weights", "infer good.json --weights older", 1, "older/prior.json: expected format 'zedo-prior-1'"),
    ("unknown fields", "infer good.json --weights fields", 1, "fields/prior.json: network"),
    ("unknown schedule", "infer good.json --weights schedule", 1, "schedule/prior.json: sde"),
    (
        "another width",
        "infer good.json --weights width",
        1,
        "width/prior.safetensors: do not match their config",
    ),
    ("weights of NaN", "infer good.json --weights not_finite", 1, "not_finite/prior.safetensors: finite"),
    ("damaged clusters", "infer good.json --weights bad_clusters", 1, "bad_clusters/clusters.npz: initial poses"),
    ("few bytes as checkpoint", "infer good.json --weights few_bytes.pth", 1, "few_bytes.pth: checkpoint"),
    ("another checkpoint", "infer good.json --weights other.pth", 1, "official checkpoint: key 'a'"),
    ("detector as weights", "infer good.json --weights movenet", 1, "no prior of that name"),
    # detectors
    (
        "empty name of a detector",
        "infer grey.png --detector ''",
        1,
        "'': no detector of that name movenet, yolov8n-pose",
    ),
    (
        "detector not downloaded",
        "infer grey.png --detector yolov8n-pose",
        1,
        "'yolov8n-pose' zedo download yolov8n-pose",
    ),
    (
        "unknown detector",
        "infer grey.png --detector nothing",
        1,
        "'nothing': no detector of that name movenet, movenet-fast",
    ),
    ("missing detector", "infer grey.png --detector ./nowhere.pt", 1, "./nowhere.pt no such file"),
    ("garbage as detector", "infer grey.png --detector garbage.pt", 1, "garbage.pt: expected a YOLO pose model"),
    ("text as detector", "infer grey.png --detector text.pt", 1, "text.pt: expected a YOLO pose model"),
    ("empty detector", "infer grey.png --detector empty.pt", 1, "empty.pt: expected a YOLO pose model"),
    ("text as ONNX", "infer grey.png --detector model.onnx", 1, "model.onnx: expected an ONNX model, cannot read it"),
    (
        "another model in ONNX",
        "infer grey.png --detector other.onnx",
        1,
        "other.onnx: expected a YOLO pose model got an output (8, 8)",
    ),
    (
        "another file as detector",
        "infer grey.png --detector notes.txt",
        1,
        "notes.txt: ONNX YOLO got a file that ends in",
    ),
    ("folder as detector", "infer grey.png --detector empty_folder", 1, "empty_folder: ONNX YOLO got another folder"),
    # results
    ("empty OUT", "infer good.json --out ''", 2, "--out expected a path got an empty string"),
    ("demo, empty OUT", "demo --out ''", 2, "--out expected a path got an empty string"),
    ("training, empty OUT", "train clusters --data a.npz --out ''", 2, "--out expected a path got an empty"),
    ("empty path of training data", "train clusters --data ''", 2, "--data expected a path got an empty string"),
    ("OUT is a file", "infer good.json --out notes.txt", 2, "--out 'notes.txt' is a file"),
    ("OUT below a file", "infer good.json --out notes.txt/out", 1, "notes.txt/out: cannot write there"),
    (
        "OUT in a system folder",
        "infer good.json --out /proc/zedo/out",
        1,
        "/proc/zedo/out: cannot write there",
    ),
    ("OUT is a device", "infer good.json --out /dev/null", 1, "/dev/null: cannot write there"),
    # options
    ("hypo 0", "infer good.json --hypo 0", 2, "--hypo greater than or equal to 1"),
    ("hypo 201", "infer good.json --hypo 201", 2, "--hypo less than or equal to 200"),
    ("iterations 0", "infer good.json --iterations 0", 2, "--iterations greater than or equal to 1"),
    ("seed below 0", "infer good.json --seed=-1", 2, "--seed greater than or equal to 0"),
    ("huge seed", "infer good.json --seed 99999999999999999999999", 2, "seed"),
    ("no cuda", "infer good.json --device cuda:99", 1, "'cuda:99' not available auto, cpu"),
    ("unknown device", "infer good.json --device nonsense", 1, "'nonsense' not available auto, cpu"),
    ("device without computation", "infer good.json --device meta", 1, "'meta' not available auto, cpu"),
    ("unknown preset", "infer good.json --preset nonsense", 2, "'nonsense' default, reference"),
    ("unknown option", "infer good.json --nothing", 2, "No such option"),
    ("no input", "infer", 2, "Missing argument 'INPUT'"),
    ("two cameras", "live 0 1", 2, "unexpected extra argument"),
    ("no camera", "live nowhere.mp4", 2, "nowhere.mp4: expected the number of a camera (0) or a video file"),
    ("text as camera", "live notes.txt", 2, "notes.txt: expected a picture or a video"),
    ("demo, hypo 0", "demo --hypo 0", 2, "--hypo greater than or equal to 1"),
    ("demo, OUT is a file", "demo --out notes.txt", 2, "--out 'notes.txt' is a file"),
    ("demo, unknown device", "demo --device nonsense", 1, "'nonsense' not available"),
]


def command(arguments: str, out: Path, request: pytest.FixtureRequest) -> list[str]:
    """The words of a case, with the detector and an output folder filled in."""
    if "{detector}" in arguments:
        weights = request.getfixturevalue("shared") / "assets" / "weights" / "yolov8n-pose-dequantised.pt"
        arguments = arguments.replace("{detector}", shlex.quote(str(weights)))
    words = shlex.split(arguments)
    if "--out" not in words and words[0] != "live":
        words += ["--out", str(out)]
    return words


def entries(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("arguments", "code", "words"), [case[1:] for case in CASES], ids=[case[0].replace(" ", "_") for case in CASES]
)
def test_one_line(
    arguments: str,
    code: int,
    words: str,
    given: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    """The line must contain the words in their order."""
    monkeypatch.chdir(given)
    before = entries(given)
    out = tmp_path / "out"
    result = CliRunner().invoke(app, command(arguments, out, request))
    stderr = result.stderr
    assert result.exit_code == code, stderr
    assert result.stdout == "" and "Traceback" not in stderr
    assert _contains_in_order(words, stderr)
    assert entries(out) == set() and entries(given) == before


def _contains_in_order(words: str, stderr: str) -> bool:
    """Whether an error is reported in one line, or in the box of a usage error, and has the words in their order."""
    if stderr.startswith("Usage:"):
        stderr = " ".join(stderr.replace("│", " ").split())
    else:
        lines = [line for line in stderr.splitlines() if not line.startswith("warning: ")]
        assert len(lines) == 1 and lines[0].startswith("error: "), stderr
        assert "please report" not in stderr and "out of memory" not in stderr and len(lines[0]) < MAX_LINE, stderr
    position = 0
    for word in words.split():
        assert word in stderr[position:], f"expected '{word}' of '{words}' in: {stderr}"
        position += stderr[position:].index(word) + len(word)
    return True


def test_packaged_clusters_are_used_for_weights_without_any(given: Path, tmp_path: Path) -> None:
    shutil.copytree(PRIOR, tmp_path / "weights", ignore=lambda *_: ["clusters.npz"])
    words = ["infer", str(given / "good.json"), "--weights", str(tmp_path / "weights"), "--iterations", "2"]
    result = CliRunner().invoke(app, [*words, "--hypo", "2", "--out", str(tmp_path / "out")])
    assert result.exit_code == 0 and (tmp_path / "out" / "poses.npz").is_file()


def test_errors_of_a_real_process(given: Path, tmp_path: Path) -> None:
    """The exit code and the error line, and no further output at interpreter exit."""
    words = [sys.executable, "-m", "zedo_cli.app", "infer", "nan.json", "--out", str(tmp_path / "out")]
    done = subprocess.run(words, cwd=given, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith("error: ") and entries(tmp_path) == set()
