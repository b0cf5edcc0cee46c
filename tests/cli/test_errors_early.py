"""Errors of the user are told before torch and matplotlib, which take seconds, are loaded."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from infer_cases import demo_keypoints

from zedo_core.pipeline.run import demo_assets

VIDEO, CAMERA = map(str, demo_assets())
KEYPOINTS = str(demo_keypoints()[0])
# Each command runs in a fork of an interpreter that has loaded the command line, and light packages to save their time.
_FORKS = """
import json, os, sys, tempfile
import av, cv2, jaxtyping, numpy, scipy.linalg, scipy.spatial.transform
from zedo_cli.app import app
for line in sys.stdin:
    folder, words = json.loads(line)
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        if not (child := os.fork()):
            os.chdir(folder)
            os.dup2(out.fileno(), 1), os.dup2(err.fileno(), 2)
            try: app(words)
            except SystemExit as stop: print(stop.code, *sorted({"torch", "matplotlib"} & set(sys.modules)), flush=True)
            os._exit(0)
        os.waitpid(child, 0)
        said = [file.seek(0) or file.read().decode() for file in (out, err)]
    print(json.dumps(said), flush=True)
"""


@pytest.fixture(scope="module")
def errors() -> Iterator[Callable[..., tuple[str, str]]]:
    """Exit code and heavy modules, and what is said, of a command in a folder."""
    command = [sys.executable, "-c", _FORKS]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as forks:
        assert forks.stdin and forks.stdout
        asked, said = forks.stdin, forks.stdout

        def errors(folder: Path, words: list[str]) -> tuple[str, str]:
            print(json.dumps([str(folder), words]), file=asked, flush=True)
            out, err = json.loads(said.readline())
            return out.strip(), err

        yield errors


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["view", "nowhere"], 2, "nowhere: no such folder or file"),
        (["convert", "nowhere", "--to", "csv"], 2, "nowhere: no such folder or file"),
        (["render", "nowhere"], 2, "nowhere: no such folder or file"),
        (["infer", "nowhere.mp4"], 2, "nowhere.mp4: no such file"),
        (["infer", "odd.xyz"], 2, "odd.xyz: expected a picture or a video"),
        (["infer", "odd.json"], 2, "odd.json: "),
        (["infer", VIDEO, "--keypoints", "nowhere.json"], 2, "nowhere.json: no such file"),
        (["infer", VIDEO, "--detector", "nothing"], 1, "no detector of that name; known: movenet"),
        (["infer", "nowhere.mp4", "--detector", "nothing"], 1, "no detector of that name; known: movenet"),
        (["infer", VIDEO, KEYPOINTS, "--detector", "nothing"], 1, "error: 'nothing': no such file, and no detector"),
        (["infer", VIDEO, "--camera", "nowhere.toml"], 2, "nowhere.toml: cannot read the camera"),
        (["infer", VIDEO, "--camera", f"{CAMERA}:other"], 2, "has no camera 'other'"),
        (["infer", VIDEO, "--camera", "wide.json"], 2, "wide.json"),
        (["infer", VIDEO, "--fov", "500"], 2, "expected a horizontal field of view of 1 to 170 degrees, got 500"),
        (["infer", VIDEO, "--fx", "-5"], 2, "focal length"),
        (["infer", KEYPOINTS, "--fov", "500"], 2, "expected a horizontal field of view of 1 to 170 degrees, got 500"),
        (["infer", VIDEO, "--format", "fbx"], 2, "format 'fbx' is not known; expected some of angles, bvh, c3d"),
        (["infer", VIDEO, "--method", "nothing"], 2, "no method 'nothing'; expected one of"),
        (["infer", VIDEO, "--preset", "nothing"], 2, "no preset 'nothing'; expected one of default"),
        (["infer", VIDEO, "--weights", "nothing"], 1, "no prior of that name; known: prior"),
        (["infer", VIDEO, "--method", "erd", "--weights", "nothing"], 1, "no lifter of that name; known: erd"),
        (["infer", VIDEO, "--device", "moon"], 1, "device 'moon' is not available"),
        (["infer", VIDEO, "--person", "bob"], 2, "expected a person's id, largest or all, got 'bob'"),
        (["infer", VIDEO, "--up", "sky"], 2, "found 'sky'"),
        (["infer", VIDEO, "--body", "nowhere.toml"], 2, "nowhere.toml: expected a file of segments"),
        (["infer", VIDEO, KEYPOINTS, "--preset", "nothing"], 2, "no preset 'nothing'"),
        (["live", "nowhere.mp4"], 2, "nowhere.mp4: expected the number of a camera"),
        (["live", VIDEO, "--detector", "nothing"], 1, "no detector of that name"),
        (["eval", "--dataset", "nothing"], 2, "no data set 'nothing'; expected one of"),
        (["eval", "--preset", "nothing"], 2, "no preset 'nothing'; expected one of"),
        (["eval", "--dataset", "h36m"], 2, "give the path of your copy by --data DIR"),
        (["bench", "--method", "nothing"], 2, "no method 'nothing'"),
        (["sample", "--weights", "nothing"], 1, "no prior of that name"),
    ],
    ids=lambda value: " ".join(Path(word).name for word in value) if isinstance(value, list) else "",
)
def test_errors_load_no_heavy_packages(
    errors: Callable[..., tuple[str, str]], words: list[str], code: int, said: str, tmp_path: Path
) -> None:
    (tmp_path / "odd.xyz").write_text("nothing that is known")
    (tmp_path / "odd.json").write_text('{"what": [1, 2]}')
    (tmp_path / "wide.json").write_text('{"fx": 900, "fy": 900, "cx": 960, "cy": 540, "width": 1920, "height": 540}')
    before = {*tmp_path.iterdir()}
    ended, stderr = errors(tmp_path, words)
    assert said in " ".join(stderr.split()), stderr
    assert ended == str(code)
    assert {*tmp_path.iterdir()} == before
