"""What the tests of the hub share: contents, the test's registry, and what lies in a folder."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from zedo_core.weights import entries as entries_module
from zedo_core.weights import local

PRIOR = {"prior.safetensors": b"weights" * 5000, "prior.json": b"{}", "clusters.npz": b"clusters" * 100}
DETECTOR = b"detector" * 4000
SECRET = "hf_doNotShowThisToken"


def entry(
    kind: str, repo: str, files: dict[str, bytes], *, hashed: bool, packaged: str | None = None
) -> dict[str, Any]:
    """An entry of the registry for these files."""
    hashes = {name: hashlib.sha256(data).hexdigest() if hashed else None for name, data in files.items()}
    return {
        "kind": kind,
        "default": True,
        "packaged": packaged,
        "repo": repo,
        "revision": "main",
        "licence": "MIT",
        "files": [{"name": name, "sha256": hashes[name], "size": len(data)} for name, data in files.items()],
    }


def write_registry(entries: dict[str, Any]) -> None:
    """Make these the known weights."""
    entries_module._REGISTRY.write_text(json.dumps({"format": "zedo-registry-1", "weights": entries}))


def files(folder: Path) -> set[str]:
    """Every file below a folder."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def package_prior() -> Path:
    """Put the prior into the test's package."""
    folder = local._PACKAGE / "assets" / "prior"
    folder.mkdir(parents=True)
    for name, data in PRIOR.items():
        (folder / name).write_bytes(data)
    return folder
