"""The registry of weights, and the weights installed on this machine; without network access."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from zedo_core.errors import InputError, OutputError, WeightsError
from zedo_core.storage.files import sha256_of

RECORD = "source.json"  # next to downloaded files: the fields of `Installed` except the path

_PACKAGE = Path(__file__).parents[1]
_REGISTRY = Path(__file__).parent / "registry.json"
_PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True, kw_only=True)
class Entry:
    """An entry of the registry: weights that zedo knows by name."""

    name: str
    kind: str  # their purpose, such as prior or detector
    default: bool  # whether they are used when none of this kind are named
    packaged: str | None  # folder inside the package; None: must be downloaded
    repo: str
    revision: str  # commit, tag or branch; only a commit is immutable
    licence: str
    size_bytes: int  # approximate, for display
    sha256: dict[str, str | None]  # by file name; None: unknown

    def path_in(self, folder: Path) -> Path:
        """The path of weights stored in `folder`: their only file, or the folder if there are several."""
        return folder / next(iter(self.sha256)) if len(self.sha256) == 1 else folder

    def is_in(self, folder: Path) -> bool:
        """Whether `folder` contains all files."""
        return all((folder / file).is_file() for file in self.sha256)


@dataclass(frozen=True, kw_only=True)
class Installed:
    """Downloaded weights: their path, their origin, and the hashes at the time of the download."""

    path: Path
    repo: str
    revision: str
    commit: str
    sha256: dict[str, str]


def registry() -> dict[str, Entry]:
    """The entries of `registry.json` by name."""
    entries = json.loads(_REGISTRY.read_text(encoding="utf-8"))
    return {name: Entry(name=name, **fields) for name, fields in entries.items()}


def get_entry(name: str) -> Entry:
    """The registry entry of `name`; WeightsError when there is none."""
    entries = registry()
    if name not in entries:
        raise WeightsError(f"no weights are named '{name}'; known: {', '.join(entries)}")
    return entries[name]


def cache_dir() -> Path:
    """The folder for downloads: ZEDO_HOME, or `zedo` in the user's cache folder."""
    if home := os.environ.get("ZEDO_HOME"):
        return Path(home).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "zedo"


def packaged(name: str) -> Path | None:
    """The weights of `name` that are part of the package; None when there are none."""
    entry = get_entry(name)
    folder = _PACKAGE / (entry.packaged or "")
    return entry.path_in(folder) if entry.packaged and entry.is_in(folder) else None


def installed(name: str) -> Installed | None:
    """The download of `name`; None when it is missing, incomplete, or does not match the current registry."""
    entry, folder = get_entry(name), cache_dir() / name
    try:
        download = Installed(path=entry.path_in(folder), **json.loads((folder / RECORD).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    matches = all(
        download.sha256.get(file) if known is None else download.sha256.get(file) == known
        for file, known in entry.sha256.items()
    )
    return download if matches and entry.is_in(folder) else None


def intact(name: str) -> bool:
    """Whether `name` is downloaded and its files still have the hashes that they had then."""
    download = installed(name)
    if download is None:
        return False
    return all(sha256_of(cache_dir() / name / file) == known for file, known in download.sha256.items())


def imported() -> dict[str, Path]:
    """Folders by name of the weights imported with `zedo import`."""
    return {file.parent.name: file.parent for file in sorted(cache_dir().glob("imported/[!.]*/*.safetensors"))}


def import_folder(name: str) -> Path:
    """The folder for imported weights of this name; InputError for an invalid name or one of the registry."""
    if not _PLAIN_NAME.fullmatch(name):
        raise InputError(f"--name: expected letters, digits, dots, dashes and underscores, got '{name[:80]}'")
    if name in registry():
        raise InputError(f"--name: '{name}' is the name of weights of zedo itself; choose another")
    return cache_dir() / "imported" / name


def find_weights(name_or_path: str | Path, kind: str) -> Path:
    """Path of weights on this machine: a file, or the folder if there are several files.

    An existing path is returned as it is; otherwise weights imported or downloaded under the name are preferred to
    packaged ones. WeightsError, with advice, when there are none; the network is not used.
    """
    if str(name_or_path) and Path(name_or_path).exists():  # an empty text would be the current folder
        return Path(name_or_path)
    name, own = str(name_or_path), imported() if kind == "prior" else {}
    known = [entry.name for entry in registry().values() if entry.kind == kind]
    if name in own:
        return own[name]
    if name not in known:
        raise WeightsError(f"'{name}': no such file, and no {kind} of that name; known: {', '.join([*known, *own])}")
    download = installed(name)
    path = download.path if download else packaged(name)
    if path is None:
        raise WeightsError(f"{kind} '{name}' is not installed; fetch it with 'zedo download {name}'")
    return path


@contextmanager
def staged(final: Path) -> Iterator[Path]:
    """Yield an empty folder next to `final` to fill, which replaces it on success; on failure `final` is unchanged.

    OutputError when writing fails.
    """
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=final.parent, prefix=f".{final.name}-") as folder:
            new = Path(folder) / "new"
            new.mkdir()
            yield new
            if final.exists():
                final.rename(Path(folder) / "old")
            new.rename(final)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise OutputError(f"{final}: cannot write there ({reason}); free space or set ZEDO_HOME") from None
