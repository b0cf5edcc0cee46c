"""The registry: every name of weights with its repo, revision, files and their SHA-256."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zedo_core.errors import WeightsError

KINDS = ("prior", "detector")

_REGISTRY = Path(__file__).parent / "registry.json"
_FORMAT = "zedo-registry-1"
PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True)
class WeightsFile:
    """One file of an entry."""

    name: str  # plain, both in the repo and on disk
    sha256: str | None  # hex; None: not known
    size: int | None  # bytes, about, to be shown; None: not known


@dataclass(frozen=True, kw_only=True)
class Entry:
    """Weights that zedo knows by name."""

    name: str
    kind: str  # one of KINDS
    default: bool  # the one of its kind that is used when none is named
    packaged: str | None  # folder inside the package; None: must be downloaded
    repo: str
    revision: str  # commit, tag or branch; only a commit is immutable
    licence: str
    files: tuple[WeightsFile, ...]

    @property
    def size(self) -> int | None:
        """Bytes of all files; None when one is not known."""
        sizes = [file.size for file in self.files if file.size is not None]
        return sum(sizes) if len(sizes) == len(self.files) else None


def registry() -> dict[str, Entry]:
    """Every entry of `registry.json` by its name; WeightsError when the file is not as it must be."""
    try:
        content = json.loads(_REGISTRY.read_text(encoding="utf-8"))
        if content["format"] != _FORMAT:
            raise ValueError(f"expected format {_FORMAT}, found {content['format']}")
        return {name: _entry_of(name, fields) for name, fields in content["weights"].items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise WeightsError(f"{_REGISTRY.name}: damaged ({error}); install zedo again") from None


def entry_named(name: str) -> Entry:
    """The entry of `name`; WeightsError when there is none."""
    entries = registry()
    if name not in entries:
        raise WeightsError(f"no weights are named '{name}'; known: {', '.join(entries)}")
    return entries[name]


def _entry_of(name: str, fields: dict[str, Any]) -> Entry:
    """One entry of the registry, checked; ValueError or TypeError when it is not as it must be."""
    files = tuple(WeightsFile(**file) for file in fields["files"])
    entry = Entry(name=name, **{**fields, "files": files})
    if entry.kind not in KINDS:
        raise ValueError(f"{name}: unknown kind '{entry.kind}'")
    if not files or not all(PLAIN_NAME.fullmatch(part) for part in (name, *(file.name for file in files))):
        raise ValueError(f"{name}: needs files, and plain names")
    if not all(file.sha256 is None or _SHA256.fullmatch(file.sha256) for file in files):
        raise ValueError(f"{name}: a SHA-256 has 64 lower-case hex digits, or is null")
    if not (entry.repo and entry.revision and entry.licence):
        raise ValueError(f"{name}: needs repo, revision and licence")
    return entry
