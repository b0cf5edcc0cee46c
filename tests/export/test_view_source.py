"""The video of a result: recorded, found again by pages, and said where it is not what it was."""

from __future__ import annotations

import json
import webbrowser
from dataclasses import replace
from pathlib import Path

import pytest
from export_cases import clip
from gallery_cases import Page
from player_page import make_video
from typer.testing import CliRunner, Result

from zedo_cli.app import app
from zedo_core.errors import InputError
from zedo_core.export import load, save
from zedo_core.source import open_arrays, open_source
from zedo_core.source.record import find_recorded, moved, record_of
from zedo_core.types import Poses


def zedo(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def lifted_from(video: Path, folder: Path) -> Poses:
    """Poses that say they were lifted from a video, saved in a folder."""
    poses = clip()
    options = {"source": record_of(open_source(video), folder)}
    poses = replace(poses, provenance=replace(poses.provenance, options=options))
    save(poses, folder / "poses.npz")
    return poses


def shown_video(page: Path) -> str | None:
    video = Page(page.read_text(encoding="utf-8")).data["video"]
    return video and video["name"]


@pytest.fixture
def result(tmp_path: Path) -> Path:
    lifted_from(make_video(tmp_path / "my clip.mp4"), tmp_path / "out")
    return tmp_path / "out"


def test_a_record_survives_both_formats_and_is_found_from_any_folder(tmp_path, result, monkeypatch):
    save(load(result / "poses.npz"), result / "poses.json")
    record = load(result / "poses.json").provenance.options["source"]
    assert record == load(result / "poses.npz").provenance.options["source"]
    assert (record["path"], record["kind"]) == ("../my clip.mp4", "video")
    assert find_recorded(record, result) == tmp_path / "my clip.mp4"
    monkeypatch.chdir(result)
    assert find_recorded(record, Path()).samefile(tmp_path / "my clip.mp4")
    there = moved(record, result, tmp_path / "a" / "b")
    assert there["path"] == "../../my clip.mp4" and there["sha256"] == record["sha256"]


def test_what_is_no_file_has_no_record(tmp_path):
    import numpy as np

    assert record_of(open_arrays([np.zeros((48, 64, 3), np.uint8)] * 2, 30.0), tmp_path) is None


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda video: video.unlink(), "is not there any more"),
        (lambda video: video.write_bytes(b"other"), "has changed since"),
        (lambda video: video.write_bytes(video.read_bytes()[:-1] + b"x"), "has changed since"),  # of the same size
    ],
)
def test_a_video_that_is_not_what_it_was_is_left_out_and_said(tmp_path, result, change, reason):
    change(tmp_path / "my clip.mp4")
    with pytest.raises(InputError, match=reason):
        find_recorded(load(result / "poses.npz").provenance.options["source"], result)
    done = zedo("view", result)
    assert done.exit_code == 0 and shown_video(result / "poses.html") is None
    (line,) = [line for line in done.stderr.splitlines() if reason in line]
    assert line.startswith("warning: ") and line.endswith("the page goes without a video (see zedo view --video)")


def test_view_and_convert_find_the_video(tmp_path, result):
    assert zedo("view", result).exit_code == 0 and shown_video(result / "poses.html") == "my clip.mp4"
    (result / "poses.html").unlink()
    assert zedo("convert", result, "--to", "html").exit_code == 0
    assert shown_video(result / "poses.html") == "my clip.mp4"
    elsewhere = tmp_path / "a" / "b"
    assert zedo("convert", result, "--to", "html,npz", "--out", elsewhere).exit_code == 0
    assert shown_video(elsewhere / "poses.html") == "my clip.mp4"
    assert zedo("view", elsewhere, "--out", tmp_path / "page.html").exit_code == 0
    assert shown_video(tmp_path / "page.html") == "my clip.mp4"


def test_the_video_that_is_named_comes_first(tmp_path, result):
    other = make_video(tmp_path / "other.mp4")
    assert zedo("view", result, "--video", other).exit_code == 0
    assert shown_video(result / "poses.html") == "other.mp4"


def test_a_video_that_no_browser_plays_is_left_out(tmp_path):
    video = make_video(tmp_path / "clip.mp4").rename(tmp_path / "clip.avi")
    lifted_from(video, tmp_path / "out")
    done = zedo("view", tmp_path / "out")
    assert shown_video(tmp_path / "out" / "poses.html") is None
    assert "browsers play .mp4, .m4v, .mov, .webm only" in done.stderr


@pytest.mark.parametrize("opens", [True, False])
def test_a_page_that_cannot_be_opened_is_named(result, monkeypatch, opens):
    opened = []
    monkeypatch.setattr(webbrowser, "open", lambda uri: opened.append(uri) or opens)
    done = zedo("view", result, "--open", "--json")
    assert opened == [(result / "poses.html").resolve().as_uri()]
    assert ("no browser was found; open the page in one" in done.stderr) is not opens
    assert json.loads(done.stdout)["video"] == "in the page"
