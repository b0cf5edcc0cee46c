"""The page of joint angles in a real browser: curves, people, values under the pointer, dark and small screens."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from angle_cases import as_array, body_of, standing
from browser import Browser, chromium, near
from export_cases import in_camera, poses_of

from zedo_core.export import save
from zedo_core.motions.upright import with_up

RIGHT, LEFT = (212, 86, 27), (22, 115, 201)
FRAMES = 30


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    yield from chromium(tmp_path_factory.mktemp("profile"), Browser)


def page(folder: Path, people: int = 1) -> Path:
    """Knees that bend from 0 to 90 degrees, those of the second person less, with three hypotheses."""
    clips = []
    for p in range(people):
        hypotheses = []
        for off in (0.0, 5.0, -5.0):
            known = {name: np.repeat(value, FRAMES) for name, value in standing().items()}
            known["knee_angle_r"] = np.linspace(10, 90 - 40 * p, FRAMES) + off
            known["elbow_flex_l"] = np.linspace(40, 60, FRAMES) + off
            hypotheses.append(in_camera(as_array(body_of(known))) + np.array((p, 0, 0)))
        clips.append(np.stack(hypotheses, axis=1))
    poses = with_up(poses_of(np.stack(clips, axis=1), fps=30.0), "camera")
    return save(poses, folder / "poses.angles")[1]


def point(browser: Browser, figure: int, x: float, y: float = 0.5) -> None:
    """Move the pointer over the n-th plot, to a place in parts of its size."""
    browser.run(f"document.querySelectorAll('svg')[{figure}].scrollIntoView()")
    box = browser.run(
        f"(r => [r.left, r.top, r.width, r.height])(document.querySelectorAll('svg')[{figure}].getBoundingClientRect())"
    )
    browser.mouse("mouseMoved", (box[0] + x * box[2], box[1] + y * box[3]), button="none")
    browser.settle()


def knee(browser: Browser) -> int:
    return browser.run("[...document.querySelectorAll('figcaption')].findIndex(c => c.textContent == 'knee angle')")


def test_curves_and_values(tmp_path, browser):
    browser.open(page(tmp_path), (1200, 1000))
    assert browser.problems() == []
    assert near(browser.window(), RIGHT).sum() > 500 and near(browser.window(), LEFT).sum() > 500
    assert browser.run("document.getElementById('people').offsetHeight") == 0  # nothing to choose
    figure = knee(browser)
    point(browser, figure, 0.999)
    text = browser.run(f"document.querySelectorAll('output')[{figure}].textContent")
    assert text.split("°")[0].strip() == "90.0" and "±" in text
    point(browser, figure, 38 / 400)
    assert browser.run(f"document.querySelectorAll('output')[{figure}].textContent").startswith(" 10.0°")


def test_the_curve_is_at_its_values(tmp_path, browser):
    """A straight line from 10 to 90 degrees, by the ticks of the axis."""
    browser.open(page(tmp_path), (1200, 1000))
    figure = f"document.querySelectorAll('figure')[{knee(browser)}]"
    ticks = browser.run(
        f"[...{figure}.querySelectorAll('text[text-anchor=end]')].map(t => [+t.textContent, +t.getAttribute('y') - 4])"
    )
    degrees, y = np.array(ticks).T
    scale = np.polyfit(y, degrees, 1)
    path = browser.run(f"{figure}.querySelector('.right.curve').getAttribute('d')")
    points = np.array([[float(v) for v in pair.split()] for pair in path[1:].split("L")])
    np.testing.assert_allclose(np.polyval(scale, points[:, 1]), np.linspace(10, 90, FRAMES), atol=0.2)
    np.testing.assert_allclose(np.diff(points[:, 0]), np.diff(points[:, 0]).mean(), atol=0.11)


def test_people_are_chosen(tmp_path, browser):
    browser.open(page(tmp_path, people=2), (1200, 1000))
    assert browser.run("[...document.querySelectorAll('#people button')].map(b => b.textContent)") == [
        "person 1",
        "person 2",
    ]
    browser.click("#people button:nth-child(2)")
    assert browser.run("document.body.dataset.drawn") == "2"
    figure = knee(browser)
    point(browser, figure, 0.999)
    assert browser.run(f"document.querySelectorAll('output')[{figure}].textContent").startswith(" 50.0°")
    assert browser.problems() == []


def test_phones_and_dark_screens(tmp_path, browser):
    browser.open(page(tmp_path), (390, 800), scheme="dark", touch=True)
    assert browser.run("document.documentElement.scrollWidth") <= 390
    assert browser.window()[5, 5].max() < 40
    assert near(browser.window(), (233, 234, 237)).any()  # light text
