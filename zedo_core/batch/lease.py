"""One run at a time on a target, or one for each part of it.

A local folder is locked by a file, which the system lets go when the process dies. An object store has no locks: an
object is created, if there is none, and renewed while the run goes on; one that is not renewed is of a run that died.
"""

from __future__ import annotations

import json
import os
import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread

from zedo_core.errors import OutputError, ZedoError
from zedo_core.storage.lock import locked
from zedo_core.storage.places import create, is_remote, joined, names_in, read_bytes, remove, write_bytes

RENEWED_S, DEAD_S = 20.0, 90.0
_NAME = re.compile(r"\.zedo-(\d+)-of-(\d+)\.lock")


@contextmanager
def held(out: str, part: int, parts: int) -> Iterator[None]:
    """Hold a target; OutputError when another run holds it, the same part of it, or a part by another division."""
    name = f".zedo-{part}-of-{parts}.lock"
    if is_remote(out):
        _refuse_divisions(out, parts)
        with _leased(out, name):
            yield
        return
    Path(out).mkdir(parents=True, exist_ok=True)
    _refuse_divisions(out, parts)
    with locked(Path(out), name):
        yield


def _refuse_divisions(out: str, parts: int) -> None:
    for name in names_in(out):
        fits = _NAME.fullmatch(name)
        if fits and int(fits[2]) != parts and _is_held(out, name):
            raise OutputError(
                f"{out}: another run is writing part {fits[1]} of {fits[2]} there, expected parts of {parts}; wait for "
                "it, or choose another --out"
            )


def _is_held(out: str, name: str) -> bool:
    if is_remote(out):
        return _is_alive(read_bytes(joined(out, name)))
    try:
        with locked(Path(out), name):
            return False
    except OutputError:
        return True


@contextmanager
def _leased(out: str, name: str) -> Iterator[None]:
    place = joined(out, name)
    if not create(place, _content()):
        there = read_bytes(place)
        if _is_alive(there):
            raise OutputError(
                f"{out}: another run of zedo is writing there ({_holder(there)}); wait for it, {DEAD_S:.0f} seconds if "
                "it was killed, or choose another --out"
            )
        write_bytes(place, _content())
    ended = Event()

    def renew() -> None:
        while not ended.wait(RENEWED_S):
            with suppress(ZedoError):  # the next one may come through
                write_bytes(place, _content())

    thread = Thread(target=renew, name="zedo-lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        with suppress(ZedoError):
            remove(place)


def _content() -> bytes:
    return json.dumps({"host": socket.gethostname(), "process": os.getpid(), "renewed_s": time.time()}).encode()


def _is_alive(content: bytes | None) -> bool:
    try:
        return time.time() - float(json.loads(content or b"")["renewed_s"]) < DEAD_S
    except (KeyError, TypeError, ValueError):
        return False


def _holder(content: bytes | None) -> str:
    with suppress(KeyError, TypeError, ValueError):
        about = json.loads(content or b"")
        return f"process {int(about['process'])} on {str(about['host'])[:80]}"
    return "an unknown process"
