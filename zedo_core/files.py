"""Files that appear under their names only when they are complete."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from zedo_core.errors import OutputError


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Yield a path beside `path` (same suffix) to write to; on success it is renamed, on failure removed.

    OutputError when the folder cannot be written to or the disk is full.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-", suffix=path.suffix)
        os.close(handle)
    except OSError as error:
        raise OutputError(f"{path}: cannot write there ({error.strerror}); choose another --out") from None
    partial = Path(name)
    try:
        yield partial
        os.chmod(partial, 0o644)
        os.replace(partial, path)
    except OSError as error:
        reason = error.strerror or error
        raise OutputError(f"{path}: writing failed ({reason}); free space or choose another --out") from None
    finally:
        partial.unlink(missing_ok=True)


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, as hex."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
