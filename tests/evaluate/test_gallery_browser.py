"""The gallery in a real browser."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
import pytest
from browser import Browser, chromium, middle, near, size
from gallery_cases import JOINTS, NASTY, NOTHING, case, project, standing, write_and_read

from zedo_core.render.draw import SIDES
from zedo_core.skeleton import H36M17


class GalleryBrowser(Browser):
    """A browser with names for the gallery's canvases."""

    names = "const [solids, flats] = ['solid', 'flat'].map(k => [...document.querySelectorAll('canvas.' + k)]);"

    def only(self, *names: str) -> None:
        """Check only these of truth, chosen and others."""
        for name in ("truth", "chosen", "others"):
            if self.run(f"document.forms[0].{name}.checked") != (name in names):
                self.click(f"input[name={name}]")

    def box(self, kind: str, number: int) -> list[int]:
        """Left, top, width and height of a canvas in the window, without its border."""
        corner = f"{kind}s[{number}].getBoundingClientRect()"
        found = self.run(
            f"[{corner}.left + 1, {corner}.top + 1, {kind}s[{number}].clientWidth, {kind}s[{number}].clientHeight]"
        )
        return [round(x) for x in found]

    def centre(self, number: int = 0) -> tuple[float, float]:
        left, top, width, height = self.box("solid", number)
        return left + width / 2, top + height / 2

    def view(self, number: int = 0) -> tuple[float, float, float]:
        """Heading and tilt in degrees and zoom of a 3D canvas, from its data attributes."""
        heading, tilt, zoom = self.run(
            f"['heading', 'tilt', 'zoom'].map(name => Number(solids[{number}].dataset[name]))"
        )
        return heading, tilt, zoom

    def canvas(self, kind: str = "solid", number: int = 0) -> np.ndarray:
        """Screenshot of a canvas as RGB."""
        left, top, width, height = self.box(kind, number)
        return self.window()[top : top + height, left : left + width]

    def drag(self, by: tuple[float, float], number: int = 0) -> None:
        """Drag with the mouse from the middle of a 3D canvas."""
        x, y = self.centre(number)
        self.mouse("mousePressed", (x, y), buttons=1, clickCount=1)
        self.mouse("mouseMoved", (x + by[0] / 2, y + by[1] / 2), buttons=1)
        self.mouse("mouseMoved", (x + by[0], y + by[1]), buttons=1)
        self.mouse("mouseReleased", (x + by[0], y + by[1]), clickCount=1)
        self.settle()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GalleryBrowser]:
    yield from chromium(tmp_path_factory.mktemp("profile"), GalleryBrowser)


LIGHT = {"left": (31, 111, 208), "right": (224, 88, 42), "centre": (48, 52, 60)}
TRUTH = {"left": (127, 147, 173), "right": (179, 145, 127)}
FIRST = (0, 0, 1)
AXES_PX = 60  # the axes, greyish like the truth, lie within this distance of the left edge
DEGREES_PER_PX = np.degrees(0.01)


def limbs(image: np.ndarray) -> np.ndarray:
    """Pixels of the chosen pose."""
    return near(image, *LIGHT.values())


def test_the_page_is_drawn_without_errors(tmp_path, browser):
    write_and_read(tmp_path, [case(seed) for seed in (0, 1, 2, 2)])
    browser.open(tmp_path / "gallery.html")
    assert browser.problems() == []
    headings, links = browser.run("['h2', 'nav a'].map(t => [...document.querySelectorAll(t)].map(e => e.textContent))")
    assert headings == ["Worst1 case", "Median1 case", "Best2 cases"]
    assert links == ["worst (1)", "median (1)", "best (2)"]
    assert browser.run("['dt', 'dd'].map(t => document.querySelector(t).textContent)") == ["MPJPE", "123.4 mm"]
    for kind in ("flat", "solid"):
        assert all(near(browser.canvas(kind), colour).sum() > 80 for colour in LIGHT.values())
    assert all(near(browser.canvas(), colour).sum() > 20 for colour in TRUTH.values())


def test_unchecked_poses_are_not_drawn(tmp_path, browser):
    write_and_read(tmp_path, [case()])
    browser.open(tmp_path / "gallery.html")
    images = {}
    for names in (("chosen",), ("truth",), ("chosen", "others"), ()):
        browser.only(*names)
        images[names] = browser.canvas()[:, AXES_PX:]
    chosen, truth, others, none = images.values()
    assert limbs(chosen).sum() > 300 and not limbs(truth).any() and not limbs(none).any()
    shown = near(truth, *TRUTH.values()).sum()
    assert shown > 100 and not near(none, *TRUTH.values()).any()
    assert near(chosen, *TRUTH.values()).sum() < 0.1 * shown  # blended edges of lines
    assert (others != chosen).any(-1).sum() > 300


def centred_on(points: np.ndarray, goal: np.ndarray) -> np.ndarray:
    """The points in the axes of the camera after panning and tilting it towards `goal`."""
    pan, tilt = np.arctan2(goal[0], goal[2]), np.arctan2(goal[1], np.hypot(goal[0], goal[2]))
    c, s = np.cos([pan, tilt]), np.sin([pan, tilt])
    panned = points @ np.array([[c[0], 0, s[0]], [0, 1, 0], [-s[0], 0, c[0]]])
    return panned @ np.array([[1, 0, 0], [0, c[1], s[1]], [0, -s[1], c[1]]])


@pytest.mark.parametrize("kind", ["flat", "solid"])
def test_both_panels_show_the_projection(tmp_path, browser, kind):
    """Every bone lies at its independently computed projection, up to scale and translation."""
    truth = standing() + np.array([1, 1.2, 0])
    truth[:, 2] += np.random.default_rng(1).normal(0, 0.2, JOINTS)
    expected = project(truth if kind == "flat" else centred_on(truth, truth[H36M17.index("pelvis")]))
    write_and_read(tmp_path, [case(truth=truth, chosen=truth, reprojected=project(truth), confidence=np.zeros(JOINTS))])
    browser.open(tmp_path / "gallery.html", (1600, 900))
    browser.only("chosen")
    image = browser.canvas(kind)
    shown, given = limbs(image), (expected.min(0), expected.max(0))
    scale = (size(shown) / np.ptp(given, axis=0)).mean()
    place = middle(shown) - scale * np.mean(given, axis=0)
    for child, parent in H36M17.edges:
        x, y = np.round(scale * expected[[child, parent]].mean(0) + place).astype(int)
        # Within two pixels, for the widths of lines and dots and the rounding of the extent.
        assert near(image[y - 2 : y + 3, x - 2 : x + 3], LIGHT[H36M17.side(child)]).any(), H36M17.joints[child]


def test_the_ticks_are_in_pixels(tmp_path, browser):
    """The distance of two keypoints 400 px apart, measured in grid lines."""
    xy = np.full((JOINTS, 2), np.nan)
    xy[H36M17.indices(("left_wrist", "right_wrist"))] = (500, 300), (100, 300)
    write_and_read(tmp_path, [case(xy=xy, confidence=np.ones(JOINTS), reprojected=NOTHING[:, :2])])
    browser.open(tmp_path / "gallery.html", (1600, 900))
    image = browser.canvas("flat")
    apart = middle(near(image, LIGHT["left"]))[0] - middle(near(image, LIGHT["right"]))[0]
    lines = np.flatnonzero((np.abs(image[20:80] - image[3, 3]).sum(-1) > 12).all(0))
    steps = np.diff(lines)[np.diff(lines) > 3]
    assert 400 / apart * steps.mean() == pytest.approx(float(browser.run("flats[0].dataset.step")), rel=0.03)


def test_dragging_rotates(tmp_path, browser):
    """The arms point sideways: a quarter turn makes the body narrow, half a turn exchanges left and right."""
    pose = standing()
    pose[H36M17.index("head_top"), 2] -= 0.5  # the head is nearest to the camera, and so follows the mouse
    write_and_read(tmp_path, [case(truth=pose, chosen=pose)])
    browser.open(tmp_path / "gallery.html")
    browser.only("chosen")

    def apart(image: np.ndarray) -> float:
        return middle(near(image, LIGHT["left"]))[0] - middle(near(image, LIGHT["right"]))[0]

    def head(image: np.ndarray) -> np.ndarray:
        return np.argwhere(near(image, LIGHT["centre"]))[0][::-1]

    first = browser.canvas()
    assert browser.view() == FIRST and apart(first) > 40
    browser.drag((40, 0))
    assert browser.view()[0] == pytest.approx(-40 * DEGREES_PER_PX, abs=1)
    assert head(browser.canvas())[0] > head(first)[0] + 10
    browser.drag((117, 0))
    assert browser.view()[0] == pytest.approx(-90, abs=1)
    assert size(limbs(browser.canvas()))[0] < 0.75 * size(limbs(first))[0]
    browser.drag((157, 0))
    assert abs(browser.view()[0]) == pytest.approx(180, abs=1)
    assert apart(browser.canvas()) == pytest.approx(-apart(first), rel=0.15)
    browser.drag((0, 60))
    assert browser.view()[1] == pytest.approx(60 * DEGREES_PER_PX, abs=1)
    browser.drag((0, 120))  # now from above
    assert size(limbs(browser.canvas()))[1] < 0.6 * size(limbs(first))[1]


def test_keys_wheel_and_double_click(tmp_path, browser):
    write_and_read(tmp_path, [case()])
    browser.open(tmp_path / "gallery.html")
    browser.only("chosen")
    first = browser.canvas()
    browser.run("solids[0].focus({focusVisible: false})")
    for key, expected in (("Right", (-5, 0)), ("Down", (-5, 5)), ("Left", (0, 5)), ("Up", (0, 0))):
        browser.press(f"Arrow{key}")
        assert browser.view() == (*expected, 1)
    np.testing.assert_array_equal(browser.canvas(), first)
    browser.mouse("mouseWheel", browser.centre(), button="none", deltaX=0, deltaY=200)
    browser.until("solids[0].dataset.zoom < 1")
    zoom = browser.view()[2]
    assert zoom == pytest.approx(np.exp(-0.3), abs=0.01) and browser.run("scrollY") == 0
    assert size(limbs(browser.canvas()))[1] / size(limbs(first))[1] == pytest.approx(zoom, rel=0.03)
    browser.drag((50, 30))
    for count in (1, 2):
        browser.mouse("mousePressed", browser.centre(), buttons=1, clickCount=count)
        browser.mouse("mouseReleased", browser.centre(), clickCount=count)
    browser.settle()
    np.testing.assert_array_equal(browser.canvas(), first)
    browser.press("+")
    assert browser.view()[2] == 1.15
    browser.press("0")
    assert browser.view() == FIRST


def test_touch_control(tmp_path, browser):
    write_and_read(tmp_path, [case()])
    browser.open(tmp_path / "gallery.html", (390, 844), touch=True)
    browser.run("solids[0].scrollIntoView({block: 'center'})")
    browser.until("solids[0].width > 0")
    x, y = browser.centre()
    browser.touch("touchStart", (x, y))
    for dx in range(10, 100, 10):
        browser.touch("touchMove", (x + dx, y))
    browser.touch("touchEnd")
    assert browser.view()[0] < -30 and browser.view()[2] == 1
    browser.touch("touchStart", (x - 30, y), (x + 30, y))
    for dx in range(30, 61, 5):
        browser.touch("touchMove", (x - dx, y), (x + dx, y))
    browser.touch("touchEnd")
    assert browser.view()[2] > 1.5


def test_rotating_together(tmp_path, browser):
    write_and_read(tmp_path, [case(), case()])
    browser.open(tmp_path / "gallery.html")
    browser.drag((50, 0), number=0)
    assert browser.view(0)[0] < -20 and browser.view(1) == FIRST
    browser.click("button")
    assert browser.view(0) == FIRST
    browser.click("input[name=together]")
    browser.drag((50, 0), number=1)
    assert browser.view(0) == browser.view(1) != FIRST
    np.testing.assert_array_equal(browser.canvas("solid", 0), browser.canvas("solid", 1))


def test_rotating_slowly_and_stopping(tmp_path, browser):
    write_and_read(tmp_path, [case()])
    browser.open(tmp_path / "gallery.html")
    browser.click("input[name=slowly]")
    browser.until("solids[0].dataset.heading > 2")
    browser.click("input[name=slowly]")
    drawn = browser.run("solids[0].dataset.drawn")
    time.sleep(0.3)
    assert browser.run("solids[0].dataset.drawn") == drawn


def test_aligned_and_absolute_positions(tmp_path, browser):
    """The chosen pose is the truth half a metre farther away: seen from the side they coincide or are apart."""
    write_and_read(tmp_path, [case(chosen=standing(4.5), hypotheses=1)])
    browser.open(tmp_path / "gallery.html")
    browser.run("solids[0].focus()")
    browser.press("ArrowLeft", times=18)
    assert browser.view() == (90, 0, 1)
    for space, gap_m in (("aligned", 0), ("absolute", 0.5)):
        browser.click(f"input[value={space}]")
        browser.only("chosen")
        chosen = near(browser.canvas(), LIGHT["left"])
        browser.only("truth")
        truth = near(browser.canvas()[:, AXES_PX:], TRUTH["left"])
        gap = abs(middle(truth)[0] + AXES_PX - middle(chosen)[0]) / size(chosen)[1]
        assert gap * (1.4 - 0.08) == pytest.approx(gap_m, abs=0.06)  # the left limbs extend from ankle to shoulder


def test_dark_and_light(tmp_path, browser):
    write_and_read(tmp_path, [case()])
    browser.open(tmp_path / "gallery.html", scheme="dark")
    dark = browser.canvas()
    assert near(dark, SIDES["left"]).sum() > 80 and near(dark, SIDES["right"]).sum() > 80 and dark[2, 2].max() < 60
    browser.colour_scheme("light")
    assert near(browser.canvas(), LIGHT["left"]).sum() > 80 and browser.canvas()[2, 2].min() > 200


def test_layout_and_resolution_on_a_phone(tmp_path, browser):
    name = "a_name_without_any_place_to_break_" * 5
    write_and_read(
        tmp_path, [case(title=name, figures={"oracle of 10": "80.1 mm", "plausibility": "-3.2"})], title=name
    )
    browser.open(tmp_path / "gallery.html", (360, 740), ratio=3, touch=True)
    assert browser.run("document.documentElement.scrollWidth") <= 360
    browser.run("flats[0].scrollIntoView()")
    browser.until("flats[0].width > 0 && solids[0].width > 0")
    assert (
        browser.run("[flats[0], solids[0]].flatMap(c => [c.width / c.clientWidth, c.height / c.clientHeight])")
        == [3] * 4
    )


def test_hundreds_of_cases_use_little_memory(tmp_path, browser):
    assert len(write_and_read(tmp_path, [case(seed, hypotheses=10) for seed in range(300)])) < 3e6
    browser.open(tmp_path / "gallery.html")
    for y, visible, hidden in (("1e9", -1, 0), ("0", 0, -1)):
        browser.run(f"scrollTo(0, {y})")
        browser.until(f"solids.at({visible}).width > 0 && solids.at({hidden}).width === 0")
        widths = np.array(browser.run("solids.map(c => c.width)"))
        assert len(widths) == 300 and (widths > 0).sum() <= 12
    assert limbs(browser.canvas()).sum() > 300 and browser.problems() == []


def test_markup_in_names_is_shown_as_text(tmp_path, browser):
    write_and_read(tmp_path, [case(title=NASTY, figures={NASTY: NASTY})], title=NASTY)
    browser.open(tmp_path / "gallery.html")
    assert browser.run("[window.broken ?? 0, document.images.length]") == [0, 0] and browser.problems() == []
    assert (
        browser.run("['title', 'h1', 'h3', 'dt', 'dd'].map(t => document.querySelector(t).textContent)") == [NASTY] * 5
    )


@pytest.mark.parametrize(
    ("script", "directive"),
    [
        ("new Image().src = 'http://127.0.0.1:9/x.png'", "img-src"),
        ("fetch('http://127.0.0.1:9/x').catch(() => 0)", "connect-src"),
        (
            "document.body.append(Object.assign(document.createElement('script'), {text: 'broken = 1'}))",
            "script-src-elem",
        ),
    ],
)
def test_the_policy_forbids_requests_and_other_scripts(tmp_path, browser, script, directive):
    write_and_read(tmp_path, [case()])
    browser.open(tmp_path / "gallery.html")
    listener = "addEventListener('securitypolicyviolation', event => done(event.effectiveDirective))"
    assert browser.run(f"new Promise(done => {{ {listener}; {script}; }})") == directive
    assert browser.run("window.broken ?? 0") == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"truth": NOTHING},
        {"chosen": NOTHING},
        {"truth": NOTHING, "chosen": NOTHING},
        {"xy": NOTHING[:, :2], "reprojected": NOTHING[:, :2], "confidence": np.zeros(JOINTS)},
        {"chosen": standing(-4)},
        {"truth": standing(0), "chosen": standing(1e5), "reprojected": 1e6 * standing()[:, :2]},
        {"truth": 0 * standing(), "chosen": 0 * standing(), "xy": np.full((JOINTS, 2), 7.0)},
    ],
)
def test_missing_and_degenerate_poses(tmp_path, browser, changes):
    write_and_read(tmp_path, [case(**changes), case()])
    browser.open(tmp_path / "gallery.html")
    browser.click("input[value=absolute]")
    browser.drag((40, 25))
    assert browser.problems() == [] and browser.view()[0] != 0
    assert limbs(browser.canvas("solid", 1)).sum() > 300
