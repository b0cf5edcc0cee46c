"""One run at a time in a folder, by a file that names the process; what a killed run left behind is recognised."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from zedo_core.errors import FormatError, OutputError
from zedo_core.storage.files import read_bounded

NAME = ".zedo.lock"
_LARGEST = 2**16  # bytes
_TRIES = 3  # of taking the place of a dead run, which another run may do at the same time


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder, which must be there; OutputError when another run that is alive holds it."""
    path = Path(folder) / NAME
    _take(path)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def _take(path: Path) -> None:
    for _ in range(_TRIES):
        try:
            handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
        except FileExistsError:
            _refuse_if_held(path)
            _remove_stale(path)
            continue
        except OSError as error:
            raise OutputError(f"{path.parent}: cannot write there ({error.strerror}); choose another --out") from None
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(_this_process(), file)
        return
    raise OutputError(f"{path.parent}: another run of zedo has just begun there; choose another --out")


def _refuse_if_held(path: Path) -> None:
    """OutputError when the file's process is alive, or on another machine, where nobody can tell."""
    holder = _read(path)
    if holder is None or not _is_alive(holder):
        return
    where = "" if holder["host"] == socket.gethostname() else f" on {holder['host']}"
    raise OutputError(
        f"{path.parent}: another run of zedo (process {holder['pid']}{where}) writes there; wait for it, choose "
        f"another --out, or remove {path} if that run is gone"
    )


def _remove_stale(path: Path) -> None:
    """Rename first: of two runs that find the same dead one, only one succeeds."""
    aside = path.with_name(f"{path.name}-{os.getpid()}")
    try:
        os.rename(path, aside)
    except OSError:
        return
    aside.unlink(missing_ok=True)


def _this_process() -> dict[str, Any]:
    import psutil

    return {"pid": os.getpid(), "started": psutil.Process().create_time(), "host": socket.gethostname()}


def _read(path: Path) -> dict[str, Any] | None:
    """Who holds it; None for a file that says nothing, as a run leaves it that is killed while it writes it."""
    try:
        holder = json.loads(read_bounded(path, _LARGEST))
        found = {"pid": int(holder["pid"]), "started": float(holder["started"]), "host": str(holder["host"])}
    except (OSError, ValueError, TypeError, KeyError, OverflowError, RecursionError, FormatError):
        return None
    return found if 0 < found["pid"] < 2**31 and len(found["host"].splitlines()) == 1 else None


def _is_alive(holder: dict[str, Any]) -> bool:
    """Whether that very process runs: the number alone may be another one's by now, after a restart always."""
    import psutil

    if holder["host"] != socket.gethostname():
        return True
    try:
        return abs(psutil.Process(holder["pid"]).create_time() - holder["started"]) < 1.0
    except psutil.NoSuchProcess:
        return False
    except psutil.Error:
        return True
