"""The page with the 3D player in a real browser: playback, views, people, videos, themes, and phones."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from browser import chromium, extent, middle, near, size
from export_cases import couple_with_gaps, in_camera, poses_of, t_pose, world_clip
from player_page import CAMERA, DARK, DEGREES_PER_PX, LIGHT, WARN, Player, make_video, standing

from zedo_core.camera import Camera
from zedo_core.skeleton import H36M17


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Player]:
    yield from chromium(tmp_path_factory.mktemp("profile"), Player)


def test_a_person_is_drawn_without_errors(tmp_path, browser):
    browser.show(standing(), tmp_path)
    assert browser.problems() == []
    assert all(near(browser.stage(), colour).sum() > 300 for colour in LIGHT.values())
    assert browser.run("[document.title, $('facts').textContent]") == [
        "a clip",
        "30 frames at 30 fps · 1 person",
    ]
    assert browser.run("$('loading').hidden && $('warning').hidden && $('people').hidden && $('video').hidden")


def test_bones_are_drawn_at_their_projections(tmp_path, browser):
    """From the front, with heading and tilt 0: x to the right, y upwards, at one scale."""
    body = t_pose() + np.random.default_rng(3).normal(0, 0.08, (17, 3)) * (1, 1, 0)
    browser.show(poses_of(in_camera(body)[None, None], cameras=(CAMERA,)), tmp_path)
    browser.only_people()
    browser.run("(eye.asCamera = false, eye.heading = 0, eye.tilt = 0, redraw())")
    browser.settle()
    left, top, width, height = browser.place("#stage")
    image = browser.window()[top : top + height, left : left + width]
    places = browser.run(
        "body(0, 0).map(projector(lens(stage.clientWidth, stage.clientHeight, 0))).map(p => [p.x, p.y])"
    )
    places = np.array(places)
    # The projection of a flat body is a scale and a translation.
    expected = body[:, :2] * (1, -1)
    scale = np.ptp(places, axis=0) / np.ptp(expected, axis=0)
    np.testing.assert_allclose(scale[0], scale[1], rtol=0.15)  # the body turned upright may lean a little in depth
    for child, parent in H36M17.edges:
        x, y = np.round(places[[child, parent]].mean(0)).astype(int)
        assert near(image[y - 4 : y + 5, x - 4 : x + 5], *LIGHT.values()).any(), H36M17.joints[child]


def test_playback_speed_pause_and_repeat(tmp_path, browser):
    browser.show(standing(frames=90), tmp_path)
    browser.click("#play")
    began = time.monotonic()
    browser.until("Number(stage.dataset.frame) >= 30")
    assert time.monotonic() - began > 0.6  # a second, less the delay of the first frame
    assert browser.dataset("playing") == ["true"] and browser.run("$('play').getAttribute('aria-label')") == "Pause"
    browser.click("#play")
    (frame,) = browser.dataset("frame")
    time.sleep(0.3)
    assert browser.dataset("frame", "playing") == [frame, "false"]
    browser.run("(setSpeed(4), go(85), play(true))")
    browser.until("Number(stage.dataset.frame) < 80")  # from the end to the beginning
    browser.run("play(false)")


def test_scrubbing_and_steps(tmp_path, browser):
    browser.show(standing(), tmp_path)
    left, top, width, height = browser.place("#seek")
    at = (left + width * 0.5, top + height / 2)
    browser.mouse("mousePressed", at, buttons=1, clickCount=1)
    browser.mouse("mouseReleased", at, clickCount=1)
    browser.settle()
    assert abs(int(browser.dataset("frame")[0]) - 15) <= 1
    browser.run("go(10)")
    browser.click("#on")
    browser.click("#on")
    browser.click("#back")
    assert browser.dataset("frame") == ["11"] and browser.run("seek.value") == "11"
    assert browser.run("seek.getAttribute('aria-valuetext')") == "frame 11, 0.37 seconds"
    assert browser.run("$('time').textContent") == "0:00.37 / 0:00.97 · frame 11"


def test_the_person_moves_with_the_frames(tmp_path, browser):
    browser.show(standing(), tmp_path)
    browser.only_people()
    browser.run("look('front')")
    browser.run("go(0)")
    browser.settle()
    first = middle(near(browser.stage(), *LIGHT.values()))
    browser.run("go(29)")
    browser.settle()
    assert middle(near(browser.stage(), *LIGHT.values()))[0] > first[0] + 80


def test_dragging_and_preset_views(tmp_path, browser):
    browser.show(standing(), tmp_path)
    browser.only_people()
    browser.click("[data-view=front]")
    front = browser.stage()
    left, right = (middle(near(front, LIGHT[side]))[0] for side in ("left", "right"))
    assert left > right + 60  # a person facing the viewer has the left on the viewer's right
    browser.drag((100, 0))
    assert int(browser.dataset("heading")[0]) == pytest.approx(-100 * DEGREES_PER_PX, abs=1)
    browser.click("[data-view=side]")
    assert size(near(browser.stage(), *LIGHT.values()))[0] < 0.5 * size(near(front, *LIGHT.values()))[0]
    browser.click("[data-view=top]")
    assert size(near(browser.stage(), *LIGHT.values()))[1] < 0.6 * size(near(front, *LIGHT.values()))[1]
    assert browser.run("document.querySelector('[data-view=top]').getAttribute('aria-pressed')") == "true"
    browser.drag((0, -60))
    assert browser.run("document.querySelector('[data-view=top]').getAttribute('aria-pressed')") == "false"


def test_the_view_from_the_camera(tmp_path, browser):
    """In the camera's view the joints lie at their projections, up to the scale of the window."""
    poses = poses_of(in_camera(world_clip(1, 5))[:, None], cameras=(CAMERA,))
    browser.show(poses, tmp_path)
    browser.click("[data-view=camera]")
    places = np.array(browser.run("body(0, 0).map(projector(lens(320, 240, 0))).map(p => [p.x, p.y])"))
    np.testing.assert_allclose(places, poses.camera(0).project(poses.best[0]) + 0.0, atol=0.7)
    browser.drag((30, 0))
    assert browser.dataset("view") == ["free"]


def test_keys(tmp_path, browser):
    browser.show(standing(), tmp_path)
    browser.run("stage.focus({focusVisible: false})")
    heading, zoom = browser.dataset("heading", "zoom")
    browser.press("ArrowLeft", times=2, shift=True)
    assert int(browser.dataset("heading")[0]) == int(heading) + 10 and browser.dataset("frame") == ["0"]
    (tilt,) = browser.dataset("tilt")
    browser.press("ArrowDown", shift=True)
    assert int(browser.dataset("tilt")[0]) == int(tilt) + 5
    browser.press("+")
    assert float(browser.dataset("zoom")[0]) == pytest.approx(1.15)
    browser.press("0")
    assert browser.dataset("heading", "zoom") == [heading, zoom]
    browser.press(".", times=3)
    assert browser.dataset("frame") == ["3"]
    browser.press(" ")
    assert browser.dataset("playing") == ["true"]
    browser.press(" ")
    assert browser.dataset("playing") == ["false"]
    for key, layer in (("g", "ghosts"), ("u", "spread"), ("p", "path"), ("o", "floor"), ("f", "follow")):
        before = browser.run(f"state.layers.{layer}")
        browser.press(key)
        hidden = browser.run(f"document.querySelector('[data-layer={layer}]').hidden")
        assert browser.run(f"state.layers.{layer}") == (before if hidden else not before)
    browser.press("?")
    assert not browser.run("$('help').hidden") and "estimated from" in browser.run("$('help').textContent")
    browser.press("Escape")
    assert browser.run("$('help').hidden")


def test_each_picture_is_seen_from_its_own_camera(tmp_path, browser):
    cameras = (CAMERA, Camera(fx=700.0, fy=700.0, cx=100.0, cy=190.0, size=(200, 400)))
    poses = poses_of(in_camera(world_clip(1, 2))[:, None], cameras=cameras)
    browser.show(poses, tmp_path)
    browser.click("[data-view=camera]")
    for t, camera in enumerate(cameras):
        width, height = camera.size or (0, 0)
        browser.run(f"go({t})")
        browser.settle()
        places = browser.run(f"body(0, {t}).map(projector(lens({width}, {height}, {t}))).map(p => [p.x, p.y])")
        np.testing.assert_allclose(places, camera.project(poses.best[t]), atol=1.0)


def test_no_id_joins_people_of_unrelated_pictures(tmp_path, browser):
    poses = poses_of(np.stack([in_camera(world_clip(n, 3)) for n in (0, 3)], axis=1), fps=None)
    for sequence in (True, False):
        options = {"source": {"path": "folder", "kind": "folder", "sequence": sequence}}
        browser.show(replace(poses, provenance=replace(poses.provenance, options=options)), tmp_path)
        assert browser.run("$('people').hidden") is not sequence
        assert browser.run("[state.layers.path, !document.querySelector('[data-layer=path]').hidden]") == 2 * [sequence]
        assert browser.run("$('facts').textContent") == ("3 frames · 2 people" if sequence else "3 pictures · 6 poses")
        assert browser.run("READ.times[2] - READ.times[0]") == pytest.approx(2 / 30 if sequence else 2)
    assert browser.problems() == []


@pytest.mark.parametrize("focus", ["stage", "seek", "$('play')", "document.querySelector('[data-view=side]')"])
def test_arrows_step_and_home_and_end_seek_wherever_the_focus_is(tmp_path, browser, focus):
    browser.show(standing(), tmp_path)
    (heading,) = browser.dataset("heading")
    browser.run(f"({focus}).focus({{focusVisible: false}})")
    frames = []
    for key, times in (
        ("ArrowRight", 3),
        ("ArrowLeft", 1),
        ("End", 1),
        ("ArrowRight", 1),
        ("Home", 1),
        ("ArrowLeft", 1),
    ):
        browser.press(key, times=times)
        frames += browser.dataset("frame")
    assert frames == ["3", "2", "29", "29", "0", "0"] and browser.dataset("heading") == [heading]
    browser.run("play(true)")
    browser.press("ArrowRight")
    assert browser.dataset("playing") == ["false"]  # to look at a frame


def test_the_help_names_the_keys(tmp_path, browser):
    browser.show(standing(), tmp_path)
    browser.press("?")
    rows = browser.run(
        "[...$('help').querySelectorAll('dt')].map(t => t.textContent.trim() + ': ' + t.nextSibling.textContent)"
    )
    assert {"← →: one frame back, forward", "Home End: first, last frame", "Shift ← → ↑ ↓: rotate"} <= set(rows)


def test_one_person_or_all(tmp_path, browser):
    first, second = in_camera(world_clip(0)), in_camera(world_clip(3), t_cam_from_world=(1.5, 0.0, 5.0))
    browser.show(poses_of(np.stack([first, second], axis=1), track_ids=(3, 8)), tmp_path)
    browser.only_people()
    assert browser.run("[...$('people').children].map(b => b.textContent)") == ["All", "person 3", "person 8"]
    both = near(browser.stage(), *LIGHT.values()).sum()
    browser.click("#people button:nth-child(3)")
    assert browser.dataset("person") == ["1"]
    assert browser.run("$('people').querySelector('[aria-checked=true]').textContent") == "person 8"
    one = near(browser.stage(), *LIGHT.values()).sum()
    assert 0.25 * both < one < 0.75 * both
    browser.press("a")
    assert near(browser.stage(), *LIGHT.values()).sum() == both
    browser.run("$('people').children[0].focus()")
    browser.press("ArrowRight")
    assert browser.dataset("person") == ["0"] and browser.run("document.activeElement.textContent") == "person 3"


def test_absent_people_are_not_drawn(tmp_path, browser):
    browser.show(couple_with_gaps(), tmp_path)
    browser.only_people()
    browser.run("choose(1)")
    counts = []
    for frame in (0, 12):
        browser.run(f"go({frame})")
        browser.settle()
        counts.append(near(browser.stage(), *LIGHT.values()).sum())
    assert counts[0] == 0 and counts[1] > 300


def test_doubtful_poses_are_reported_and_marked(tmp_path, browser):
    poses = standing()
    score = poses.score.copy()
    score[10:20] = -0.2
    browser.show(replace(poses, score=score), tmp_path)
    browser.only_people()
    assert not near(browser.stage(), WARN).any()
    browser.run("go(15)")
    browser.settle()
    assert browser.run("$('warning').textContent") == "⚠ Doubtful — expected error 200 mm"
    assert near(browser.stage(), WARN).sum() > 100
    assert browser.run("seek.getAttribute('aria-valuetext')").endswith("doubtful")
    left, top, width, height = browser.place("#lanes")
    marked = near(browser.window()[top : top + height, left : left + width], WARN)
    low, high = extent(marked)
    np.testing.assert_allclose([low[0], high[0]], [width / 3, width * 2 / 3], atol=3)


def test_interpolated_poses_are_reported_and_dashed(tmp_path, browser):
    filled = np.zeros(30, bool)
    filled[10:20] = True
    browser.show(replace(standing(), filled=filled), tmp_path)
    browser.only_people()
    assert browser.run("$('warning').hidden")
    seen_px = sum(int(near(browser.stage(), colour).sum()) for colour in LIGHT.values())
    browser.run("go(12)")
    browser.settle()
    assert browser.run("$('warning').textContent") == "Not observed — interpolated in a gap"
    assert browser.run("$('seek').getAttribute('aria-valuetext')").endswith(", interpolated")
    assert sum(int(near(browser.stage(), colour).sum()) for colour in LIGHT.values()) < 0.1 * seen_px
    assert (size(np.ptp(browser.stage().astype(int), axis=-1) > 30) > 100).all()  # a pale person is visible
    browser.run("go(25)")
    browser.settle()
    assert browser.run("$('warning').hidden")
    assert browser.problems() == []


def test_ghosts_spread_path_and_floor_are_visible(tmp_path, browser):
    joints = in_camera(world_clip(0, 10))[:, None, None] + 0.2 * np.arange(3)[:, None, None] * np.array([1.0, 0, 0])
    score = np.tile([-0.04, -0.05, -0.06], (10, 1, 1))
    browser.show(poses_of(joints, score=score, spread=np.full((10, 1, 17), 0.1)), tmp_path)
    browser.only_people()
    plain = browser.stage()
    for name in ("ghosts", "spread", "path", "floor"):
        browser.click(f"[data-layer={name}]")
        assert (browser.stage() != plain).any(-1).sum() > 150, name
        browser.click(f"[data-layer={name}]")
    np.testing.assert_array_equal(browser.stage(), plain)


def test_dark_light_and_back(tmp_path, browser):
    browser.show(standing(), tmp_path, scheme="dark")
    assert all(near(browser.stage(), colour).sum() > 200 for colour in DARK.values())
    assert browser.window()[3, 3].max() < 60
    browser.click("#theme")
    assert near(browser.stage(), LIGHT["left"]).sum() > 200 and browser.window()[3, 3].min() > 200
    browser.click("#theme")
    assert browser.run("$('theme').getAttribute('aria-label')") == "Colours: dark"
    browser.click("#theme")
    browser.colour_scheme("light")
    assert near(browser.stage(), LIGHT["left"]).sum() > 200


def test_touch_control_on_a_phone(tmp_path, browser):
    browser.show(couple_with_gaps(), tmp_path, (360, 740), ratio=3, touch=True)
    assert browser.run("[document.documentElement.scrollWidth, document.documentElement.scrollHeight]") == [360, 740]
    assert browser.run("stage.width / stage.clientWidth") == 3
    small = browser.run(
        "[...document.querySelectorAll('button, select')].filter(b => b.offsetParent && b.clientHeight < 32).length"
    )
    assert small == 0
    left, top, width, height = browser.place("#stage")
    x, y = left + width / 2, top + height / 2
    assert height > 300
    heading = int(browser.dataset("heading")[0])
    browser.touch("touchStart", (x, y))
    for dx in range(10, 100, 10):
        browser.touch("touchMove", (x + dx, y))
    browser.touch("touchEnd")
    assert int(browser.dataset("heading")[0]) < heading - 30 and browser.dataset("zoom") == ["1.00"]
    browser.touch("touchStart", (x - 30, y), (x + 30, y))
    for dx in range(30, 61, 5):
        browser.touch("touchMove", (x - dx, y), (x + dx, y))
    browser.touch("touchEnd")
    assert float(browser.dataset("zoom")[0]) > 1.5


@pytest.mark.parametrize("window", [(844, 390), (320, 568), (1920, 1080)])
def test_everything_fits_into_the_window(tmp_path, browser, window):
    browser.show(couple_with_gaps(), tmp_path, window)
    assert browser.run("document.documentElement.scrollWidth") <= window[0]
    left, top, width, height = browser.place("#play")
    assert left >= 0 and left + width <= window[0] and top + height <= window[1]
    assert browser.place("#stage")[3] > 0.3 * window[1]


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


def test_a_single_frame(tmp_path, browser):
    browser.show(standing(frames=1, fps=None), tmp_path)
    assert browser.problems() == [] and near(browser.stage(), *LIGHT.values()).sum() > 500
    assert browser.run("$('play').disabled") is True


def test_long_results_load_quickly(tmp_path, browser):
    """Ten minutes of three people are decoded within seconds, and a late frame is drawn."""
    body = in_camera(np.tile(world_clip(), (720, 1, 1)))
    joints = np.stack([body + np.array([k, 0, 0]) for k in (-1.5, 0, 1.5)], axis=1)
    began = time.monotonic()
    browser.show(poses_of(joints), tmp_path)
    browser.until("$('loading').hidden")
    assert time.monotonic() - began < 20
    browser.run("go(17990)")
    browser.settle()
    assert browser.dataset("frame") == ["17990"] and near(browser.stage(), *LIGHT.values()).sum() > 300
    took = browser.run(
        "(() => { const a = performance.now(); for (let i = 0; i < 20; i++) { state.frame = 900 * i; refresh(); }"
        " return performance.now() - a; })()"
    )
    assert took < 20 * 100  # milliseconds: 10 frames per second without a GPU
