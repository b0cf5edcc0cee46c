"""Folders that appear under their names only when they are complete, whatever kills the process on the way."""

from __future__ import annotations

import os
import re
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from zedo_core.errors import OutputError

_NOT_PLAIN = re.compile(r"[^A-Za-z0-9]+")


@contextmanager
def staged(final: Path) -> Iterator[Path]:
    """A folder beside `final` to fill, which takes its place at the end; on failure what was there stays.

    It holds what a killed run had finished of the same. OutputError when the disk fails.
    """
    staging = None
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(dir=final.parent, prefix=f"{_mark(final)}{os.getpid()}-"))
        (staging / "new").mkdir()
        for dead in _left_behind(final):
            _inherit(dead, staging / "new", final)
        yield staging / "new"
        _put(staging, final)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise OutputError(f"{final}: cannot write there ({reason}); free space or set ZEDO_HOME") from None
    finally:
        if staging is not None:
            shutil.rmtree(staging, ignore_errors=True)


def restore(final: Path) -> None:
    """Bring back what was at `final` if a run was killed in the moment between taking it away and replacing it."""
    if not final.exists():
        for dead in _left_behind(final):
            if (dead / "old").is_dir():
                _rename_if_free(dead / "old", final)


def _put(staging: Path, final: Path) -> None:
    """Rename `new` to `final`; what was there goes with the staging folder, or back if the renaming fails."""
    old = staging / "old"
    if final.exists():
        final.rename(old)
    try:
        (staging / "new").rename(final)
    except OSError:
        if old.exists():
            old.rename(final)
        raise


def _inherit(dead: Path, new: Path, final: Path) -> None:
    """Take over the finished files of a dead run, and what it had taken away; the rest goes."""
    if (dead / "old").is_dir() and not final.exists():
        _rename_if_free(dead / "old", final)
    for file in (dead / "new").glob("*"):
        if file.is_file() and not file.is_symlink():
            os.replace(file, new / file.name)
    shutil.rmtree(dead, ignore_errors=True)


def _rename_if_free(folder: Path, final: Path) -> None:
    try:
        folder.rename(final)
    except OSError:  # another process was faster
        return


def _left_behind(final: Path) -> Iterator[Path]:
    """Staging folders for `final` of processes of this machine that are no more."""
    pattern = re.compile(re.escape(_mark(final)) + r"(\d+)-")
    for folder in final.parent.glob(f"{_mark(final)}*") if final.parent.is_dir() else ():
        match = pattern.match(folder.name)
        if match and folder.is_dir() and not _is_alive(int(match[1])):
            yield folder


def _is_alive(pid: int) -> bool:
    import psutil  # comes with ultralytics

    return psutil.pid_exists(pid)


def _mark(final: Path) -> str:
    host = _NOT_PLAIN.sub("", socket.gethostname())[:20]
    return f".{final.name}-{host}-"
