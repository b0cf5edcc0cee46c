"""The page with the 3D player: its content, and `zedo view`."""

from __future__ import annotations

import base64
import json
import re
import webbrowser
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from export_cases import CAMERA, LEVEL, by_person, clip, couple_with_gaps, in_camera, poses_of, t_pose, world_clip
from gallery_cases import NASTY, Page
from typer.testing import CliRunner, Result

from zedo_cli.app import app
from zedo_core.errors import InputError, OutputError
from zedo_core.export import html, save
from zedo_core.export.html import EMBEDDED_BYTES, PageVideo, page_video, write_page
from zedo_core.motions.upright import upright
from zedo_core.render.draw import SIDES
from zedo_core.skeleton import H36M17
from zedo_core.types import Poses

HALF_MM = 0.0005 + 1e-7


def page_data(poses: Poses, folder: Path, **options: Any) -> Any:
    """The data of a page that is written for the poses."""
    write_page(poses, folder / "poses.html", **options)
    return Page((folder / "poses.html").read_text(encoding="utf-8")).data


def inflate(text: str) -> bytes:
    return zlib.decompress(base64.b64decode(text))


def decode(text: str, frames: int) -> np.ndarray:
    """Series (n, t) of 16-bit values, decoded as in the page's script."""
    low, high = np.frombuffer(inflate(text), np.uint8).reshape(2, -1).astype(int)
    differences = (low + 256 * high).reshape(-1, frames)
    return ((np.cumsum(differences, axis=1) + 32768) % 65536 - 32768).astype(float)


def points(data: Any, name: str, *shape: int) -> np.ndarray:
    """(..., coordinate, t) in metres, NaN where absent."""
    values = decode(data["blobs"][name], data["frames"])
    return np.where(values == -32768, np.nan, values * data["unit_m"]).reshape(*shape, 3, data["frames"])


def with_hypotheses(hypotheses: int = 5, frames: int = 25) -> Poses:
    """One person of motion capture with hypotheses of decreasing score, the second chosen."""
    joints = np.repeat(in_camera(world_clip(0, frames))[:, None, None], hypotheses, axis=2)
    joints += 0.03 * np.arange(hypotheses)[:, None, None] * np.array([1.0, 0, 0])
    score = np.tile(-0.04 - 0.01 * np.arange(hypotheses), (frames, 1, 1))
    return poses_of(joints, score=score, chosen=np.ones((frames, 1), int))


def test_the_page_makes_no_requests(tmp_path):
    save(with_hypotheses(), tmp_path / "poses.html")
    text = (tmp_path / "poses.html").read_text(encoding="utf-8")
    assert not re.search(
        r"https?:|\bsrc\s*=\s*[\"']|@import|\burl\(|\bimport\b|\bfetch\b|XMLHttpRequest|WebSocket|{{", text
    )
    page = Page(text)
    assert not set(page.names) & {"link", "img", "iframe", "object", "base"}
    (policy,) = [a["content"] or "" for _, a in page.tags if a.get("http-equiv") == "Content-Security-Policy"]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'" and "media-src" not in rules
    assert all(re.fullmatch(r"'none'|'sha256-[\w+/]{43}='", sources) for sources in rules.values())


def test_poses_are_those_of_the_other_exports_to_half_a_millimetre(tmp_path):
    poses = couple_with_gaps()
    data = page_data(poses, tmp_path)
    found = points(data, "chosen", 2, len(H36M17))
    np.testing.assert_allclose(np.moveaxis(found, -1, 0), by_person(poses, upright(poses).points), atol=HALF_MM)
    assert [person["id"] for person in data["people"]] == [3, 8]
    assert [joint["name"] for joint in data["joints"]] == list(H36M17.joints)
    assert [(H36M17.joints[a], H36M17.joints[b]) for a, b in data["bones"]] == list(H36M17.bones)


def test_wide_scenes_are_coarser_but_not_clipped(tmp_path):
    poses = poses_of(in_camera(world_clip(), t_cam_from_world=(150.0, 0.0, 5.0))[:, None])
    data = page_data(poses, tmp_path)
    assert data["unit_m"] == pytest.approx(0.005)
    found = np.moveaxis(points(data, "chosen", 1, len(H36M17)), -1, 0)[:, 0]
    np.testing.assert_allclose(found, upright(poses).points, atol=0.0026)


@pytest.mark.parametrize(("requested", "shown"), [(0, 0), (2, 2), (3, 3), (9, 4)])
def test_ghosts_are_the_best_hypotheses_besides_the_chosen(tmp_path, requested, shown):
    poses = with_hypotheses()
    data = page_data(poses, tmp_path, ghosts=requested)
    assert data["ghosts"] == shown and data["hypotheses"] == 5
    if not shown:
        assert data["blobs"]["ghosts"] is None
        return
    found = np.moveaxis(points(data, "ghosts", 1, shown, len(H36M17)), -1, 0)[:, 0]
    expected = upright(poses).transform(poses.joints[:, [0, 2, 3, 4][:shown]], poses.frame)
    np.testing.assert_allclose(found, expected, atol=HALF_MM)


def test_hypotheses_without_scores_are_ghosts_too(tmp_path):
    poses = with_hypotheses()
    poses = replace(poses, score=np.full_like(poses.score, np.nan), spread=np.full_like(poses.spread, np.nan))
    data = page_data(poses, tmp_path)
    found = np.moveaxis(points(data, "ghosts", 1, 3, len(H36M17)), -1, 0)[:, 0]
    np.testing.assert_allclose(found, upright(poses).transform(poses.joints[:, [0, 2, 3]], poses.frame), atol=HALF_MM)
    assert data["has_spread"] is False and not any(inflate(data["blobs"]["error"]))


def test_spread_error_and_doubtful_poses(tmp_path):
    poses = couple_with_gaps()
    score, spread = poses.score.copy(), poses.spread.copy()
    score[3], spread[4, 2], spread[3, 1] = -0.1004, np.nan, 9.0  # the first rows are person 3 in frames 0 to 4
    data = page_data(replace(poses, score=score, spread=spread), tmp_path)
    steps = np.frombuffer(inflate(data["blobs"]["spread"]), np.uint8).reshape(2, len(H36M17), 25)
    assert (
        steps[0, 2, 4] == 255
        and steps[0, 1, 3] == 254
        and steps[0, 0, 0] * data["spread_unit_m"] == pytest.approx(0.01)
    )
    error = np.frombuffer(inflate(data["blobs"]["error"]), "<u2").reshape(2, 25)
    assert error[0, 3] == 100 and error[0, 0] == 50 and (error[1] == 0xFFFF).sum() == 24
    doubtful = np.frombuffer(inflate(data["blobs"]["doubtful"]), np.uint8).reshape(2, 25)
    assert np.argwhere(doubtful).tolist() == [[0, 3], [0, 10]]  # too large an error; an unknown head


def test_interpolated_poses(tmp_path):
    poses = couple_with_gaps()
    filled = np.zeros(len(poses), bool)
    filled[3] = True
    data = page_data(replace(poses, filled=filled), tmp_path)
    found = np.frombuffer(inflate(data["blobs"]["filled"]), np.uint8).reshape(2, 25)
    assert np.argwhere(found).tolist() == [[0, 3]]
    assert ["interpolated in gaps", "1"] in data["facts"]


def test_times_numbers_and_camera(tmp_path):
    times = np.array([0.5, 0.6, 0.9])
    R, t = tuple(map(tuple, LEVEL)), (0.3, 1.5, 5.0)
    cameras = (replace(CAMERA, R_cam_from_world=R, t_cam_from_world=t, size=(1001, 801)),)
    poses = poses_of(
        in_camera(world_clip(0, 3), LEVEL, t)[:, None],
        times_s=times,
        frame_numbers=np.array([5, 6, 9]),
        cameras=cameras,
    )
    data = page_data(poses, tmp_path)
    np.testing.assert_allclose(np.frombuffer(inflate(data["blobs"]["times"]), "<f4"), times, rtol=1e-6)
    assert np.frombuffer(inflate(data["blobs"]["numbers"]), "<i4").tolist() == [5, 6, 9]
    camera = np.frombuffer(inflate(data["blobs"]["camera"]), "<f4").astype(float)
    np.testing.assert_allclose(
        poses.best[0] @ camera[:9].reshape(3, 3).T + camera[9:], upright(poses).points[0], atol=1e-5
    )
    assert data["intrinsics"] == [1000, 1000, 500, 400, 1001, 801]
    for bad in (times[::-1], np.array([0.5, np.nan, 0.9]), np.zeros(3)):
        data = page_data(replace(poses, times_s=bad), tmp_path)
        np.testing.assert_allclose(
            np.frombuffer(inflate(data["blobs"]["times"]), "<f4"), np.array([5, 6, 9]) / 25, rtol=1e-6
        )


def test_pixels_on_the_video_are_the_projection(tmp_path):
    (tmp_path / "clip.mp4").write_bytes(b"film")
    poses = couple_with_gaps()
    data = page_data(poses, tmp_path, video=page_video(tmp_path / "clip.mp4", tmp_path / "poses.html"))
    values = decode(data["blobs"]["pixels"], 25).reshape(2, len(H36M17), 2, 25)
    found = np.moveaxis(np.where(values == -32768, np.nan, values * data["pixel_unit"]), -1, 0)
    expected = np.stack([poses.camera(int(t)).project(body) for t, body in zip(poses.frame, poses.best, strict=True)])
    np.testing.assert_allclose(found, by_person(poses, expected), atol=0.05)


def test_a_page_of_ten_minutes_has_the_documented_size(tmp_path):
    """18000 frames, 3 people, 10 hypotheses, the default number of ghosts: 30 MB."""
    body = np.tile(world_clip(), (720, 1, 1))
    noise = np.random.default_rng(0).normal(0, 0.002, (18000, 3, 10, 1, 1))
    joints = (in_camera(body)[:, None, None] + np.arange(3)[:, None, None, None] + noise).astype(np.float32)
    poses = poses_of(joints, score=np.zeros((18000, 3, 10)), spread=np.full((18000, 3, 17), 0.05))
    write_page(poses, tmp_path / "poses.html")
    assert (tmp_path / "poses.html").stat().st_size < 30e6


def test_markup_in_names_is_escaped(tmp_path):
    poses = clip()
    poses = replace(poses, provenance=replace(poses.provenance, method=NASTY))
    write_page(poses, tmp_path / "poses.html", title=NASTY)
    text = (tmp_path / "poses.html").read_text(encoding="utf-8")
    page = Page(text)
    assert page.names.count("script") == text.count("</script>") == 3 and "<img" not in text
    assert page.texts["title"] == page.texts["h1"] == NASTY


def test_the_dark_colours_are_those_of_the_overlay(tmp_path):
    save(clip(), tmp_path / "poses.html")
    dark = (tmp_path / "poses.html").read_text(encoding="utf-8").split('data-theme="dark"', 1)[1]
    for side in ("left", "right"):
        found = re.search(rf"--{side}: #(\w{{6}})", dark)
        assert found and bytes.fromhex(found[1]) == bytes(SIDES[side])


def test_pages_that_cannot_be_written(tmp_path):
    nobody = poses_of(np.full((3, 1, len(H36M17), 3), np.nan))
    with pytest.raises(InputError, match="expected at least one person, found none in 3 frames"):
        html.write(nobody, tmp_path / "poses.html")
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write there"):
        html.write(clip(), tmp_path / "file" / "poses.html")
    for video in (tmp_path / "none.mp4", tmp_path):
        with pytest.raises(InputError, match="expected a video, found"):
            page_video(video, tmp_path / "poses.html")


def test_a_video_is_embedded_or_referenced_by_its_path(tmp_path):
    (tmp_path / "videos").mkdir()
    small, large = tmp_path / "videos" / "a b.mp4", tmp_path / "videos" / "large.webm"
    small.write_bytes(bytes(range(256)))
    with open(large, "wb") as file:
        file.truncate(EMBEDDED_BYTES + 1)
    page = tmp_path / "out" / "poses.html"
    assert page_video(small, page) == PageVideo(file=small, embedded=True, path="../videos/a%20b.mp4")
    assert page_video(large, page).embedded is False and page_video(large, page).type == "video/webm"
    for video, media in ((small, "blob:"), (large, "'self' file:")):
        write_page(clip(), page, video=page_video(video, page))
        text = page.read_text(encoding="utf-8")
        assert f"media-src {media};" in text and page.stat().st_size < 1e6
    write_page(clip(), page, video=page_video(small, page))
    content = Page(page.read_text(encoding="utf-8")).texts["video-data"]
    assert base64.b64decode(content) == small.read_bytes()


# The command


def zedo(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def refused(result: Result, code: int, *parts: str) -> None:
    assert result.exit_code == code, result.output
    assert all(part in " ".join(result.stderr.split()) for part in parts), result.stderr
    assert "Traceback" not in result.output


@pytest.mark.parametrize("which", ["poses.npz", "poses.json", "."])
def test_view(tmp_path, which):
    save(with_hypotheses(), tmp_path / ("poses.json" if which == "poses.json" else "poses.npz"))
    done = zedo("view", tmp_path / which, "--hypo", "2", "--up", "camera", "--json")
    assert done.exit_code == 0, done.stderr
    report = json.loads(done.stdout)
    assert report == {
        "page": str(tmp_path / "poses.html"),
        "bytes": (tmp_path / "poses.html").stat().st_size,
        "up": "the camera's",
        "video": None,
    }
    assert Page((tmp_path / "poses.html").read_text(encoding="utf-8")).data["ghosts"] == 2


def test_view_opens_the_page_with_its_video(tmp_path, monkeypatch):
    opened = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    save(clip(), tmp_path / "poses.npz")
    (tmp_path / "walk.mp4").write_bytes(b"film")
    out = tmp_path / "pages" / "walk.html"
    done = zedo("view", tmp_path, "--video", tmp_path / "walk.mp4", "--out", out, "--open", "--json")
    assert json.loads(done.stdout)["video"] == "in the page" and opened == [out.as_uri()]
    assert Page(out.read_text(encoding="utf-8")).texts["h1"] == "walk.mp4"


def test_a_warning_about_a_large_video(tmp_path):
    save(clip(), tmp_path / "poses.npz")
    with open(tmp_path / "large.mp4", "wb") as file:
        file.truncate(EMBEDDED_BYTES + 1)
    done = zedo("view", tmp_path, "--video", tmp_path / "large.mp4", "--quiet")
    assert done.exit_code == 0 and "large.mp4: larger than 32 MB, so the page plays it from large.mp4" in done.stderr


def test_view_errors(tmp_path):
    refused(zedo("view", tmp_path), 2, "expected poses.npz or poses.json in it, found neither")
    refused(zedo("view", tmp_path / "none.npz"), 2, "no such folder or file")
    save(clip(), tmp_path / "poses.npz")
    refused(zedo("view", tmp_path, "--video", tmp_path / "none.mp4"), 2, "none.mp4: expected a video")
    refused(zedo("view", tmp_path, "--out", tmp_path / "page.pdf"), 2, "expected a name ending in .html")
    refused(zedo("view", tmp_path, "--up", "sideways"), 2, "expected auto, camera, calibration, people or X,Y,Z")
    refused(zedo("view", tmp_path, "--out", tmp_path / "poses.npz" / "a.html"), 1, "cannot write there")
    assert [path.name for path in tmp_path.iterdir()] == ["poses.npz"]


def test_a_page_of_one_frame(tmp_path):
    data = page_data(poses_of(in_camera(t_pose())[None, None], fps=None), tmp_path)
    assert data["frames"] == 1 and data["summary"] == "1 frame · 1 person"


@pytest.mark.parametrize("embedded", [True, False])
@pytest.mark.parametrize("source", ["there", "gone"])
def test_a_page_keeps_its_video(tmp_path, embedded, source, caplog):
    """When it is written again by `zedo view` or `zedo convert`, with the video still there or not."""
    poses = with_hypotheses()
    save(poses, tmp_path / "poses.npz")
    (tmp_path / "clip.mp4").write_bytes(b"moving pictures")
    video = replace(page_video(tmp_path / "clip.mp4", tmp_path / "poses.html"), embedded=embedded)
    write_page(poses, tmp_path / "poses.html", video=video)
    if source == "gone":
        (tmp_path / "clip.mp4").unlink()
    for words in (("convert", str(tmp_path), "--to", "html"), ("view", str(tmp_path))):
        result = CliRunner().invoke(app, list(words))
        assert result.exit_code == 0, result.stderr
        page = Page((tmp_path / "poses.html").read_text(encoding="utf-8"))
        assert page.data["video"] == {"embedded": embedded, "path": "clip.mp4", "name": "clip.mp4", "type": "video/mp4"}
        assert page.texts["h1"] == "clip.mp4"
        content = base64.b64decode(page.texts.get("video-data", ""))
        assert content == (b"moving pictures" if embedded else b"")
    assert "keeps the video clip.mp4" in result.stderr


def test_a_page_does_not_keep_a_video_of_other_frames(tmp_path, caplog):
    (tmp_path / "clip.mp4").write_bytes(b"moving pictures")
    video = page_video(tmp_path / "clip.mp4", tmp_path / "poses.html")
    write_page(with_hypotheses(), tmp_path / "poses.html", video=video)
    save(with_hypotheses(frames=20), tmp_path / "poses.html")
    assert Page((tmp_path / "poses.html").read_text(encoding="utf-8")).data["video"] is None
    assert "the video of the page before, clip.mp4, has other frames and is left out" in caplog.text


@pytest.mark.parametrize("text", ["", "<html>", '<script type="application/json" id="data">[1]</script>'])
def test_a_page_that_is_not_ours_is_replaced(tmp_path, text):
    (tmp_path / "poses.html").write_text(text)
    assert page_data(with_hypotheses(), tmp_path)["video"] is None
