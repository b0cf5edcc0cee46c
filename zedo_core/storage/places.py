"""Files in folders and in object stores alike; the only module that imports fsspec.

A place is an absolute path, or an address such as `s3://bucket/folder/clip.mp4` of any file system that fsspec knows.
"""

from __future__ import annotations

import glob
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zedo_core.errors import InputError, MissingExtraError, OutputError, ZedoError
from zedo_core.storage.files import atomic_write

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")  # two letters at least: `C://` is a drive


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A file, its size in bytes, and a stamp that changes with its content: time of change, or the store's ETag."""

    place: str
    size: int = 0
    stamp: str = ""


def is_remote(place: str) -> bool:
    """Whether it is an address of an object store."""
    return _ADDRESS.match(place) is not None


def placed(text: str) -> str:
    """The absolute path of a local file, or the address."""
    text = text.removeprefix("file://")
    return text.rstrip("/") if is_remote(text) else os.path.abspath(text)


def joined(place: str, *names: str) -> str:
    """A place within a folder."""
    return "/".join((place, *names)) if is_remote(place) else os.path.join(place, *names)


def find(place: str) -> Entry | None:
    """The file at a place; None for a folder or nothing. InputError when the store refuses or is not there."""
    if not is_remote(place):
        return _local(place) if os.path.isfile(place) else None
    with _errors(place):
        fs, path = _opened(place)
        with suppress(FileNotFoundError):
            info = fs.info(path)
            return _remote(fs, info) if info["type"] == "file" else None
    return None


def files_in(folder: str) -> list[Entry] | None:
    """All files below a folder, sorted; None when there is no such folder. InputError when the store refuses."""
    if not is_remote(folder):
        if not os.path.isdir(folder):
            return None
        below = (os.path.join(base, name) for base, _, names in os.walk(folder) for name in names)
        return [_local(path) for path in sorted(below) if os.path.isfile(path)]
    with _errors(folder):
        fs, path = _opened(folder)
        return _sorted(fs, fs.find(path, detail=True)) or None


def names_in(folder: str) -> list[str]:
    """The names of what lies in a folder itself; none when there is no such folder."""
    with suppress(FileNotFoundError):
        if not is_remote(folder):
            return sorted(os.listdir(folder))
        with _errors(folder):
            fs, path = _opened(folder)
            with suppress(FileNotFoundError):
                return sorted(name.rstrip("/").rsplit("/", 1)[-1] for name in fs.ls(path, detail=False))
    return []


def fitting(pattern: str) -> list[Entry | str]:
    """What fits a pattern, sorted: files, and folders by their places."""
    if not is_remote(pattern):
        found = sorted(glob.glob(pattern, recursive=True))
        return [path if os.path.isdir(path) else _local(path) for path in found]
    with _errors(pattern):
        fs, path = _opened(pattern)
        found = fs.glob(path, detail=True)
        folders = [str(fs.unstrip_protocol(name)) for name, info in found.items() if info["type"] != "file"]
        return [*sorted(folders), *_sorted(fs, found)]


@contextmanager
def fetched(place: str) -> Iterator[Path]:
    """The file as a local one: itself, or a copy that is removed afterwards. InputError when it is not there."""
    if not is_remote(place):
        if not os.path.exists(place):
            raise InputError(f"{place}: no such file; was it moved or deleted?")
        yield Path(place)
        return
    with tempfile.TemporaryDirectory(prefix="zedo-") as folder:
        copy = Path(folder) / place.rsplit("/", 1)[-1]
        with _errors(place):
            fs, path = _opened(place)
            fs.get_file(path, str(copy))
        yield copy


@contextmanager
def reading(place: str) -> Iterator[Any]:
    """The file, opened to be read in parts."""
    if not is_remote(place):
        with open(place, "rb") as file:
            yield file
        return
    with _errors(place):
        fs, path = _opened(place)
        with fs.open(path, "rb") as file:
            yield file


@contextmanager
def writing(place: str) -> Iterator[Path]:
    """A local path to write to; what lies there then appears at the place as a whole. OutputError when it cannot."""
    if not is_remote(place):
        with atomic_write(Path(place)) as partial:
            yield partial
        return
    with tempfile.TemporaryDirectory(prefix="zedo-") as folder:
        partial = Path(folder) / place.rsplit("/", 1)[-1]
        yield partial
        with _errors(place, OutputError):
            fs, path = _opened(place)
            fs.put_file(str(partial), path)  # stores show an object when all of it is there


def write_bytes(place: str, content: bytes) -> None:
    """Write a small file; OutputError when it cannot be written."""
    with writing(place) as partial:
        try:
            partial.write_bytes(content)
        except OSError as error:
            raise OutputError(f"{place}: writing failed ({error.strerror}); free space") from None


def create(place: str, content: bytes) -> bool:
    """Write a small object of a store unless one is there, which is said by False."""
    with _errors(place, OutputError):
        fs, path = _opened(place)
        try:
            fs.pipe_file(path, content, mode="create")
        except FileExistsError:
            return False
        return True


def read_bytes(place: str) -> bytes | None:
    """The content of a small file; None when there is none."""
    with suppress(FileNotFoundError):
        if not is_remote(place):
            return Path(place).read_bytes()
        with _errors(place):
            fs, path = _opened(place)
            with suppress(FileNotFoundError):
                return fs.cat_file(path)
    return None


def remove(place: str) -> None:
    """Remove a file, if it is there."""
    with suppress(FileNotFoundError):
        if not is_remote(place):
            os.unlink(place)
            return
        with _errors(place, OutputError):
            fs, path = _opened(place)
            with suppress(FileNotFoundError):
                fs.rm_file(path)


def _opened(place: str) -> tuple[Any, str]:
    """The file system of an address, and the path in it; MissingExtraError when its package is not installed."""
    from fsspec.core import url_to_fs

    try:
        return url_to_fs(place, use_listings_cache=False)
    except ImportError as error:
        scheme = place.partition("://")[0]
        if scheme == "s3":
            raise MissingExtraError.of(place, "s3fs", "s3") from None
        package = {"gs": "gcsfs", "gcs": "gcsfs", "az": "adlfs", "abfs": "adlfs"}.get(scheme)
        hint = f"pip install {package}" if package else "install the package that fsspec names"
        raise MissingExtraError(f"{place}: needs a package for {scheme}:// ({error}); {hint}") from None
    except ValueError as error:
        raise InputError(f"{place}: expected an address such as s3://bucket/folder, found '{error}'") from None


@contextmanager
def _errors(place: str, kind: type[ZedoError] = InputError) -> Iterator[None]:
    """What an object store says, as one line."""
    try:
        yield
    except (ZedoError, MemoryError):
        raise
    except FileNotFoundError as error:
        raise kind(f"{place}: expected a bucket and what lies in it, found nothing ({error}); check the name") from None
    except PermissionError as error:
        raise kind(f"{place}: access was denied ({error}); check the credentials and their rights") from None
    except Exception as error:  # each store has its own exceptions
        reason = (str(error).strip().splitlines() or [""])[0]
        raise kind(f"{place}: the store cannot be used ({type(error).__name__}: {reason})") from None


def _local(path: str) -> Entry:
    try:
        stat = os.stat(path)
    except OSError:  # removed since it was listed
        return Entry(place=path)
    return Entry(place=path, size=stat.st_size, stamp=str(stat.st_mtime_ns))


def _remote(fs: Any, info: dict[str, Any]) -> Entry:
    stamp = next((info[key] for key in ("ETag", "etag", "md5Hash", "LastModified", "mtime") if info.get(key)), "")
    return Entry(place=str(fs.unstrip_protocol(info["name"])), size=int(info.get("size") or 0), stamp=str(stamp))


def _sorted(fs: Any, found: dict[str, dict[str, Any]]) -> list[Entry]:
    files = [_remote(fs, info) for info in found.values() if info["type"] == "file"]
    return sorted(files, key=lambda entry: entry.place)
