"""Pictures and videos of people, and people made up, for the tests of detectors and trackers."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cache
from importlib.util import find_spec
from itertools import islice
from pathlib import Path

import av
import cv2
import numpy as np
from PIL import Image

from zedo_core.detection import SEEN_BEFORE, DetectedFrame, Detections, Detector
from zedo_core.types import Frame

BLACK = Frame(image=np.zeros((64, 64, 3), np.uint8), number=0, time_s=0.0)


def asset(name: str) -> Path:
    """One of ultralytics' own photographs; the package is found, not imported: only its backend imports it."""
    package = find_spec("ultralytics")
    assert package is not None and package.origin is not None
    return Path(package.origin).parent / "assets" / name


@cache
def bus() -> Frame:
    """Three people in front of a bus, one more at the rim."""
    with Image.open(asset("bus.jpg")) as picture:
        return Frame(image=np.array(picture.convert("RGB")), number=0, time_s=0.0, name="bus.jpg")


@cache
def half_bus() -> Frame:
    """The same at half the size, in which nothing is searched in tiles."""
    return replace(bus(), image=cv2.resize(bus().image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA))


@cache
def video(path: Path, first: int = 0, last: int | None = None, every: int = 1) -> tuple[Frame, ...]:
    """Frames of a video that count from 0 at their own rate."""
    with av.open(str(path)) as container:
        rate = float(container.streams.video[0].average_rate or 0)
        pictures = islice(container.decode(video=0), first, last, every)
        images = [picture.to_ndarray(format="rgb24") for picture in pictures]
    return tuple(Frame(image=image, number=i, time_s=i * every / rate) for i, image in enumerate(images))


def moved(frame: Frame, number: int, right_px: int, fps: float = 10.0) -> Frame:
    """The same picture further to the right, as another frame of a video."""
    return replace(frame, image=np.roll(frame.image, right_px, axis=1), number=number, time_s=number / fps)


def turned(frame: Frame, quarters: int) -> Frame:
    """A picture turned to the left by quarters."""
    return replace(frame, image=np.ascontiguousarray(np.rot90(frame.image, quarters)))


def detect_all(detector: Detector, frames: Iterable[Frame]) -> Iterator[DetectedFrame]:
    """The people of the frames of a video, each detected with those before."""
    before: deque[DetectedFrame] = deque(maxlen=SEEN_BEFORE)
    for frame in frames:
        before.append(DetectedFrame.from_frame(frame, detector.detect(frame, tuple(before))))
        yield before[-1]


def people(*x: float, y: float = 0.0) -> np.ndarray:
    """Joints (n, 17, 3) of people at these places, each 48 x 64 px large: 80 px over the diagonal."""
    corners = np.array([[0.0, 0.0, 0.5], [48.0, 64.0, 0.5]])
    inside = np.random.default_rng(0).uniform((0, 0, 0.5), (48, 64, 0.5), (15, 3))
    body = np.vstack([corners, inside])
    return np.array([body + np.array([left, y, 0]) for left in x]).reshape(-1, 17, 3)


def detected(number: int, *x: float, confidence: float = 0.9, fps: float = 10.0) -> DetectedFrame:
    """A frame with people at these places, in boxes of 60 x 80 px."""
    boxes = np.array([[left - 6, -8.0, left + 54, 72.0] for left in x]).reshape(-1, 4)
    found = Detections(boxes=boxes, confidence=np.full(len(x), confidence), joints=people(*x))
    return DetectedFrame(number=number, time_s=number / fps, size=(640, 480), detections=found)


def same(a: Detections, b: Detections) -> bool:
    """Whether two detections hold the same numbers."""
    return all(np.array_equal(getattr(a, name), getattr(b, name)) for name in ("boxes", "confidence", "joints"))


def nearest(joints: np.ndarray, people: np.ndarray) -> np.ndarray:
    """Of some people the one whose joints lie nearest."""
    return people[np.linalg.norm(people[..., :2] - joints[:, :2], axis=-1).mean(-1).argmin()]


def apart_px(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Distances of the joints that two people both show."""
    return np.linalg.norm(a[:, :2] - b[:, :2], axis=-1)[(a[:, 2] > 0) & (b[:, 2] > 0)]
