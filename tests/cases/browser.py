"""Headless Chromium for the tests of web pages, and measurements of its screenshots."""

from __future__ import annotations

import base64
import fcntl
import io
import json
import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest
from PIL import Image

T = TypeVar("T", bound="Browser")


class Browser:
    """Headless Chromium, controlled with the DevTools protocol over a pair of pipes.

    `names` is JavaScript that defines names for the expressions of `run`.
    """

    names = ""

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
        """Send one command and wait for its answer; messages that arrive before it are appended to `events`."""
        self._count += 1
        message = {"id": self._count, "method": method, "params": parameters} | self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while (answer := self._receive()).get("id") != self._count:
            self.events.append(answer)
        assert "error" not in answer, answer
        return answer["result"]

    def _receive(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            assert select.select([self._in], [], [], 60)[0], "no answer from the browser within 60 s"
            piece = os.read(self._in, 1 << 20)
            assert piece, "the browser has exited"
            self._buffer += piece
        message, self._buffer = self._buffer.split(b"\0", 1)
        return json.loads(message)

    def run(self, script: str) -> Any:
        """Evaluate an expression in the page and return its value."""
        expression = f"(() => {{ {self.names} return {script}; }})()"
        answer = self.ask("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def until(self, condition: str) -> None:
        for _ in range(300):
            if self.run(condition):
                return self.settle()
            time.sleep(0.05)
        raise AssertionError(f"did not become true: {condition}")

    def settle(self) -> None:
        """Wait until the page has drawn the last change."""
        self.run("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 30))))")

    def open(self, page: Path, size=(1280, 900), *, ratio: float = 1, scheme: str = "light", touch: bool = False):
        values = {"width": size[0], "height": size[1], "deviceScaleFactor": ratio, "mobile": touch}
        self.ask("Emulation.setDeviceMetricsOverride", **values)
        self.ask("Emulation.setTouchEmulationEnabled", enabled=touch)
        self.colour_scheme(scheme)
        self.events.clear()
        self.ask("Page.navigate", url=page.as_uri())
        self.until("document.readyState === 'complete' && document.querySelector('[data-drawn]') !== null")

    def colour_scheme(self, name: str) -> None:
        self.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": name}])
        self.settle()

    def problems(self) -> list[dict[str, Any]]:
        """Script errors, violations of the content policy, and all requests except the one for the page."""
        requests = [event for event in self.events if event.get("method") == "Network.requestWillBeSent"]
        return requests[1:] + [
            e for e in self.events if e.get("method") in ("Runtime.exceptionThrown", "Log.entryAdded")
        ]

    def mouse(self, kind: str, at: tuple[float, float], **parameters: Any) -> None:
        self.ask("Input.dispatchMouseEvent", **{"type": kind, "x": at[0], "y": at[1], "button": "left"} | parameters)

    def touch(self, kind: str, *points: tuple[float, float]) -> None:
        points_json = [{"x": x, "y": y, "id": i} for i, (x, y) in enumerate(points)]
        self.ask("Input.dispatchTouchEvent", type=kind, touchPoints=points_json)
        self.settle()

    def press(self, key: str, times: int = 1, shift: bool = False) -> None:
        for _ in range(times):
            for kind in ("keyDown", "keyUp"):
                self.ask("Input.dispatchKeyEvent", type=kind, key=key, modifiers=8 * shift)
        self.settle()

    def window(self) -> np.ndarray:
        """A screenshot of the window in RGB."""
        png = base64.b64decode(self.ask("Page.captureScreenshot", format="png")["data"])
        return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)

    def click(self, selector: str) -> None:
        self.run(f"document.querySelector({json.dumps(selector)}).click()")
        self.settle()


def _high_pipe() -> tuple[int, int]:
    """Reading and writing end of a pipe, with numbers above the 3 and 4 that Chromium uses."""
    low = os.pipe()
    high = tuple(fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in low)
    for end in low:
        os.close(end)
    return high[0], high[1]


def chromium(profile: Path, kind: type[T]) -> Iterator[T]:
    """Yield a browser for a fixture and close it afterwards; skip the test without Chromium."""
    names = ("chromium", "google-chrome", "chromium-browser")
    program = next((path for name in names if (path := shutil.which(name))), None)
    if program is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    opened = kind(program, profile)
    yield opened
    opened.close()


def near(image: np.ndarray, *colours: tuple[int, ...]) -> np.ndarray:
    """Mask of the pixels that are close to one of these colours; the tolerance is for anti-aliasing."""
    return np.any([(np.abs(image - colour) <= 16).all(-1) for colour in colours], axis=0)


def extent(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest (x, y) in a mask."""
    pixels = np.argwhere(mask)[:, ::-1]
    assert len(pixels)
    return pixels.min(0), pixels.max(0)


def size(mask: np.ndarray) -> np.ndarray:
    return np.ptp(extent(mask), axis=0)


def middle(mask: np.ndarray) -> np.ndarray:
    return np.mean(extent(mask), axis=0)
