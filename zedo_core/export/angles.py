"""Joint angles over time: the table `angles.csv` and a page that plots them, `angles.html`.

The table has a row per frame and person: each angle in degrees, then the error to expect of each, as `NAME_error`; what
is unknown is an empty cell. Beside a result of another name, as `clip.npz`, the files are `clip_angles.csv` and so on.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
from numpy import ndarray

from zedo_core.biomechanics import Angles, angles, left_out
from zedo_core.errors import InputError
from zedo_core.export._cells import write_table
from zedo_core.export.webpage import page
from zedo_core.motions.timeline import times_of
from zedo_core.motions.upright import upright
from zedo_core.storage.files import atomic_write
from zedo_core.types import Poses

SUFFIX = ".angles"
UPRIGHT = True

_TEMPLATE = Path(__file__).with_name("player") / "angles.html"
_POINTS = 5000  # of a curve on the page

_log = logging.getLogger(__name__)


def write(poses: Poses, path: Path) -> tuple[Path, ...]:
    """Write the table and the page and return them; OutputError when they cannot be written, InputError without any."""
    found = angles(poses)
    if not found.names:
        raise InputError(f"{path}: expected people with joints that have angles, found none")
    table = path.with_name("angles.csv" if path.stem == "poses" else f"{path.stem}_angles.csv")
    if missing := left_out(poses):
        _log.warning("%s: %s", table.name, _said(missing))
    write_table(found.table(), table, decimals=3)
    with atomic_write(table.with_suffix(".html")) as partial:
        partial.write_bytes(page(_template(), title=_title(path), data=_data(poses, found)))
    return table, table.with_suffix(".html")


def _said(missing: dict[int, tuple[str, ...]]) -> str:
    """One line about all angles that are left out."""
    people = [f"person {track} ({_short(joints)})" for track, joints in missing.items()]
    return f"without the angles of joints that were never seen: {', '.join(people[:5])}" + (
        f" and {len(people) - 5} more" if len(people) > 5 else ""
    )


def _short(joints: tuple[str, ...]) -> str:
    """Joints with both sides as one: knees, head top."""
    names = []
    for joint in joints:
        side, _, part = joint.partition("_")
        both = side in ("left", "right") and {f"left_{part}", f"right_{part}"} <= set(joints)
        names.append(f"{part}s" if both else joint.replace("_", " "))
    return ", ".join(dict.fromkeys(names))


def _title(path: Path) -> str:
    return path.resolve().parent.name if path.stem == "poses" else path.stem


def _template() -> str:
    return _TEMPLATE.read_text(encoding="utf-8")


def _data(poses: Poses, found: Angles) -> dict[str, Any]:
    """What the page plots: for each person times, and for each angle values and errors, null where unknown."""
    times_s = times_of(poses)[poses.frame]
    people = []
    for track, rows in poses.tracks:
        step = -(-len(times_s[rows]) // _POINTS)
        part = slice(rows.start, rows.stop, step)
        people.append({
            "id": track,
            "times": times_s[part].round(4).tolist(),
            "angles": {
                name: [_numbers(found.degrees[part, i]), _numbers(found.error_deg[part, i])]
                for i, name in enumerate(found.names)
                if np.isfinite(found.degrees[part, i]).any()
            },
        })  # fmt: skip
    return {"people": people, "up": upright(poses).source}


def _numbers(values: ndarray) -> list[float | None]:
    return [None if value != value else value for value in values.round(2).tolist()]
