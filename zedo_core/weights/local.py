"""Weights on this machine: downloaded ones and those that came with zedo; never the network."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from zedo_core.errors import InputError, WeightsError
from zedo_core.storage.files import sha256_of
from zedo_core.weights.entries import KINDS, PLAIN_NAME, Entry, entry_named, registry
from zedo_core.weights.staging import restore

IMPORTED = "imported"  # folder of weights that `zedo import` named
RECORD = "source.json"  # beside downloaded files: where they are from, and their hashes

_LONGEST_NAME = 100
_PACKAGE = Path(__file__).parents[1]


@dataclass(frozen=True, kw_only=True)
class Installed:
    """Downloaded weights: where they are, where they are from, and the hashes they arrived with."""

    path: Path  # the file itself for an entry of one file, else the folder
    repo: str
    revision: str
    commit: str
    sha256: tuple[str, ...]  # in the order of the entry's files
    verified: bool  # every file was compared with a hash of the registry


def cache_dir() -> Path:
    """Folder of the downloads: ZEDO_HOME, else `zedo` in the user's cache folder."""
    if home := os.environ.get("ZEDO_HOME"):
        return Path(home).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "zedo"


def installed(name: str) -> Installed | None:
    """The download of `name`; None when it is not here, not complete, or not what the registry asks for today."""
    entry, folder = entry_named(name), cache_dir() / name
    restore(folder)
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        found = tuple(str(record["sha256"][file.name]) for file in entry.files)
        source = {key: str(record[key]) for key in ("repo", "revision", "commit")}
    except (OSError, ValueError, TypeError, KeyError, RecursionError, MemoryError):
        return None
    if not _complete(entry, folder) or any(f.sha256 not in (None, h) for f, h in zip(entry.files, found, strict=True)):
        return None
    verified = all(file.sha256 for file in entry.files)
    return Installed(path=inside(entry, folder), sha256=found, verified=verified, **source)


def packaged(name: str) -> Path | None:
    """The weights of `name` that came with zedo; None when there are none."""
    entry = entry_named(name)
    folder = _PACKAGE / entry.packaged if entry.packaged else None
    return inside(entry, folder) if folder and _complete(entry, folder) else None


def imported() -> dict[str, Path]:
    """Folders of the weights that were given names by `zedo import`."""
    folder = cache_dir() / IMPORTED
    if not folder.is_dir():
        return {}
    names = sorted(path.name for path in folder.iterdir() if PLAIN_NAME.fullmatch(path.name))
    return {name: folder / name for name in names if (folder / name / "prior.safetensors").is_file()}


def import_folder(name: str) -> Path:
    """Where imported weights of this name belong; InputError for a name that is no plain one or that is taken."""
    if not PLAIN_NAME.fullmatch(name) or len(name) > _LONGEST_NAME:
        raise InputError(f"--name: expected letters, digits, dots, dashes and underscores, got '{name[:80]}'")
    if name in registry():
        raise InputError(f"--name: '{name}' is a name of zedo's own weights; choose another")
    return cache_dir() / IMPORTED / name


def find_weights(name_or_path: str | Path, kind: str) -> Path:
    """Path of weights on this machine: a file, or the folder of an entry of several files.

    An existing path is returned as given; then comes what was downloaded under the name, then what came with
    zedo. WeightsError with what to do otherwise; the network is not used.
    """
    if kind not in KINDS:
        raise InputError(f"expected a kind of weights ({', '.join(KINDS)}), got '{kind}'")
    if str(name_or_path) and Path(name_or_path).exists():  # an empty text would be the current folder
        return Path(name_or_path)
    name, entries = str(name_or_path), registry()
    if kind == "prior" and (mine := imported().get(name)):
        return mine
    if name not in entries or entries[name].kind != kind:
        names = ", ".join(entry.name for entry in entries.values() if entry.kind == kind)
        if kind == "prior" and imported():
            names += f", {', '.join(imported())}"
        raise WeightsError(f"'{name}': no such file, and no {kind} of that name; known: {names}")
    here = installed(name)
    path = here.path if here else packaged(name)
    if path is None:
        raise WeightsError(f"{kind} '{name}' is not here yet; fetch it with 'zedo download {name}'")
    return path


def intact(entry: Entry, here: Installed) -> bool:
    """Whether the files still have the hashes they arrived with."""
    folder = cache_dir() / entry.name
    return all(sha256_of(folder / f.name) == known for f, known in zip(entry.files, here.sha256, strict=True))


def _complete(entry: Entry, folder: Path) -> bool:
    return all((folder / file.name).is_file() for file in entry.files)


def inside(entry: Entry, folder: Path) -> Path:
    """What a caller gets of an entry in `folder`: its only file, else the folder."""
    return folder / entry.files[0].name if len(entry.files) == 1 else folder
