"""Live input: a camera of this machine, or a video file played in real time."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from zedo_core.errors import InputError
from zedo_core.source._source import Source
from zedo_core.source.videos import open_video
from zedo_core.types import Frame

_log = logging.getLogger(__name__)

_SILENT = 0  # OpenCV's log level


def open_live(name: str) -> Source:
    """The camera with a number (0 is the first), or a video file played in real time.

    Times are seconds since the first frame; there is no count. InputError when there is no such camera or file. A
    camera is opened when the iteration starts, and released at its end.
    """
    if name.isascii() and name.isdecimal() and not Path(name).exists():
        return _camera(int(name))
    path = Path(name)
    if not path.is_file():
        raise InputError(f"{name}: expected the number of a camera (0) or a video file, found neither; check it")
    video = open_video(path)
    return replace(video, count=None, read=lambda: _in_real_time(video))


def _camera(index: int) -> Source:
    with _open(index) as device:  # so that a missing camera is reported before networks are loaded
        size = round(device.get(cv2.CAP_PROP_FRAME_WIDTH)), round(device.get(cv2.CAP_PROP_FRAME_HEIGHT))
    return Source(
        path=Path(f"camera {index}"),
        kind="camera",
        size=size if min(size) > 0 else None,
        count=None,
        sequence=True,
        read=lambda: _capture(index),
    )


@contextmanager
def _open(index: int) -> Iterator[cv2.VideoCapture]:
    with _silent_opencv():
        device = cv2.VideoCapture(index)
    try:
        if not device.isOpened():
            raise InputError(
                f"camera {index}: cannot be opened; check that it is connected, not in use and permitted, or try "
                "another number"
            )
        yield device
    finally:
        device.release()


@contextmanager
def _silent_opencv() -> Iterator[None]:
    """Suppress OpenCV's own messages about a missing camera."""
    logs: Any = getattr(cv2.utils, "logging", cv2)  # in OpenCV 4 the functions are at the top level
    level = logs.getLogLevel()
    logs.setLogLevel(_SILENT)
    try:
        yield
    finally:
        logs.setLogLevel(level)


def _capture(index: int) -> Iterator[Frame]:
    start_s, number = None, 0
    with _open(index) as device:
        while True:
            success, picture = device.read()
            now_s = time.monotonic()
            if not success:
                _log.warning("camera %d: delivers no more frames", index)
                return
            start_s = now_s if start_s is None else start_s
            image = np.ascontiguousarray(picture[..., ::-1])
            yield Frame(image=image, number=number, time_s=now_s - start_s, name=f"camera {index}")
            number += 1


def _in_real_time(video: Source) -> Iterator[Frame]:
    """The frames of a video, each at its presentation time."""
    start_s = time.monotonic()
    for frame in video:
        time.sleep(max(0.0, start_s + frame.time_s - time.monotonic()))
        yield frame
