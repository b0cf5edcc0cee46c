"""A figure for a web page or a paper: a few frames of one person, 2D above, 3D with all hypotheses below."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba_array
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, MultipleLocator
from mpl_toolkits.mplot3d import Axes3D
from mpl_toolkits.mplot3d.art3d import Line3DCollection
from numpy import ndarray

from zedo_core.errors import InputError, OutputError
from zedo_core.render.draw import LOW_CONFIDENCE
from zedo_core.render.people import DOUBTFUL, FILLED, is_doubtful, seen_joints
from zedo_core.skeleton import Skeleton
from zedo_core.storage.files import atomic_write
from zedo_core.types import Keypoints, Poses

_FRAMES = 5
_TICKS_M = 0.5
_PALE, _DASHED = 0.35, (0, (1.5, 0.8))  # opacity; offset, then lengths of dashes and gaps in line widths
_COLOURS = {"left": "#1f6fd0", "right": "#e0582a", "centre": "#30343c"}
_DOUBT = "#d0245c"  # around poses that are not to be trusted, as on the page
_WIDTH, _RIM, _GHOST = 2.2, 5.0, 0.8  # line widths: the chosen pose, what is around a doubtful one, other hypotheses


def save_figure(poses: Poses, keypoints: Keypoints, path: str | Path) -> None:
    """Draw up to five evenly spaced frames of the most complete track to the image `path`.

    All 3D axes have the same scale. InputError when no frame has a pose, OutputError when `path` cannot be written.
    """
    path = Path(path)
    if not len(poses):
        raise InputError("figure: expected a frame with a pose, got none; check the keypoints' confidences")
    figure = _figure(poses, keypoints)
    with atomic_write(path) as partial:
        try:
            figure.savefig(partial, dpi=150)
        except ValueError as error:
            raise OutputError(f"{path}: {error}; choose a name ending in .png") from None


def _figure(poses: Poses, keypoints: Keypoints) -> Figure:
    track, span = max(poses.tracks, key=lambda entry: entry[1].stop - entry[1].start)
    rows = span.start + np.unique(np.linspace(0, span.stop - span.start - 1, _FRAMES).round().astype(int))
    half_m = _half_extent(poses.best[rows])
    figure = Figure(figsize=(2.6 * max(len(rows), 2), 6.0), layout="constrained")
    seen = seen_joints(poses, keypoints)
    figure.suptitle(f"person {track}: 2D keypoints in pixels, 3D in metres (camera axes)", fontsize=11)
    for column, row in enumerate(rows.tolist(), start=1):
        number = int(poses.frame_numbers[poses.frame[row]])
        mark = FILLED if poses.filled[row] else DOUBTFUL if is_doubtful(poses, row) else ""
        colour = _DOUBT if mark == DOUBTFUL else "black"
        axes = figure.add_subplot(2, len(rows), column)
        axes.set_title(f"frame {number} {mark}", color=colour)
        _draw_keypoints(axes, keypoints, number, track)
        axes_3d = figure.add_subplot(2, len(rows), len(rows) + column, projection="3d")
        _draw_hypotheses(axes_3d, poses, row, seen[row], half_m)
    figure.legend(handles=_legend(poses.take(rows), seen[rows]), loc="outside lower center", ncols=6, frameon=False)
    return figure


def _legend(poses: Poses, seen: Bool[ndarray, "n j"]) -> list[Line2D]:
    """What the drawn poses' colours and lines mean."""
    samples: list[tuple[str, str, float, Any, float]] = [
        (side, _COLOURS[side], _WIDTH, "solid", 1.0) for side in ("left", "right")
    ]
    samples.append(("chosen hypothesis", _COLOURS["centre"], _WIDTH, "solid", 1.0))
    if poses.hypotheses > 1:
        samples.append(("other hypotheses", _COLOURS["centre"], _GHOST, "solid", 0.3))
    if not seen.all():
        samples.append(("joint not seen", _COLOURS["centre"], _WIDTH, _DASHED, _PALE))
    if any(is_doubtful(poses, row) for row in range(len(poses))):
        samples.append((DOUBTFUL, _DOUBT, _RIM, "solid", 0.5))
    return [
        Line2D([], [], label=name, color=colour, linewidth=width, linestyle=style, alpha=alpha)
        for name, colour, width, style, alpha in samples
    ]


def _draw_keypoints(axes: Axes, keypoints: Keypoints, number: int, track: int) -> None:
    """Draw the detected joints and bones of one person in image axes, pale where the confidence is low."""
    axes.set_aspect("equal", adjustable="datalim")
    axes.invert_yaxis()
    axes.tick_params(labelsize=7)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    numbers = keypoints.frame_numbers[keypoints.frame]
    rows = np.flatnonzero((numbers == number) & (keypoints.track == track))
    if not len(rows):
        axes.set(xticks=[], yticks=[])
        axes.text(0.5, 0.5, "no keypoints", ha="center", va="center", color="gray", transform=axes.transAxes)
    for row in rows:
        detected = keypoints.confidence[row] > 0
        xy = np.where(detected[:, None], keypoints.xy[row], np.nan)
        opacity = np.where(keypoints.confidence[row] < LOW_CONFIDENCE, _PALE, 1.0)
        for bone, colour in zip(keypoints.skeleton.edges, _bone_colours(keypoints.skeleton), strict=True):
            axes.plot(*xy[list(bone)].T, color=colour, linewidth=1.6, alpha=opacity[list(bone)].min())
        axes.scatter(*xy[detected].T, color=to_rgba_array(_COLOURS["centre"], opacity[detected]), s=6, zorder=3)


def _draw_hypotheses(axes: Axes3D, poses: Poses, row: int, seen: Bool[ndarray, " j"], half_m: float) -> None:
    """Draw all hypotheses of a row faintly and the chosen one strongly, dashed at joints that were not `seen`."""
    chosen, skeleton = poses.chosen[row], poses.skeleton
    for h, joints in enumerate(poses.joints[row]):
        if h != chosen:
            _draw_body(axes, joints, skeleton, seen, linewidth=_GHOST, alpha=0.3)
    if is_doubtful(poses, row):
        _draw_body(axes, poses.joints[row, chosen], skeleton, seen, linewidth=_RIM, alpha=0.5, colour=_DOUBT)
    _draw_body(axes, poses.joints[row, chosen], skeleton, seen, linewidth=_WIDTH, alpha=1.0)
    low, high = _extent(_upright(poses.joints[row, chosen]))
    for middle, limit in zip((low + high) / 2, (axes.set_xlim, axes.set_ylim, axes.set_zlim), strict=True):
        limit(middle - half_m, middle + half_m)
    _label(axes, _TICKS_M if half_m < 2 else half_m / 2)


def _label(axes: Axes3D, ticks_m: float) -> None:
    for axis in (axes.xaxis, axes.yaxis, axes.zaxis):
        axis.set_major_locator(MultipleLocator(ticks_m))
    # Zoomed out slightly, so that the upper label is not clipped; matplotlib's stub wrongly requires an integer.
    axes.set_box_aspect((1, 1, 1), zoom=0.9)  # pyright: ignore[reportArgumentType]
    axes.view_init(elev=12, azim=-60)
    axes.tick_params(labelsize=6, pad=-3)
    axes.set_xlabel("x", fontsize=8, labelpad=-8)
    axes.set_ylabel("z (away)", fontsize=8, labelpad=-8)
    axes.set_zlabel("-y (up)", fontsize=8, labelpad=-8)


def _draw_body(
    axes: Axes3D,
    joints: Float[ndarray, "j 3"],
    skeleton: Skeleton,
    seen: Bool[ndarray, " j"],
    linewidth: float,
    alpha: float,
    colour: str | None = None,
) -> None:
    """Draw the bones that are known, in one colour or in those of the sides; pale and dashed at joints not `seen`."""
    edges = np.array(skeleton.edges)
    bones = _upright(joints)[edges]
    finite = np.flatnonzero(np.isfinite(bones).all((1, 2)))
    if not len(finite):
        return  # of a pose that fills a gap only the chosen hypothesis is known
    firm = np.asarray(seen[edges[finite]].all(-1))
    colours = [colour or _bone_colours(skeleton)[bone] for bone in finite]
    lines = Line3DCollection(
        list(bones[finite]),
        colors=to_rgba_array(colours, np.where(firm, alpha, _PALE * alpha)),
        linestyles=["solid" if one else _DASHED for one in firm],
        linewidths=linewidth,
    )
    axes.add_collection3d(lines)


def _bone_colours(skeleton: Skeleton) -> list[str]:
    return [_COLOURS[skeleton.side(child)] for child, _ in skeleton.edges]


def _upright(points_cam: Float[ndarray, "... 3"]) -> Float[ndarray, "... 3"]:
    """Camera axes (right, down, away) as matplotlib's (right, away, up)."""
    return np.stack([points_cam[..., 0], points_cam[..., 2], -points_cam[..., 1]], axis=-1)


def _extent(points: Float[ndarray, "j 3"]) -> tuple[ndarray, ndarray]:
    """Smallest and largest coordinate along each axis, ignoring NaN; 0 without known joints."""
    finite = points[np.isfinite(points).all(-1)]
    return (finite.min(0), finite.max(0)) if len(finite) else (np.zeros(3), np.zeros(3))


def _half_extent(bodies: Float[ndarray, "n j 3"]) -> float:
    """Half the edge length in metres of a cube that can contain each of the bodies."""
    edges = [np.ptp(np.stack(_extent(body)), axis=0).max() for body in bodies]
    return max(0.55 * float(max(edges)), 0.25)
