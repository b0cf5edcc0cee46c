"""The page with the 3D player in a real browser: what is drawn of people, and where."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest
from browser import extent, middle, near, size
from export_cases import couple_with_gaps, in_camera, poses_of, t_pose, world_clip
from player_page import CAMERA, DARK, LIGHT, WARN, standing

from zedo_core.camera import Camera
from zedo_core.skeleton import H36M17


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


def test_the_view_from_the_camera(tmp_path, browser):
    """In the camera's view the joints lie at their projections, up to the scale of the window."""
    poses = poses_of(in_camera(world_clip(1, 5))[:, None], cameras=(CAMERA,))
    browser.show(poses, tmp_path)
    browser.click("[data-view=camera]")
    places = np.array(browser.run("body(0, 0).map(projector(lens(320, 240, 0))).map(p => [p.x, p.y])"))
    np.testing.assert_allclose(places, poses.camera(0).project(poses.best[0]) + 0.0, atol=0.7)
    browser.drag((30, 0))
    assert browser.dataset("view") == ["free"]


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
