"""The page with the 3D player in a real browser: the video beside it, and what is drawn on it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from browser import near
from export_cases import in_camera, poses_of, world_clip
from player_page import CAMERA, DARK, make_video, standing

from zedo_core.skeleton import H36M17


@pytest.mark.parametrize("embedded", [True, False])
def test_the_video_is_synchronised(tmp_path, browser, embedded, monkeypatch):
    monkeypatch.setattr("zedo_core.export.html.EMBEDDED_BYTES", 10**9 if embedded else 0)
    browser.show(standing(), tmp_path, video=make_video(tmp_path / "a video.mp4"))
    browser.until("$('video').dataset.ready === 'true'")
    for frame in (20, 5):
        browser.run(f"go({frame})")
        browser.until("!video.seeking")
        assert browser.run("Math.floor(video.currentTime * 30 + 0.05)") == frame
        left, top, _, height = browser.place("#video video")
        grey = browser.window()[top + height // 2, left + 5]  # next to the person
        assert np.abs(grey - 8 * frame).max() < 12
    browser.run("(go(0), play(true))")
    browser.until("Number(stage.dataset.frame) > 5 && !video.paused")
    assert abs(browser.run("video.currentTime * 30 - state.frame")) < 3
    browser.run("play(false)")
    assert browser.run("video.paused")
    urls = [e["params"]["request"]["url"] for e in browser.problems() if e["method"] == "Network.requestWillBeSent"]
    assert len(urls) == len(browser.problems()) and all(
        url.startswith("blob:" if embedded else "file:") for url in urls
    )


def test_a_video_that_cannot_be_played_is_reported(tmp_path, browser):
    (tmp_path / "broken.mp4").write_bytes(b"not a video")
    browser.show(standing(), tmp_path, video=tmp_path / "broken.mp4")
    browser.until("!document.querySelector('#video .note').hidden")
    assert "cannot play the embedded video" in browser.run("document.querySelector('#video .note').textContent")
    browser.run("play(true)")
    browser.until("Number(stage.dataset.frame) > 5")
    browser.run("play(false)")


def test_the_skeleton_on_the_video_is_the_projection(tmp_path, browser):
    poses = standing()
    browser.show(poses, tmp_path, video=make_video(tmp_path / "video.mp4"))
    browser.until("$('video').dataset.ready === 'true'")
    left, top, width, height = browser.place("#video canvas")
    fit = min(width / 320, height / 240)
    corner = np.array([left + (width - 320 * fit) / 2, top + (height - 240 * fit) / 2])
    image = browser.window()
    for joint, colour in (("left_knee", DARK["left"]), ("right_elbow", DARK["right"])):
        x, y = np.round(corner + (CAMERA.project(poses.best[0, H36M17.index(joint)]) + 0.5) * fit).astype(int)
        assert near(image[y - 3 : y + 4, x - 3 : x + 4], colour).any()


def test_doubt_and_gaps_are_marked_on_the_video(tmp_path, browser):
    poses = standing()
    score, filled = poses.score.copy(), np.zeros(30, bool)
    score[10:20], filled[20:] = -0.2, True
    browser.show(replace(poses, score=score, filled=filled), tmp_path, video=make_video(tmp_path / "video.mp4"))
    browser.until("$('video').dataset.ready === 'true'")
    left, top, width, height = browser.place("#video canvas")
    marked, limbs = [], []
    for frame in (5, 15, 25):
        browser.run(f"go({frame})")
        browser.until("!video.seeking")
        image = browser.window()[top : top + height, left : left + width]
        marked.append(int(near(image, (255, 92, 141)).sum()))
        limbs.append(int(near(image, DARK["left"]).sum()))
    assert marked[0] == marked[2] == 0 and marked[1] > 300
    assert limbs[0] > 200 and limbs[1] > 0.5 * limbs[0] and limbs[2] < 0.3 * limbs[0]
    assert browser.run("overlay.getContext('2d').getLineDash().length") == 0


PILLS = """(() => {
  const made = [], own = paintPill;
  paintPill = (context, at, p) => { if (context.canvas === overlay) made.push([at.x, at.y]); own(context, at, p); };
  refresh();
  paintPill = own;
  return made;
})()"""


def test_ids_on_the_video_lie_within_it(tmp_path, browser):
    first, second = in_camera(world_clip(0)), in_camera(world_clip(3), t_cam_from_world=(1.5, 1.2, 5.0))
    poses = poses_of(np.stack([first, second], axis=1), track_ids=(3, 8), cameras=(CAMERA,))
    browser.show(poses, tmp_path, video=make_video(tmp_path / "video.mp4"))
    browser.until("$('video').dataset.ready === 'true'")
    pills = browser.run(PILLS)
    _, _, width, height = browser.place("#video canvas")
    fit = min(width / 320, height / 240)
    corner = np.array([(width - 320 * fit) / 2, (height - 240 * fit) / 2])
    assert len(pills) == 2
    assert (np.array(pills) >= corner + 10).all() and (
        np.array(pills) <= corner + np.array([320, 240]) * fit - 10
    ).all()
