"""EasyMocap: `intri.yml` with K_NAME and dist_NAME, and beside it `extri.yml` with R_NAME, Rot_NAME and T_NAME."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from zedo_core.camera.calibrations import _spelling as spelling
from zedo_core.camera.calibrations._table import Entry
from zedo_core.errors import CameraError

_FILES = ("intri", "extri")


def reads(document: Any) -> bool:
    """Whether there are names, and a K or an R for each of them."""
    names = document.get("names") if isinstance(document, dict) else None
    if not isinstance(names, list) or not names:
        return False
    return all(any(f"{start}_{name}" in document for start in ("K", "R", "Rot")) for name in names)


def cameras(document: Any, path: Path) -> list[Entry]:
    """The cameras by name, with extrinsics where the file beside this one has them."""
    tables = [document, _beside(path)]
    found = []
    for name in dict.fromkeys(map(str, document["names"])):
        table: dict[str, Any] = {}
        for key in ("K", "dist", "D", "H", "W", "Rot", "R", "T"):
            value = next((t[f"{key}_{name}"] for t in tables if f"{key}_{name}" in t), None)
            if value is not None and not (key == "R" and "Rot" in table):
                table[key] = value
        if spelling.get(table, ("k",)) is None:
            raise CameraError(
                f"{path}: expected K_{name} in it or in intri.yml beside it, found neither; copy both files"
            )
        found.append(Entry((name,), table))
    return found


def _beside(path: Path) -> dict:
    """The other one of the two files; empty if there is none."""
    from zedo_core.camera.calibrations._parsing import parse

    for one, other in (_FILES, _FILES[::-1]):
        if one in path.name:
            file = path.with_name(path.name.replace(one, other))
            document = parse(file) if file.is_file() else None
            return document if isinstance(document, dict) else {}
    return {}
