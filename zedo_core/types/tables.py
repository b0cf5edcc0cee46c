"""Rows in readable form: long tables, data frames, and a figure for notebooks."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from zedo_core.errors import MissingExtraError
from zedo_core.types.rows import Rows

if TYPE_CHECKING:
    import pandas

_HEIGHT_PX = 240
_COLOURS = {"left": "#48a8ff", "right": "#ff8048", "centre": "#8a8d94"}


def long_table(rows: Rows, known: Bool[ndarray, "n j"], columns: Mapping[str, ndarray]) -> dict[str, ndarray]:
    """The columns by name of a table with one line per known joint, ordered by frame, person and joint.

    `columns` are arrays (n, j), or (n,) for values that all joints of a row share. Frames are given by their numbers;
    times are NaN where unknown.
    """
    order = np.concatenate([rows.at(t) for t in range(len(rows.frame_numbers))]) if len(rows) else np.arange(0)
    place, joint = np.nonzero(known[order])
    row = order[place]
    times_s = np.full(len(rows.frame_numbers), np.nan) if rows.times_s is None else rows.times_s
    table = {
        "frame": rows.frame_numbers[rows.frame[row]],
        "time_s": times_s[rows.frame[row]],
        "track": rows.track[row],
        "joint": np.array(rows.skeleton.joints)[joint],
    }
    return table | {name: array[row, joint] if array.ndim == 2 else array[row] for name, array in columns.items()}


def as_dataframe(table: Mapping[str, ndarray]) -> pandas.DataFrame:
    """The table as a pandas DataFrame; MissingExtraError when pandas is not installed."""
    try:
        import pandas
    except ImportError:
        raise MissingExtraError.of("to_dataframe", "pandas", "pandas") from None
    return pandas.DataFrame(dict(table))


def picture(rows: Rows, views: Mapping[str, Float[ndarray, "n j 2"]]) -> str:
    """The people of the frame that has the most, as SVG stick figures for notebooks, one panel for each named view.

    Points are x right, y down; NaN points are left out.
    """
    text = f"<pre>{html.escape(repr(rows))}</pre>"
    if not len(rows):
        return text
    t = int(np.bincount(rows.frame).argmax())
    frame, people = f"frame {rows.frame_numbers[t]}", rows.at(t)
    return text + "".join(_panel(rows, points[people], f"{frame}, {view}") for view, points in views.items())


def _panel(rows: Rows, people: Float[ndarray, "m j 2"], caption: str) -> str:
    """One view, scaled to its people; empty where no point is known."""
    known = people[np.isfinite(people).all(-1)]
    if not len(known):
        return ""
    low, extent = known.min(0), np.maximum(np.ptp(known, axis=0), 1e-6)
    scale = 0.9 * _HEIGHT_PX / extent[1]
    width = min(float(extent[0] * scale), 3.0 * _HEIGHT_PX) + 0.1 * _HEIGHT_PX
    scale = min(scale, (width - 0.1 * _HEIGHT_PX) / extent[0])
    xy = (people - low) * scale + 0.05 * _HEIGHT_PX
    lines = [
        f'<path d="M{a[0]:.1f} {a[1]:.1f}L{b[0]:.1f} {b[1]:.1f}" stroke="{_COLOURS[rows.skeleton.side(child)]}"/>'
        for person in xy
        for child, parent in rows.skeleton.edges
        if np.isfinite(a := person[child]).all() and np.isfinite(b := person[parent]).all()
    ]
    return (
        '<figure style="display:inline-block;margin:0 2em 0 0">'
        f'<svg width="{width:.0f}" height="{_HEIGHT_PX}" fill="none" stroke-width="3" stroke-linecap="round">'
        f"{''.join(lines)}</svg><figcaption>{caption}</figcaption></figure>"
    )
