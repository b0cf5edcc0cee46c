"""A lock that allows only one run at a time in a folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from zedo_core.errors import OutputError

NAME = ".zedo.lock"


@contextmanager
def locked(folder: Path, name: str = NAME) -> Iterator[None]:
    """Lock an existing folder; OutputError when another running process holds the lock of this name."""
    from filelock import FileLock, Timeout

    lock = FileLock(Path(folder) / name)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise OutputError(
            f"{folder}: another run of zedo is writing there; wait for it, or choose another --out"
        ) from None
    except OSError as error:
        raise OutputError(f"{folder}: cannot write there ({error.strerror}); choose another --out") from None
    try:
        yield
    finally:
        with suppress(OSError):  # Windows does not remove open files
            (Path(folder) / name).unlink()  # before another run can acquire it
        lock.release()
