"""The page with the 3D player in a browser, and results to show in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from browser import Browser
from export_cases import in_camera, poses_of, t_pose

from zedo_core.camera import Camera
from zedo_core.export.html import page_video, write_page
from zedo_core.render.video import video_writer
from zedo_core.types import Poses

LIGHT = {"left": (31, 111, 208), "right": (224, 88, 42), "centre": (108, 118, 136)}
DARK = {"left": (72, 168, 255), "right": (255, 128, 72)}
WARN = (208, 36, 92)
DEGREES_PER_PX = np.degrees(0.009)
CAMERA = Camera(fx=400.0, fy=400.0, cx=159.5, cy=119.5, size=(320, 240))


class Player(Browser):
    """A browser with the page of the player."""

    def show(self, poses: Poses, folder: Path, window=(1100, 760), video: Path | None = None, **options: Any) -> None:
        page = folder / "poses.html"
        write_page(poses, page, video=None if video is None else page_video(video, page), title="a clip")
        self.open(page, window, **options)

    def dataset(self, *names: str) -> list[str]:
        return [self.run(f"stage.dataset.{name}") for name in names]

    def place(self, selector: str) -> list[int]:
        box = f"document.querySelector('{selector}').getBoundingClientRect()"
        return [round(x) for x in self.run(f"['left', 'top', 'width', 'height'].map(n => {box}[n])")]

    def stage(self) -> np.ndarray:
        """Screenshot of the 3D view, without its buttons."""
        left, top, width, height = self.place("#stage")
        return self.window()[top + 60 : top + height, left : left + width]

    def drag(self, by: tuple[float, float]) -> None:
        left, top, width, height = self.place("#stage")
        x, y = left + width / 2, top + height / 2
        self.mouse("mousePressed", (x, y), buttons=1, clickCount=1)
        self.mouse("mouseMoved", (x + by[0] / 2, y + by[1] / 2), buttons=1)
        self.mouse("mouseMoved", (x + by[0], y + by[1]), buttons=1)
        self.mouse("mouseReleased", (x + by[0], y + by[1]), clickCount=1)
        self.settle()

    def only_people(self) -> None:
        """Hide everything except the bodies, so that colours can be counted."""
        for name in ("ghosts", "spread", "path", "floor"):
            if self.run(f"state.layers.{name}"):
                self.run(f"toggle('{name}')")
        self.settle()


def standing(frames: int = 30, **fields: Any) -> Poses:
    """A T-pose in front of the camera that moves a metre to the camera's right."""
    shift = np.linspace(0, 1, frames)[:, None, None] * np.array([1.0, 0, 0])
    return poses_of((in_camera(t_pose()) + shift)[:, None], **({"fps": 30.0, "cameras": (CAMERA,)} | fields))


def make_video(path: Path, frames: int = 30) -> Path:
    """A video whose frame i has the grey value 8 i."""
    with video_writer(path, 30) as writer:
        for i in range(frames):
            writer.write(np.full((240, 320, 3), 8 * i, np.uint8))
    return path
