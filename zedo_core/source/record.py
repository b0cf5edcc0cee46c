"""Which input a result came from: recorded with the result, and found again later."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zedo_core.errors import InputError
from zedo_core.source._source import Source
from zedo_core.storage.files import sha256_of

Record = dict[str, Any]


def record_of(source: Source, folder: Path) -> Record | None:
    """Path from the result's `folder`, kind and, of a single file, size and SHA-256; None for what is no file."""
    if source.kind in ("arrays", "camera"):
        return None
    record: Record = {"path": _relative(source.path, folder), "kind": source.kind, "sequence": source.sequence}
    if source.path.is_file():
        record |= {"bytes": source.path.stat().st_size, "sha256": sha256_of(source.path)}
    return record


def moved(record: Record, old: Path, new: Path) -> Record:
    """The record of a result in the folder `old` for a copy in `new`."""
    return {**record, "path": _relative(old / str(record.get("path")), new)}


def find_recorded(record: Mapping[str, Any], folder: Path) -> Path:
    """The input of a result in `folder`; InputError when it is gone, or has another content now."""
    path, size, digest = (record.get(name) for name in ("path", "bytes", "sha256"))
    file = Path(os.path.normpath(folder / str(path)))
    try:
        if not file.exists():
            raise InputError(f"{file}: the input of this result is not there any more")
        if digest is not None and (file.stat().st_size != size or sha256_of(file) != digest):
            raise InputError(f"{file}: the input of this result has changed since")
    except (OSError, ValueError) as error:
        raise InputError(f"{file}: the input of this result cannot be read ({error})") from None
    return file


def _relative(path: Path, folder: Path) -> str:
    try:
        return Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix()
    except ValueError:  # on another drive
        return path.resolve().as_posix()
