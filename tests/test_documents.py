"""README and docs: all links are valid, and all commands and Python blocks run."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from document_cases import PAGES, ROOT, blocks, commands, write_files
from hub_server import Hub, running
from typer.testing import CliRunner

from zedo_cli.app import app

_LINK = re.compile(r"\]\(([^)#]+)[^)]*\)")
# Options appended to commands to make them quick.
QUICK_OPTIONS = {
    "infer": ("--iterations", "1", "--hypo", "1"),
    "batch": ("--iterations", "1", "--hypo", "1", "--workers", "1"),
    "live": ("--iterations", "1", "--hypo", "1", "--seconds", "1"),
    "eval": ("--iterations", "1", "--hypo", "1", "--every", "100", "--gallery", "1"),
    "bench": ("--quick",),
    "sample": ("--count", "4", "--steps", "3"),
    "train prior": ("--steps", "2", "--batch", "8", "--check-every", "0"),
    "train erd": ("--steps", "2", "--batch", "8", "--regressors", "1", "--regressor-steps", "2", "--check-every", "0"),
    "train diff3dhpe": ("--steps", "2", "--batch", "2", "--width", "8", "--depth", "1", "--check-windows", "2"),
    "train clusters": ("--hypo", "1,10"),
    "demo": ("--hypo", "1"),
}
# Commands that need a camera and a window use a video file instead.
REPLACED = {"live 0 --show": ("live", "video.mp4")}
INSTALL = "python3 -m venv .venv && . .venv/bin/activate && python -m pip install "


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CHANGELOG.md"], ids=name_of)
def test_links_are_valid(page: Path) -> None:
    links = [link for link in _LINK.findall(page.read_text()) if not link.startswith(("http://", "https://"))]
    missing = [link for link in links if not (page.parent / link).exists()]
    assert not missing


def test_the_readme_links_all_pages() -> None:
    linked = set(_LINK.findall(PAGES[0].read_text()))
    assert {name_of(page) for page in PAGES[1:]} <= linked


def test_the_documented_commands_are_those_of_ci() -> None:
    readme, ci = PAGES[0].read_text(), (ROOT / ".ci" / "run").read_text()
    assert f"{INSTALL}. && zedo demo" in readme
    assert f"{INSTALL}-e '.[dev]' && python -m pytest" in readme
    assert "-e '.[dev]'" in ci and "\npython -m pytest\n" in ci


@pytest.fixture(scope="module")
def workspace(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The working directory of the tests, with the files named in commands, a hub with the detector, and a cache."""
    folder = tmp_path_factory.mktemp("workspace")
    write_files(folder, shared)
    weights = (shared / "assets" / "weights" / "yolov8n-pose-dequantised.pt").read_bytes()
    environment, directory = dict(os.environ), Path.cwd()
    with running(Hub({"Ultralytics/YOLOv8": {"yolov8n-pose.pt": weights}})) as hub:
        os.environ |= {
            "HF_ENDPOINT": hub.endpoint,
            "ZEDO_HOME": str(folder / "home"),
            "NO_PROXY": "127.0.0.1,localhost",
        }
        os.chdir(folder)
        yield folder
        os.chdir(directory)
        os.environ.clear()
        os.environ |= environment


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_command_runs(page: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In order, as written."""
    monkeypatch.setattr("webbrowser.open", lambda uri: True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
    for words in [["zedo", "download"], *commands(page)]:
        if words[0] == "python3":  # the installation is tested by CI
            words = words[words.index("zedo") :] if "zedo" in words else []
        if words[1:2] in (["convert"], ["view"], ["render"]):  # use the result of the video
            run(["zedo", "infer", "video.mp4"])
        if words:
            run(words)


def run(words: list[str]) -> None:
    program, *rest = words
    assert program == "zedo", words
    rest = list(REPLACED.get(" ".join(rest), rest))
    name = next((name for name in QUICK_OPTIONS if " ".join(rest).startswith(name)), None)
    stdin = keypoint_lines() if "-" in rest else None
    result = CliRunner().invoke(app, [*rest, *QUICK_OPTIONS.get(name or "", ())], input=stdin)
    assert result.exit_code == 0, (words, result.stderr)


def keypoint_lines() -> str:
    """Keypoints as another program would write them to standard input."""
    values = json.loads(Path("keypoints.json").read_text())["frames"][0]["people"][0]["keypoints"]
    return json.dumps({"frame": 0, "people": [{"id": 1, "keypoints": values}]}) + "\n"


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python")], ids=name_of)
def test_every_python_block_runs(page: Path, workspace: Path) -> None:
    run(["zedo", "infer", "keypoints.json"])
    names: dict[str, object] = {}
    for block in blocks(page, "python"):
        exec(compile(block, str(page), "exec"), names)
