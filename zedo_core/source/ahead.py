"""Frames read in a thread of their own while those before are worked on."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from queue import Empty, Full, Queue
from threading import Event, Thread

from zedo_core.source._source import Source
from zedo_core.types import Frame

_AHEAD = 2  # frames that wait
_WAITS_S = 0.1


def ahead(source: Source) -> Generator[Frame, None, None]:
    """The frames of a source, the next ones read meanwhile; what reading them raises is raised here in its turn."""
    waiting: Queue[Frame | BaseException | None] = Queue(_AHEAD)
    stopped = Event()

    def put(item: Frame | BaseException | None) -> None:
        while not stopped.is_set():
            try:
                return waiting.put(item, timeout=_WAITS_S)
            except Full:
                continue

    def read() -> None:
        try:
            with closing(iter(source)) as frames:  # pyright: ignore[reportArgumentType]
                for frame in frames:
                    put(frame)
                    if stopped.is_set():
                        return
            put(None)
        except BaseException as error:
            put(error)

    thread = Thread(target=read, name="zedo-read", daemon=True)
    thread.start()
    try:
        while True:
            try:
                item = waiting.get(timeout=_WAITS_S)  # not for ever, or Ctrl-C would not come through everywhere
            except Empty:
                continue
            if item is None:
                return
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stopped.set()
        thread.join()
