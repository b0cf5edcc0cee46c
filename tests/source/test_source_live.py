"""A connected camera, and a video in its place."""

from __future__ import annotations

import time
from typing import ClassVar

import numpy as np
import pytest
from source_cases import write_video

from zedo_core.errors import InputError
from zedo_core.source import open_live


class Device:
    """Replaces OpenCV's camera: delivers two blue frames, then is disconnected."""

    opened: ClassVar[list[int]] = []
    released = 0

    def __init__(self, index: int) -> None:
        self._left = 2 if index == 0 else 0
        Device.opened.append(index)

    def isOpened(self) -> bool:  # noqa: N802
        return self._left > 0

    def get(self, what: int) -> float:
        return {3: 64.0, 4: 48.0}[what]

    def read(self) -> tuple[bool, np.ndarray | None]:
        self._left -= 1
        return self._left >= 0, np.full((48, 64, 3), (255, 0, 0), np.uint8)  # BGR

    def release(self) -> None:
        Device.released += 1


def test_a_camera(monkeypatch, caplog):
    monkeypatch.setattr("cv2.VideoCapture", Device)
    Device.opened, Device.released = [], 0
    source = open_live("0")
    assert (source.kind, source.size, source.count, source.sequence) == ("camera", (64, 48), None, True)
    frames = list(source)
    assert [frame.number for frame in frames] == [0, 1] and frames[0].time_s == 0.0
    assert (frames[0].image == (0, 0, 255)).all()
    assert "camera 0: delivers no more frames" in caplog.text
    assert Device.released == len(Device.opened) == 2
    with pytest.raises(InputError, match="camera 7: cannot be opened"):
        open_live("7")


def test_a_video_in_place_of_a_camera(tmp_path):
    source = open_live(str(write_video(tmp_path / "a.mp4", count=10)))
    start_s = time.monotonic()
    assert len(list(source)) == 10 and source.count is None
    assert time.monotonic() - start_s >= 9 / 30  # not faster than real time
    with pytest.raises(InputError, match="number of a camera"):
        open_live(str(tmp_path / "nothing.mp4"))
