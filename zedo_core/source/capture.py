"""Live pictures: a camera of this machine, or a video file played as if it were one."""

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

_SILENT = 0  # level of OpenCV's log


def open_live(name: str) -> Source:
    """The camera of a number (0 is the first one), or a video file at the pace of its times.

    Times are seconds since the first frame; there is no count. InputError when there is no such camera or file. A
    camera is opened when it is iterated over, and let go at the end.
    """
    if name.isascii() and name.isdecimal() and not Path(name).exists():
        return _camera(int(name))
    path = Path(name)
    if not path.is_file():
        raise InputError(f"{name}: expected the number of a camera (0) or a video file, found neither; check it")
    video = open_video(path)
    return replace(video, count=None, read=lambda: _paced(video))


def _camera(index: int) -> Source:
    with _opened(index) as device:  # whether it is there is told before networks are loaded
        size = round(device.get(cv2.CAP_PROP_FRAME_WIDTH)), round(device.get(cv2.CAP_PROP_FRAME_HEIGHT))
    return Source(
        path=Path(f"camera {index}"),
        kind="camera",
        size=size if min(size) > 0 else None,
        count=None,
        sequence=True,
        read=lambda: _captured(index),
    )


@contextmanager
def _opened(index: int) -> Iterator[cv2.VideoCapture]:
    with _silent_opencv():
        device = cv2.VideoCapture(index)
    try:
        if not device.isOpened():
            raise InputError(
                f"camera {index}: could not be opened; check that it is there, free and allowed, or try another number"
            )
        yield device
    finally:
        device.release()


@contextmanager
def _silent_opencv() -> Iterator[None]:
    """Without OpenCV's own lines about a camera that is not there."""
    logs: Any = getattr(cv2.utils, "logging", cv2)  # OpenCV 4 has it at the top
    level = logs.getLogLevel()
    logs.setLogLevel(_SILENT)
    try:
        yield
    finally:
        logs.setLogLevel(level)


def _captured(index: int) -> Iterator[Frame]:
    start_s, number = None, 0
    with _opened(index) as device:
        while True:
            there, picture = device.read()
            now_s = time.monotonic()
            if not there:
                _log.warning("camera %d: gives no more pictures", index)
                return
            start_s = now_s if start_s is None else start_s
            image = np.ascontiguousarray(picture[..., ::-1])
            yield Frame(image=image, number=number, time_s=now_s - start_s, name=f"camera {index}")
            number += 1


def _paced(video: Source) -> Iterator[Frame]:
    """Each frame when its time has come."""
    start_s = time.monotonic()
    for frame in video:
        time.sleep(max(0.0, start_s + frame.time_s - time.monotonic()))
        yield frame
