"""The page with the 3D player: what stands in the file, and `zedo view`."""

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
from export_cases import CAMERA, LEVEL, clip, couple_with_gaps, poses_of, seen, t_pose, world_clip
from gallery_cases import NASTY, Page
from typer.testing import CliRunner, Result

from zedo_cli.app import app
from zedo_core.errors import InputError, OutputError
from zedo_core.export import html, save, upright
from zedo_core.export.html import EMBEDDED_BYTES, Film, film_of, write_page
from zedo_core.render.draw import SIDES
from zedo_core.skeleton import H36M17
from zedo_core.types import Poses

HALF_MM = 0.0005 + 1e-7


def made(poses: Poses, folder: Path, **options: Any) -> Any:
    """The data of the page."""
    write_page(poses, folder / "poses.html", **options)
    return Page((folder / "poses.html").read_text(encoding="utf-8")).data


def inflated(text: str) -> bytes:
    return zlib.decompress(base64.b64decode(text))


def unpacked(text: str, frames: int) -> np.ndarray:
    """What the page's script makes of 16-bit steps: low bytes, high bytes, summed along time; (series, t)."""
    low, high = np.frombuffer(inflated(text), np.uint8).reshape(2, -1).astype(int)
    steps = (low + 256 * high).reshape(-1, frames)
    return ((np.cumsum(steps, axis=1) + 32768) % 65536 - 32768).astype(float)


def points(data: Any, name: str, *shape: int) -> np.ndarray:
    """(..., coordinate, t) in metres, NaN where absent."""
    values = unpacked(data["blobs"][name], data["frames"])
    return np.where(values == -32768, np.nan, values * data["unit_m"]).reshape(*shape, 3, data["frames"])


def several(hypotheses: int = 5, frames: int = 25) -> Poses:
    """One person of motion capture with hypotheses of falling scores, the second chosen."""
    joints = np.repeat(seen(world_clip(0, frames))[:, None, None], hypotheses, axis=2)
    joints += 0.03 * np.arange(hypotheses)[:, None, None] * np.array([1.0, 0, 0])
    score = np.tile(-0.04 - 0.01 * np.arange(hypotheses), (frames, 1, 1))
    poses = poses_of(joints[:, :, 1])
    return replace(poses, joints=joints, score=score, chosen=np.ones((frames, 1), int))


def test_the_page_asks_for_nothing(tmp_path):
    save(several(), tmp_path / "poses.html")
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
    data = made(poses, tmp_path)
    found = points(data, "chosen", 2, len(H36M17))
    np.testing.assert_allclose(np.moveaxis(found, -1, 0), upright(poses).points, atol=HALF_MM)
    assert [person["id"] for person in data["people"]] == [3, 8]
    assert [joint["name"] for joint in data["joints"]] == list(H36M17.joints)
    assert [(H36M17.joints[a], H36M17.joints[b]) for a, b in data["bones"]] == list(H36M17.bones)


def test_wide_scenes_are_coarser_and_not_cut(tmp_path):
    poses = poses_of(seen(world_clip(), t_cam_from_world=(150.0, 0.0, 5.0))[:, None])
    data = made(poses, tmp_path)
    assert data["unit_m"] == pytest.approx(0.005)
    found = np.moveaxis(points(data, "chosen", 1, len(H36M17)), -1, 0)
    np.testing.assert_allclose(found, upright(poses).points, atol=0.0026)


@pytest.mark.parametrize(("asked", "shown"), [(0, 0), (2, 2), (3, 3), (9, 4)])
def test_ghosts_are_the_best_that_were_not_chosen(tmp_path, asked, shown):
    poses = several()
    data = made(poses, tmp_path, ghosts=asked)
    assert data["ghosts"] == shown and data["hypotheses"] == 5
    if not shown:
        assert data["blobs"]["ghosts"] is None
        return
    found = np.moveaxis(points(data, "ghosts", 1, shown, len(H36M17)), -1, 0)
    expected = upright(poses).turned(poses.joints[:, :, [0, 2, 3, 4][:shown]])
    np.testing.assert_allclose(found, expected, atol=HALF_MM)


def test_spread_error_and_what_is_not_to_be_trusted(tmp_path):
    poses = couple_with_gaps()
    score, spread = poses.score.copy(), poses.spread.copy()
    score[3, 0], spread[4, 0, 2], spread[3, 0, 1] = -0.1004, np.nan, 9.0
    data = made(replace(poses, score=score, spread=spread), tmp_path)
    steps = np.frombuffer(inflated(data["blobs"]["spread"]), np.uint8).reshape(2, len(H36M17), 25)
    assert (
        steps[0, 2, 4] == 255
        and steps[0, 1, 3] == 254
        and steps[0, 0, 0] * data["spread_unit_m"] == pytest.approx(0.01)
    )
    error = np.frombuffer(inflated(data["blobs"]["error"]), "<u2").reshape(2, 25)
    assert error[0, 3] == 100 and error[0, 0] == 50 and (error[1] == 0xFFFF).sum() == 24
    doubtful = np.frombuffer(inflated(data["blobs"]["doubtful"]), np.uint8).reshape(2, 25)
    assert np.argwhere(doubtful).tolist() == [[0, 3], [0, 10]]  # too large an error; a head that is not known


def test_what_was_made_up(tmp_path):
    poses = couple_with_gaps()
    filled = np.zeros(poses.present.shape, bool)
    filled[3, 0] = True
    data = made(replace(poses, filled=filled), tmp_path)
    found = np.frombuffer(inflated(data["blobs"]["filled"]), np.uint8).reshape(2, 25)
    assert np.argwhere(found).tolist() == [[0, 3]]
    assert ["made up in gaps", "1"] in data["facts"]


def test_times_numbers_and_camera(tmp_path):
    times = np.array([0.5, 0.6, 0.9])
    R, t = tuple(map(tuple, LEVEL)), (0.3, 1.5, 5.0)
    cameras = (replace(CAMERA, R_cam_from_world=R, t_cam_from_world=t, size=(1001, 801)),)
    poses = poses_of(
        seen(world_clip(0, 3), LEVEL, t)[:, None], times_s=times, frame_numbers=np.array([5, 6, 9]), cameras=cameras
    )
    data = made(poses, tmp_path)
    np.testing.assert_allclose(np.frombuffer(inflated(data["blobs"]["times"]), "<f4"), times, rtol=1e-6)
    assert np.frombuffer(inflated(data["blobs"]["numbers"]), "<i4").tolist() == [5, 6, 9]
    camera = np.frombuffer(inflated(data["blobs"]["camera"]), "<f4").astype(float)
    np.testing.assert_allclose(
        poses.best[0, 0] @ camera[:9].reshape(3, 3).T + camera[9:], upright(poses).points[0, 0], atol=1e-5
    )
    assert data["intrinsics"] == [1000, 1000, 500, 400, 1001, 801]
    for bad in (times[::-1], np.array([0.5, np.nan, 0.9]), np.zeros(3)):
        data = made(replace(poses, times_s=bad), tmp_path)
        np.testing.assert_allclose(
            np.frombuffer(inflated(data["blobs"]["times"]), "<f4"), np.array([5, 6, 9]) / 25, rtol=1e-6
        )


def test_pixels_on_the_video_are_the_projection(tmp_path):
    (tmp_path / "clip.mp4").write_bytes(b"film")
    poses = couple_with_gaps()
    data = made(poses, tmp_path, film=film_of(tmp_path / "clip.mp4", tmp_path / "poses.html"))
    values = unpacked(data["blobs"]["pixels"], 25).reshape(2, len(H36M17), 2, 25)
    found = np.moveaxis(np.where(values == -32768, np.nan, values * data["pixel_unit"]), -1, 0)
    expected = np.stack([poses.camera(t).project(people) for t, people in enumerate(poses.best)])
    np.testing.assert_allclose(found, expected, atol=0.05)


def test_ten_minutes_of_three_people_fit_a_page(tmp_path):
    """18000 frames, 3 people, 10 hypotheses: the stated 30 MB with the default of ghosts."""
    body = np.tile(world_clip(), (720, 1, 1))
    noise = np.random.default_rng(0).normal(0, 0.002, (18000, 3, 10, 1, 1))
    joints = (seen(body)[:, None, None] + np.arange(3)[:, None, None, None] + noise).astype(np.float32)
    poses = poses_of(joints[:, :, 0])
    poses = replace(poses, joints=joints, score=np.zeros((18000, 3, 10)), spread=np.full((18000, 3, 17), 0.05))
    write_page(poses, tmp_path / "poses.html")
    assert (tmp_path / "poses.html").stat().st_size < 30e6


def test_texts_are_no_markup(tmp_path):
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


def test_what_cannot_be_shown(tmp_path):
    nobody = poses_of(np.full((3, 1, len(H36M17), 3), np.nan))
    with pytest.raises(InputError, match="expected at least one person, found nobody in 3 frames"):
        html.write(nobody, tmp_path / "poses.html")
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write there"):
        html.write(clip(), tmp_path / "file" / "poses.html")
    for video in (tmp_path / "none.mp4", tmp_path):
        with pytest.raises(InputError, match="expected a video, found"):
            film_of(video, tmp_path / "poses.html")


def test_a_video_is_in_the_page_or_named_by_its_path(tmp_path):
    (tmp_path / "videos").mkdir()
    small, large = tmp_path / "videos" / "a b.mp4", tmp_path / "videos" / "large.webm"
    small.write_bytes(bytes(range(256)))
    with open(large, "wb") as file:
        file.truncate(EMBEDDED_BYTES + 1)
    page = tmp_path / "out" / "poses.html"
    assert film_of(small, page) == Film(file=small, embedded=True, path="../videos/a%20b.mp4")
    assert film_of(large, page).embedded is False and film_of(large, page).type == "video/webm"
    for video, media in ((small, "blob:"), (large, "'self' file:")):
        write_page(clip(), page, film=film_of(video, page))
        text = page.read_text(encoding="utf-8")
        assert f"media-src {media};" in text and page.stat().st_size < 1e6
    write_page(clip(), page, film=film_of(small, page))
    packed = Page(page.read_text(encoding="utf-8")).texts["film-data"]
    assert base64.b64decode(packed) == small.read_bytes()


# The command


def zedo(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def refused(result: Result, code: int, *parts: str) -> None:
    assert result.exit_code == code, result.output
    assert all(part in " ".join(result.stderr.split()) for part in parts), result.stderr
    assert "Traceback" not in result.output


@pytest.mark.parametrize("which", ["poses.npz", "poses.json", "."])
def test_view(tmp_path, which):
    save(several(), tmp_path / ("poses.json" if which == "poses.json" else "poses.npz"))
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


def test_a_large_video_is_said_to_stay_where_it_is(tmp_path):
    save(clip(), tmp_path / "poses.npz")
    with open(tmp_path / "large.mp4", "wb") as file:
        file.truncate(EMBEDDED_BYTES + 1)
    done = zedo("view", tmp_path, "--video", tmp_path / "large.mp4", "--quiet")
    assert done.exit_code == 0 and "large.mp4: larger than 32 MB, the page plays it from large.mp4" in done.stderr


def test_view_refusals(tmp_path):
    refused(zedo("view", tmp_path), 2, "expected poses.npz or poses.json in it, found neither")
    refused(zedo("view", tmp_path / "none.npz"), 2, "No such file")
    save(clip(), tmp_path / "poses.npz")
    refused(zedo("view", tmp_path, "--video", tmp_path / "none.mp4"), 2, "none.mp4: expected a video")
    refused(zedo("view", tmp_path, "--out", tmp_path / "page.pdf"), 2, "expected a name ending in .html")
    refused(zedo("view", tmp_path, "--up", "sideways"), 2, "expected auto, camera, calibration, people or X,Y,Z")
    refused(zedo("view", tmp_path, "--out", tmp_path / "poses.npz" / "a.html"), 1, "cannot write there")
    assert [path.name for path in tmp_path.iterdir()] == ["poses.npz"]


def test_one_frame_is_a_page_too(tmp_path):
    data = made(poses_of(seen(t_pose())[None, None], fps=None), tmp_path)
    assert data["frames"] == 1 and data["summary"] == "1 frame · 1 person"
