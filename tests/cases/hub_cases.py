"""Helpers of the tests of the hub: file contents, the test's registry, and listing a folder."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from zedo_core.weights import local

PRIOR = {"prior.safetensors": b"weights" * 5000, "prior.json": b"{}", "clusters.npz": b"clusters" * 100}
DETECTOR = b"detector" * 4000
SECRET = "hf_doNotShowThisToken"


def entry(
    kind: str, repo: str, files: dict[str, bytes], *, hashed: bool, packaged: str | None = None
) -> dict[str, Any]:
    """An entry of the registry for these files."""
    return {
        "kind": kind,
        "default": True,
        "packaged": packaged,
        "repo": repo,
        "revision": "main",
        "licence": "MIT",
        "size_bytes": sum(map(len, files.values())),
        "sha256": {name: hashlib.sha256(data).hexdigest() if hashed else None for name, data in files.items()},
    }


def write_registry(entries: dict[str, Any]) -> None:
    """Replace the registry by these entries."""
    local._REGISTRY.write_text(json.dumps(entries))


def files(folder: Path) -> set[str]:
    """Every file below a folder."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def package_prior() -> Path:
    """Write the prior into the test's package."""
    folder = local._PACKAGE / "assets" / "prior"
    folder.mkdir(parents=True)
    for name, data in PRIOR.items():
        (folder / name).write_bytes(data)
    return folder
