"""A web page of individual cases, worst, median and best: each in 2D and in 3D that can be rotated.

A self-contained file without network access: the data are JSON in the page, a script draws on <canvas>, and a
Content-Security-Policy lets nothing else run or load.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from zedo_core.errors import InputError
from zedo_core.export.webpage import page
from zedo_core.skeleton import Skeleton, pelvis_joints
from zedo_core.storage.files import atomic_write

GROUPS = ("worst", "median", "best")

_TEMPLATE = Path(__file__).with_name("gallery.html")
_PER_MM, _PER_TENTH_PX, _PER_HUNDREDTH = 1000.0, 10.0, 100.0


@dataclass(frozen=True, kw_only=True)
class Case:
    """One frame of one person with ground truth; joints in metres in camera axes, 2D in pixels.

    `group` is one of `GROUPS`, `figures` maps labels to texts such as `{"MPJPE": "123.4 mm"}`. `xy` and `confidence`
    are the keypoints, `reprojected` is the projection of the pose `chosen`, `others` are the other hypotheses. Joints
    that are not finite are left out.
    """

    title: str
    group: str
    figures: dict[str, str]
    xy: Float[ndarray, "j 2"]
    confidence: Float[ndarray, " j"]
    reprojected: Float[ndarray, "j 2"]
    truth: Float[ndarray, "j 3"]
    chosen: Float[ndarray, "j 3"]
    others: Float[ndarray, "h j 3"]


def write_gallery(cases: Sequence[Case], skeleton: Skeleton, path: Path, *, title: str) -> None:
    """Write the page `path` with the cases in the given order, in a section per group.

    InputError without cases, for an unknown group or another number of joints; OutputError when `path` cannot be
    written.
    """
    if not cases:
        raise InputError("gallery: expected at least one case, got none; evaluate some frames first")
    for case in cases:
        _check(case, skeleton)
    content = page(_TEMPLATE.read_text(encoding="utf-8"), title=title, data=_data(cases, skeleton))
    with atomic_write(Path(path)) as partial:
        partial.write_bytes(content)


def _check(case: Case, skeleton: Skeleton) -> None:
    if case.group not in GROUPS:
        raise InputError(
            f"gallery: expected one of the groups {', '.join(GROUPS)}, got '{case.group}'; change that of {case.title}"
        )
    count = len(skeleton)
    shapes = {
        "xy": (count, 2),
        "confidence": (count,),
        "reprojected": (count, 2),
        "truth": (count, 3),
        "chosen": (count, 3),
        "others": (len(case.others), count, 3),
    }
    for name, shape in shapes.items():
        found = getattr(case, name).shape
        if found != shape:
            raise InputError(
                f"gallery: expected {name} of shape {shape} for {skeleton.name}, got {found}; "
                f"convert {case.title} to that joint set first"
            )


def _data(cases: Sequence[Case], skeleton: Skeleton) -> dict[str, Any]:
    """Data for the page's script: points in mm, 2D in pixels, null for joints that are not finite."""
    return {
        "skeleton": skeleton.name,
        "units": {"points": "mm", "pixels": "px"},
        "joints": [{"name": name, "side": skeleton.side(i)} for i, name in enumerate(skeleton.joints)],
        "bones": [list(edge) for edge in skeleton.edges],
        "root": pelvis_joints(skeleton),
        "cases": [_case(case) for case in cases],
    }


def _case(case: Case) -> dict[str, Any]:
    confidence = np.where(np.isfinite(case.confidence), case.confidence, 0.0)
    return {
        "title": case.title,
        "group": case.group,
        "figures": [[label, text] for label, text in case.figures.items()],
        "xy": _points(case.xy, _PER_TENTH_PX),
        "confidence": (np.round(confidence * _PER_HUNDREDTH) / _PER_HUNDREDTH).tolist(),
        "reprojected": _points(case.reprojected, _PER_TENTH_PX),
        "truth": _millimetres(case.truth),
        "chosen": _millimetres(case.chosen),
        "others": [_millimetres(joints) for joints in case.others],
    }


def _millimetres(joints: Float[ndarray, "j 3"]) -> list[list[int] | None]:
    """Joints in whole millimetres, which are shorter as text than metres and finer than the lines drawn."""
    points = _points(joints, _PER_MM)
    return [None if p is None else [round(x * _PER_MM) for x in p] for p in points]


def _points(points: Float[ndarray, "j d"], per_unit: float) -> list[list[float] | None]:
    """Points rounded to 1 / `per_unit`, None for those that are not finite."""
    rounded = np.round(points.astype(np.float64) * per_unit) / per_unit
    return [row.tolist() if np.isfinite(row).all() else None for row in rounded]
