"""Files that appear under their names only when they are complete."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from zedo_core.errors import FormatError, OutputError

if TYPE_CHECKING:
    from numpy import ndarray


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


def load_arrays(path: Path) -> dict[str, ndarray]:
    """The arrays of an npz, no pickle among them; FormatError when it cannot be read."""
    import numpy as np  # here, since commands that read no array need not wait for it

    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as data:
            entries = {name: data[name] for name in data.files}
    except Exception as error:  # numpy answers damage with almost any of them
        raise FormatError(f"{path}: not a readable npz ({error})") from None
    return {name: entry for name, entry in entries.items() if isinstance(entry, np.ndarray)}


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, as hex."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
