"""The gallery: what stands in the file, and what a real browser shows of it."""

from __future__ import annotations

import base64
import fcntl
import html.parser
import io
import json
import os
import re
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from zedo_core.errors import InputError, OutputError
from zedo_core.render.draw import SIDES
from zedo_core.render.gallery import GROUPS, Case, write_gallery
from zedo_core.skeleton import COCO17, H36M17, LSP14, Skeleton

NASTY = '</script><img onerror="window.broken=1" src=x><!-- {{data}} & "quoted" \u2028'
MIDDLE = {"head_top": 1.7, "neck_nose": 1.55, "thorax": 1.4, "spine": 1.15, "pelvis": 0.95}
LEFT_LEG = {"hip": (0.13, 0.95, 0), "knee": (0.16, 0.5, -0.1), "ankle": (0.17, 0.08, 0.05)}
LEFT_ARM = {"shoulder": (0.18, 1.4, 0), "elbow": (0.4, 1.25, 0.1), "wrist": (0.6, 1.1, -0.15)}
POINTS, PIXELS = ("truth", "chosen"), ("xy", "reprojected")
JOINTS = len(H36M17)
NOTHING = np.full((JOINTS, 3), np.nan)


def standing(away_m: float = 4.0) -> np.ndarray:
    """A person before a camera at the height of the chest, metres, camera axes, (joint, 3)."""
    places = {name: (0.0, height, 0.0) for name, height in MIDDLE.items()}
    for name, (x, height, z) in (LEFT_LEG | LEFT_ARM).items():
        places |= {f"left_{name}": (x, height, z), f"right_{name}": (-x, height, z)}
    return np.array([places[name] for name in H36M17.joints]) * (1, -1, 1) + (0.3, 1.2, away_m)


def project(points: np.ndarray) -> np.ndarray:
    """Pixels of a camera of our own."""
    return 1100.0 * points[..., :2] / points[..., 2:] + (640.0, 360.0)


def case(seed: int = 0, hypotheses: int = 4, **changes: Any) -> Case:
    """A truth, a chosen pose near it and some others; the 2D fits the truth."""
    rng = np.random.default_rng(seed)
    truth = standing()
    poses = truth + rng.normal(0, 0.05, (hypotheses, *truth.shape)) + (0, 0, 0.4)
    values: dict[str, Any] = {"title": f"case {seed}", "group": GROUPS[seed % 3], "figures": {"MPJPE": "123.4 mm"}}
    values |= {"xy": project(truth), "confidence": rng.uniform(0.3, 1, JOINTS), "reprojected": project(poses[0])}
    return Case(**values | {"truth": truth, "chosen": poses[0], "others": poses[1:]} | changes)


class Page(html.parser.HTMLParser):
    """What a strict reader finds in a page: elements with their attributes, and the text in each."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, str] = {}
        self._open = ""
        self.feed(text)
        self.names = [tag for tag, _ in self.tags]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._open = dict(attrs).get("id") or tag

    def handle_endtag(self, tag: str) -> None:
        self._open = ""

    def handle_data(self, data: str) -> None:
        self.texts[self._open] = self.texts.get(self._open, "") + data

    @property
    def data(self) -> Any:
        assert not re.search(r"\b(NaN|Infinity)\b", self.texts["data"])
        return json.loads(self.texts["data"])


def written(folder: Path, cases: list[Case], skeleton: Skeleton = H36M17, title: str = "A gallery") -> str:
    write_gallery(cases, skeleton, folder / "gallery.html", title=title)
    return (folder / "gallery.html").read_text(encoding="utf-8")


# The file


def test_the_page_asks_for_nothing(tmp_path):
    text = written(tmp_path, [case()])
    assert not re.search(r"https?:|\bsrc\s*=|@import|\burl\(|\bimport\b|\bfetch\b|XMLHttpRequest|WebSocket|{{", text)
    page = Page(text)
    assert not set(page.names) & {"link", "img", "iframe", "object", "base", "video"}
    policies = [
        attrs["content"] or "" for _, attrs in page.tags if attrs.get("http-equiv") == "Content-Security-Policy"
    ]
    assert len(policies) == 1
    rules = dict(rule.strip().split(" ", 1) for rule in policies[0].split(";"))
    assert rules["default-src"] == "'none'"
    assert set(rules) == {"default-src", "style-src", "script-src", "base-uri", "form-action"}
    assert all(re.fullmatch(r"'none'|'sha256-[\w+/]{43}='", sources) for sources in rules.values())


def test_the_data_are_those_given(tmp_path):
    cases = [case(seed, hypotheses=1 + seed) for seed in range(3)]
    data = Page(written(tmp_path, cases)).data
    assert data["units"] == {"points": "mm", "pixels": "px"} and data["skeleton"] == H36M17.name
    assert [joint["name"] for joint in data["joints"]] == list(H36M17.joints)
    assert all(joint["name"].startswith(joint["side"]) or joint["side"] == "centre" for joint in data["joints"])
    assert [joint["side"] for joint in data["joints"]].count("centre") == len(MIDDLE)
    assert [(H36M17.joints[a], H36M17.joints[b]) for a, b in data["bones"]] == list(H36M17.bones)
    for given, found in zip(cases, data["cases"], strict=True):
        assert (found["title"], found["group"], dict(found["figures"])) == (given.title, given.group, given.figures)
        np.testing.assert_allclose(found["confidence"], given.confidence, rtol=0, atol=0.005)
        for name in PIXELS:
            np.testing.assert_allclose(found[name], getattr(given, name), rtol=0, atol=0.05 + 1e-9)
        for name in (*POINTS, "others"):
            points = np.reshape(found[name], getattr(given, name).shape)
            np.testing.assert_allclose(points, 1000 * getattr(given, name), rtol=0, atol=0.5 + 1e-9)


HAND = Skeleton("hand", ("wrist", "tip"), (("tip", "wrist"),))  # neither pelvis nor hips: its centre has to do
HIPS = {"left_hip", "right_hip"}


@pytest.mark.parametrize(
    ("skeleton", "roots"), [(H36M17, {"pelvis"}), (COCO17, HIPS), (LSP14, HIPS), (HAND, {"wrist", "tip"})]
)
def test_the_root_is_where_the_pelvis_is(tmp_path, skeleton, roots):
    zero = np.zeros((len(skeleton), 3))
    arrays: dict[str, Any] = {"truth": zero, "chosen": zero, "others": zero[None], "confidence": zero[:, 0]}
    arrays |= {"xy": zero[:, :2], "reprojected": zero[:, :2]}
    data = Page(written(tmp_path, [case(**arrays)], skeleton)).data
    assert {skeleton.joints[i] for i in data["root"]} == roots


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_null(tmp_path, bad):
    given = case()
    arrays = {name: getattr(given, name).copy() for name in (*PIXELS, *POINTS, "others", "confidence")}
    for name in (*PIXELS, *POINTS):
        arrays[name][2, 1] = bad
    arrays["others"][1, 2, 0] = arrays["confidence"][2] = bad
    found = Page(written(tmp_path, [replace(given, **arrays)])).data["cases"][0]
    for name in (*PIXELS, *POINTS):
        assert [i for i, point in enumerate(found[name]) if point is None] == [2]
    assert found["others"][1][2] is None and None not in found["others"][0] and found["confidence"][2] == 0


def test_texts_are_no_markup(tmp_path):
    text = written(tmp_path, [case(title=NASTY, figures={NASTY: NASTY})], title=NASTY)
    page = Page(text)
    assert page.names.count("script") == text.count("</script>") == 2 and "<img" not in text
    assert page.texts["title"] == page.texts["h1"] == NASTY
    assert page.data["cases"][0]["title"] == NASTY and page.data["cases"][0]["figures"] == [[NASTY, NASTY]]


def test_names_of_files_that_are_no_text(tmp_path):
    name = os.fsdecode(b"caf\xe9.npz")
    assert Page(written(tmp_path, [case(title=name)], title=name)).data["cases"][0]["title"] == "caf?.npz"


def test_the_dark_colours_are_those_of_the_overlay(tmp_path):
    dark = written(tmp_path, [case()]).split("prefers-color-scheme: dark", 1)[1]
    for side, colour in SIDES.items():
        found = re.search(rf"--{side}: #(\w{{6}})", dark)
        assert found and bytes.fromhex(found[1]) == bytes(colour)


def test_cases_that_cannot_be_shown(tmp_path):
    path = tmp_path / "gallery.html"
    for cases, skeleton, message in (
        ([], H36M17, "at least one case, got none"),
        ([case(group="middling")], H36M17, "expected a group worst, median, best, got 'middling'"),
        ([case()], LSP14, r"expected xy of shape \(14, 2\) for lsp-14, got \(17, 2\)"),
    ):
        with pytest.raises(InputError, match=message):
            write_gallery(cases, skeleton, path, title="none")
    assert not path.exists()
    path.write_text("")
    with pytest.raises(OutputError, match="cannot write there"):
        write_gallery([case()], H36M17, path / "gallery.html", title="place")


# In a browser


class Browser:
    """Headless Chromium, spoken to through a pair of pipes in its DevTools protocol."""

    def __init__(self, program: str, profile: Path) -> None:
        (theirs_in, self._out), (self._in, theirs_out) = _high_pipe(), _high_pipe()
        # Chromium reads from 3 and writes to 4.
        launch = (
            "import os, sys; [os.dup2(int(sys.argv[i]), i + 2) for i in (1, 2)]; os.execv(sys.argv[3], sys.argv[3:])"
        )
        flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"]
        command = [program, *flags, "--remote-debugging-pipe", f"--user-data-dir={profile}", "about:blank"]
        command = [sys.executable, "-c", launch, str(theirs_in), str(theirs_out), *command]
        self._process = subprocess.Popen(command, pass_fds=(theirs_in, theirs_out), stderr=subprocess.DEVNULL)
        os.close(theirs_in)
        os.close(theirs_out)
        self._buffer, self._count, self._session = b"", 0, {}
        self.events: list[dict[str, Any]] = []
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = {"sessionId": self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]}
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.ask(f"{domain}.enable")

    def close(self) -> None:
        os.close(self._out)
        os.close(self._in)
        self._process.terminate()
        self._process.wait(30)

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send one command and wait for its answer; what happens meanwhile is kept in `events`."""
        self._count += 1
        message = {"id": self._count, "method": method, "params": parameters} | self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while (answer := self._receive()).get("id") != self._count:
            self.events.append(answer)
        assert "error" not in answer, answer
        return answer["result"]

    def _receive(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            assert select.select([self._in], [], [], 60)[0], "the browser is silent"
            piece = os.read(self._in, 1 << 20)
            assert piece, "the browser is gone"
            self._buffer += piece
        message, self._buffer = self._buffer.split(b"\0", 1)
        return json.loads(message)

    def run(self, script: str) -> Any:
        """Value of an expression in the page; `solids` and `flats` are its canvases."""
        names = "const [solids, flats] = ['solid', 'flat'].map(k => [...document.querySelectorAll('canvas.' + k)]);"
        expression = f"(() => {{ {names} return {script}; }})()"
        answer = self.ask("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def until(self, condition: str) -> None:
        for _ in range(300):
            if self.run(condition):
                return self.settle()
            time.sleep(0.05)
        raise AssertionError(f"never came true: {condition}")

    def settle(self) -> None:
        """Wait until what was asked for is drawn."""
        self.run("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 30))))")

    def open(self, folder: Path, size=(1280, 900), *, ratio: float = 1, scheme: str = "light", touch: bool = False):
        values = {"width": size[0], "height": size[1], "deviceScaleFactor": ratio, "mobile": touch}
        self.ask("Emulation.setDeviceMetricsOverride", **values)
        self.ask("Emulation.setTouchEmulationEnabled", enabled=touch)
        self.colour_scheme(scheme)
        self.events.clear()
        self.ask("Page.navigate", url=(folder / "gallery.html").as_uri())
        self.until("document.readyState === 'complete' && document.querySelector('[data-drawn]') !== null")

    def colour_scheme(self, name: str) -> None:
        self.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": name}])
        self.settle()

    def complaints(self) -> list[dict[str, Any]]:
        """Errors of scripts, violations of the policy, and every request but the one for the file."""
        requests = [event for event in self.events if event.get("method") == "Network.requestWillBeSent"]
        return requests[1:] + [
            e for e in self.events if e.get("method") in ("Runtime.exceptionThrown", "Log.entryAdded")
        ]

    def mouse(self, kind: str, at: tuple[float, float], **parameters: Any) -> None:
        self.ask("Input.dispatchMouseEvent", **{"type": kind, "x": at[0], "y": at[1], "button": "left"} | parameters)

    def drag(self, by: tuple[float, float], number: int = 0) -> None:
        """With the mouse from the middle of a 3D canvas."""
        x, y = self.centre(number)
        self.mouse("mousePressed", (x, y), buttons=1, clickCount=1)
        self.mouse("mouseMoved", (x + by[0] / 2, y + by[1] / 2), buttons=1)
        self.mouse("mouseMoved", (x + by[0], y + by[1]), buttons=1)
        self.mouse("mouseReleased", (x + by[0], y + by[1]), clickCount=1)
        self.settle()

    def touch(self, kind: str, *points: tuple[float, float]) -> None:
        places = [{"x": x, "y": y, "id": i} for i, (x, y) in enumerate(points)]
        self.ask("Input.dispatchTouchEvent", type=kind, touchPoints=places)
        self.settle()

    def press(self, key: str, times: int = 1) -> None:
        for _ in range(times):
            for kind in ("keyDown", "keyUp"):
                self.ask("Input.dispatchKeyEvent", type=kind, key=key)
        self.settle()

    def click(self, selector: str) -> None:
        self.run(f"document.querySelector({json.dumps(selector)}).click()")
        self.settle()

    def only(self, *names: str) -> None:
        """Tick these of truth, chosen and others, and none of the rest."""
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
        """Heading and tilt in degrees and zoom of a 3D canvas, as it says itself."""
        heading, tilt, zoom = self.run(
            f"['heading', 'tilt', 'zoom'].map(name => Number(solids[{number}].dataset[name]))"
        )
        return heading, tilt, zoom

    def canvas(self, kind: str = "solid", number: int = 0) -> np.ndarray:
        """What the window shows of a canvas, as RGB."""
        left, top, width, height = self.box(kind, number)
        png = base64.b64decode(self.ask("Page.captureScreenshot", format="png")["data"])
        window = np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)
        return window[top : top + height, left : left + width]


def _high_pipe() -> tuple[int, int]:
    """Reading and writing end, both numbered above the 3 and 4 that Chromium gets."""
    low = os.pipe()
    high = tuple(fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in low)
    for end in low:
        os.close(end)
    return high[0], high[1]


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    names = ("chromium", "google-chrome", "chromium-browser")
    program = next((path for name in names if (path := shutil.which(name))), None)
    if program is None:
        pytest.skip("there is no Chromium to open the page with; apt-get install chromium")
    opened = Browser(program, tmp_path_factory.mktemp("profile"))
    yield opened
    opened.close()


LIGHT = {"left": (31, 111, 208), "right": (224, 88, 42), "centre": (48, 52, 60)}
TRUTH = {"left": (127, 147, 173), "right": (179, 145, 127)}
FIRST = (0, 0, 1)
HINT_PX = 60  # the hint of the axes, greyish as the truth, is within so much of the left rim
DEGREES_PER_PX = np.degrees(0.01)


def near(image: np.ndarray, *colours: tuple[int, ...]) -> np.ndarray:
    """Pixels of about one of these colours; the tolerance is for anti-aliasing."""
    return np.any([(np.abs(image - colour) <= 16).all(-1) for colour in colours], axis=0)


def limbs(image: np.ndarray) -> np.ndarray:
    """Pixels of the chosen pose."""
    return near(image, *LIGHT.values())


def extent(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest (x, y) in a mask."""
    places = np.argwhere(mask)[:, ::-1]
    assert len(places)
    return places.min(0), places.max(0)


def size(mask: np.ndarray) -> np.ndarray:
    return np.ptp(extent(mask), axis=0)


def middle(mask: np.ndarray) -> np.ndarray:
    return np.mean(extent(mask), axis=0)


def test_a_browser_draws_it(tmp_path, browser):
    written(tmp_path, [case(seed) for seed in (0, 1, 2, 2)])
    browser.open(tmp_path)
    assert browser.complaints() == []
    headings, links = browser.run("['h2', 'nav a'].map(t => [...document.querySelectorAll(t)].map(e => e.textContent))")
    assert headings == ["Worst1 case", "Median1 case", "Best2 cases"]
    assert links == ["worst (1)", "median (1)", "best (2)"]
    assert browser.run("['dt', 'dd'].map(t => document.querySelector(t).textContent)") == ["MPJPE", "123.4 mm"]
    for kind in ("flat", "solid"):
        assert all(near(browser.canvas(kind), colour).sum() > 80 for colour in LIGHT.values())
    assert all(near(browser.canvas(), colour).sum() > 20 for colour in TRUTH.values())


def test_what_is_not_ticked_is_not_drawn(tmp_path, browser):
    written(tmp_path, [case()])
    browser.open(tmp_path)
    pictures = {}
    for ticked in (("chosen",), ("truth",), ("chosen", "others"), ()):
        browser.only(*ticked)
        pictures[ticked] = browser.canvas()[:, HINT_PX:]
    chosen, truth, others, none = pictures.values()
    assert limbs(chosen).sum() > 300 and not limbs(truth).any() and not limbs(none).any()
    shown = near(truth, *TRUTH.values()).sum()
    assert shown > 100 and not near(none, *TRUTH.values()).any()
    assert near(chosen, *TRUTH.values()).sum() < 0.1 * shown  # where lines of the chosen pose blend
    assert (others != chosen).any(-1).sum() > 300


def looked_at(points: np.ndarray, goal: np.ndarray) -> np.ndarray:
    """The points in the axes of the camera, panned and then tilted until `goal` is straight ahead."""
    pan, tilt = np.arctan2(goal[0], goal[2]), np.arctan2(goal[1], np.hypot(goal[0], goal[2]))
    c, s = np.cos([pan, tilt]), np.sin([pan, tilt])
    panned = points @ np.array([[c[0], 0, s[0]], [0, 1, 0], [-s[0], 0, c[0]]])
    return panned @ np.array([[1, 0, 0], [0, c[1], s[1]], [0, -s[1], c[1]]])


@pytest.mark.parametrize("kind", ["flat", "solid"])
def test_both_panels_show_what_the_camera_sees(tmp_path, browser, kind):
    """Every bone lies where a projection of our own puts it, up to the panel's scale and place."""
    truth = standing() + np.array([1, 1.2, 0])
    truth[:, 2] += np.random.default_rng(1).normal(0, 0.2, JOINTS)
    expected = project(truth if kind == "flat" else looked_at(truth, truth[H36M17.index("pelvis")]))
    written(tmp_path, [case(truth=truth, chosen=truth, reprojected=project(truth), confidence=np.zeros(JOINTS))])
    browser.open(tmp_path, (1600, 900))
    browser.only("chosen")
    image = browser.canvas(kind)
    shown, given = limbs(image), (expected.min(0), expected.max(0))
    scale = (size(shown) / np.ptp(given, axis=0)).mean()
    place = middle(shown) - scale * np.mean(given, axis=0)
    for child, parent in H36M17.edges:
        x, y = np.round(scale * expected[[child, parent]].mean(0) + place).astype(int)
        # Two pixels, since the lines and dots have widths and the extent is of whole pixels.
        assert near(image[y - 2 : y + 3, x - 2 : x + 3], LIGHT[H36M17.side(child)]).any(), H36M17.joints[child]


def test_the_ticks_count_pixels(tmp_path, browser):
    """Two keypoints 400 px apart, measured with the lines behind them."""
    xy = np.full((JOINTS, 2), np.nan)
    xy[H36M17.indices(("left_wrist", "right_wrist"))] = (500, 300), (100, 300)
    written(tmp_path, [case(xy=xy, confidence=np.ones(JOINTS), reprojected=NOTHING[:, :2])])
    browser.open(tmp_path, (1600, 900))
    image = browser.canvas("flat")
    apart = middle(near(image, LIGHT["left"]))[0] - middle(near(image, LIGHT["right"]))[0]
    lines = np.flatnonzero((np.abs(image[20:80] - image[3, 3]).sum(-1) > 12).all(0))
    steps = np.diff(lines)[np.diff(lines) > 3]
    assert 400 / apart * steps.mean() == pytest.approx(float(browser.run("flats[0].dataset.step")), rel=0.03)


def test_dragging_turns(tmp_path, browser):
    """The arms point sideways: a quarter of a turn makes the body narrow, half of one exchanges left and right."""
    pose = standing()
    pose[H36M17.index("head_top"), 2] -= 0.5  # the head towards the camera: it goes where the mouse goes
    written(tmp_path, [case(truth=pose, chosen=pose)])
    browser.open(tmp_path)
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
    written(tmp_path, [case()])
    browser.open(tmp_path)
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


def test_a_finger_turns_and_two_zoom(tmp_path, browser):
    written(tmp_path, [case()])
    browser.open(tmp_path, (390, 844), touch=True)
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


def test_turning_all_together(tmp_path, browser):
    written(tmp_path, [case(), case()])
    browser.open(tmp_path)
    browser.drag((50, 0), number=0)
    assert browser.view(0)[0] < -20 and browser.view(1) == FIRST
    browser.click("button")
    assert browser.view(0) == FIRST
    browser.click("input[name=together]")
    browser.drag((50, 0), number=1)
    assert browser.view(0) == browser.view(1) != FIRST
    np.testing.assert_array_equal(browser.canvas("solid", 0), browser.canvas("solid", 1))


def test_turning_slowly_and_stopping(tmp_path, browser):
    written(tmp_path, [case()])
    browser.open(tmp_path)
    browser.click("input[name=slowly]")
    browser.until("solids[0].dataset.heading > 2")
    browser.click("input[name=slowly]")
    drawn = browser.run("solids[0].dataset.drawn")
    time.sleep(0.3)
    assert browser.run("solids[0].dataset.drawn") == drawn


def test_poses_share_a_root_or_stand_where_the_camera_has_them(tmp_path, browser):
    """The chosen pose is the truth half a metre farther: from the side they are one, or half a metre apart."""
    written(tmp_path, [case(chosen=standing(4.5), hypotheses=1)])
    browser.open(tmp_path)
    browser.run("solids[0].focus()")
    browser.press("ArrowLeft", times=18)
    assert browser.view() == (90, 0, 1)
    for space, gap_m in (("aligned", 0), ("absolute", 0.5)):
        browser.click(f"input[value={space}]")
        browser.only("chosen")
        chosen = near(browser.canvas(), LIGHT["left"])
        browser.only("truth")
        truth = near(browser.canvas()[:, HINT_PX:], TRUTH["left"])
        gap = abs(middle(truth)[0] + HINT_PX - middle(chosen)[0]) / size(chosen)[1]
        assert gap * (1.4 - 0.08) == pytest.approx(gap_m, abs=0.06)  # the left limbs reach from ankle to shoulder


def test_dark_and_light(tmp_path, browser):
    written(tmp_path, [case()])
    browser.open(tmp_path, scheme="dark")
    dark = browser.canvas()
    assert near(dark, SIDES["left"]).sum() > 80 and near(dark, SIDES["right"]).sum() > 80 and dark[2, 2].max() < 60
    browser.colour_scheme("light")
    assert near(browser.canvas(), LIGHT["left"]).sum() > 80 and browser.canvas()[2, 2].min() > 200


def test_a_phone_sees_all_of_it_sharply(tmp_path, browser):
    name = "a_name_without_any_place_to_break_" * 5
    written(tmp_path, [case(title=name, figures={"oracle of 10": "80.1 mm", "plausibility": "-3.2"})], title=name)
    browser.open(tmp_path, (360, 740), ratio=3, touch=True)
    assert browser.run("document.documentElement.scrollWidth") <= 360
    browser.run("flats[0].scrollIntoView()")
    browser.until("flats[0].width > 0 && solids[0].width > 0")
    assert (
        browser.run("[flats[0], solids[0]].flatMap(c => [c.width / c.clientWidth, c.height / c.clientHeight])")
        == [3] * 4
    )


def test_hundreds_of_cases_hold_few_pixels(tmp_path, browser):
    assert len(written(tmp_path, [case(seed, hypotheses=10) for seed in range(300)])) < 3e6
    browser.open(tmp_path)
    for y, ours, theirs in (("1e9", -1, 0), ("0", 0, -1)):
        browser.run(f"scrollTo(0, {y})")
        browser.until(f"solids.at({ours}).width > 0 && solids.at({theirs}).width === 0")
        widths = np.array(browser.run("solids.map(c => c.width)"))
        assert len(widths) == 300 and (widths > 0).sum() <= 12
    assert limbs(browser.canvas()).sum() > 300 and browser.complaints() == []


def test_the_browser_takes_no_text_for_markup(tmp_path, browser):
    written(tmp_path, [case(title=NASTY, figures={NASTY: NASTY})], title=NASTY)
    browser.open(tmp_path)
    assert browser.run("[window.broken ?? 0, document.images.length]") == [0, 0] and browser.complaints() == []
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
def test_the_policy_forbids_requests_and_foreign_scripts(tmp_path, browser, script, directive):
    written(tmp_path, [case()])
    browser.open(tmp_path)
    told = "addEventListener('securitypolicyviolation', event => done(event.effectiveDirective))"
    assert browser.run(f"new Promise(done => {{ {told}; {script}; }})") == directive
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
def test_poses_that_are_hardly_there_break_nothing(tmp_path, browser, changes):
    written(tmp_path, [case(**changes), case()])
    browser.open(tmp_path)
    browser.click("input[value=absolute]")
    browser.drag((40, 25))
    assert browser.complaints() == [] and browser.view()[0] != 0
    assert limbs(browser.canvas("solid", 1)).sum() > 300
