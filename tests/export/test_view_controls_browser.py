"""The page with the 3D player in a real browser: playback, views, keys, and phones."""

from __future__ import annotations

import time

import pytest
from browser import middle, near, size
from export_cases import couple_with_gaps
from player_page import DEGREES_PER_PX, LIGHT, standing


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
