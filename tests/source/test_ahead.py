"""Reading ahead: order, errors in their turn, and no thread that is left."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from zedo_core.errors import FormatError
from zedo_core.source import Source, ahead
from zedo_core.types import Frame


def source(read: Callable[[], Iterator[Frame]]) -> Source:
    return Source(path=Path("clip.mp4"), kind="video", size=(4, 3), count=None, sequence=True, read=read)


def frame(number: int) -> Frame:
    return Frame(image=np.full((3, 4, 3), number, np.uint8), number=number, time_s=number / 30)


class Clip:
    """A source that notes what is read from it, and whether it was closed."""

    def __init__(self, count: int, error: BaseException | None = None, takes_s: float = 0.0) -> None:
        self.read: list[int] = []
        self.closed = False
        self._count, self._error, self._takes_s = count, error, takes_s

    def __call__(self) -> Iterator[Frame]:
        try:
            for number in range(self._count):
                time.sleep(self._takes_s)
                self.read.append(number)
                yield frame(number)
            if self._error is not None:
                raise self._error
        finally:
            self.closed = True


def readers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "zedo-read"]


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    assert not readers()
    yield
    assert not readers()


@pytest.mark.parametrize("count", [0, 1, 2, 3, 50])
def test_all_frames_in_order(count: int) -> None:
    clip = Clip(count)
    found = list(ahead(source(clip)))
    assert [one.number for one in found] == list(range(count))
    assert all((one.image == one.number).all() for one in found)
    assert clip.closed and not readers()


def test_a_source_can_be_read_twice_and_by_two_at_once() -> None:
    clip = source(Clip(20))
    for a, b in zip(ahead(clip), ahead(clip), strict=True):
        assert a.number == b.number
    assert len(list(ahead(clip))) == 20


def test_a_reader_slower_than_the_wait() -> None:
    assert [one.number for one in ahead(source(Clip(3, takes_s=0.15)))] == [0, 1, 2]


def test_the_next_frame_is_read_while_one_is_worked_on() -> None:
    read = threading.Event()

    def frames() -> Iterator[Frame]:
        yield frame(0)
        read.set()
        yield frame(1)

    with closing(ahead(source(frames))) as found:
        assert next(found).number == 0
        assert read.wait(10)
        assert next(found).number == 1


def test_only_a_few_frames_wait() -> None:
    """Of a video of any length."""
    clip = Clip(1000)
    with closing(ahead(source(clip))) as found:
        for number in range(3):
            assert next(found).number == number
            time.sleep(0.3)
            assert len(clip.read) <= number + 4  # it, two that wait, and one that is next
    assert clip.closed


@pytest.mark.parametrize("count", [0, 1, 10])
def test_an_error_comes_after_the_frames_before_it(count: int) -> None:
    clip = Clip(count, FormatError("clip.mp4: expected a video, found a damaged one"))
    found = []
    with pytest.raises(FormatError, match="damaged one"):
        for one in ahead(source(clip)):
            found.append(one.number)
    assert found == list(range(count)) and not readers()


def test_an_error_before_the_first_frame() -> None:
    def frames() -> Iterator[Frame]:
        raise FormatError("clip.mp4: gone")

    with pytest.raises(FormatError, match="gone"):
        next(ahead(source(frames)))


@pytest.mark.parametrize("taken", [1, 2, 5])
def test_who_stops_early_stops_the_reader(taken: int) -> None:
    clip = Clip(1000)
    frames = ahead(source(clip))
    for _ in range(taken):
        next(frames)
    assert len(readers()) == 1
    frames.close()
    assert not readers() and clip.closed and len(clip.read) <= taken + 3


def test_an_error_of_the_consumer_stops_the_reader() -> None:
    clip = Clip(1000)

    def consume() -> None:
        with closing(ahead(source(clip))) as frames:
            for one in frames:
                if one.number == 3:
                    raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        consume()
    assert not readers() and clip.closed


def test_nothing_is_read_before_the_first_frame_is_asked_for() -> None:
    clip = Clip(5)
    frames = ahead(source(clip))
    assert not readers() and not clip.read
    frames.close()
