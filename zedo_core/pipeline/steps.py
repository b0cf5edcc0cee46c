"""A picture of the steps of a method to the poses of a saved result, whose rows are lifted again as recorded."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Int
from numpy import ndarray

from zedo_core.errors import InputError, OutputError
from zedo_core.lifting import usable_rows
from zedo_core.methods import BonesLifter, Lifter, SteppingLifter, Steps, get_method
from zedo_core.pipeline.truth import read_truth
from zedo_core.render.steps import SUFFIXES, StepsView, render_steps
from zedo_core.types import Keypoints, Poses, Provenance, same_rows

if TYPE_CHECKING:
    from zedo_core.source import Source

_FIGURE_FRAMES = 3
_RANGE = re.compile(r"([0-9]{1,9})(?:-([0-9]{1,9}))?")


@dataclass(frozen=True, kw_only=True)
class StepsRequest:
    """What to draw of a result."""

    person: int | None = None  # id; None for the person who is seen longest
    frames: str | None = None  # numbers such as `10,40-50`; None for some of a figure, or all of an animation
    truth: Path | None = None  # see `read_truth`
    weights: str | None = None  # name or path; None for the method's own
    iterations: int | None = None  # network calls; None for those of the result
    device: str = "auto"


def draw_steps(
    poses: Poses,
    keypoints: Keypoints,
    path: Path,
    request: StepsRequest,
    *,
    source: Source | None = None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> int:
    """Draw the steps to some poses of one person as the figure `path` (png) or the animation (mp4, gif); the number of
    poses. For errors see `steps_of`, `read_truth` and `render_steps`."""
    if path.suffix.lower() not in SUFFIXES:
        raise OutputError(f"{path}: expected a name ending in {', '.join(SUFFIXES)} for steps; choose another name")
    rows = chosen_rows(poses, request, None if path.suffix.lower() != ".png" else _FIGURE_FRAMES)
    r = request
    steps, rows = steps_of(poses, keypoints, rows, weights=r.weights, iterations=r.iterations, device=r.device)
    truth = None if r.truth is None else read_truth(r.truth, poses, rows)
    if truth is not None and not np.isfinite(truth).any():
        raise InputError(
            f"{r.truth}: expected poses of the chosen frames, found none; check frame numbers and --person"
        )
    view = StepsView(poses=poses, keypoints=keypoints, source=source, rows=rows, steps=steps, truth=truth)
    render_steps(view, path, lambda done: on_progress(done, len(rows)))
    return len(rows)


def chosen_rows(poses: Poses, request: StepsRequest, count: int | None) -> Int[ndarray, " m"]:
    """The rows of the person in the chosen frames; without a choice `count` evenly spaced ones, or all.

    InputError for people or frames that the result does not have.
    """
    if not len(poses):
        raise InputError("steps: expected a result with poses, found none")
    lengths = dict(poses.tracks)
    longest = max(lengths, key=lambda track: lengths[track].stop - lengths[track].start)
    track = longest if request.person is None else request.person
    if track not in lengths:
        known = ", ".join(map(str, list(lengths)[:10]))
        raise InputError(f"--person: expected one of the ids {known}, found {track}")
    rows = np.arange(len(poses))[lengths[track]]
    if request.frames is None:
        rows = rows[~poses.filled[rows]]
        return rows if count is None or len(rows) <= count else rows[_evenly(len(rows), count)]
    numbers = poses.frame_numbers[poses.frame[rows]]
    wanted = [_numbers(part.strip(), numbers) for part in request.frames.split(",")]
    return rows[np.isin(numbers, np.concatenate(wanted))]


def _evenly(total: int, count: int) -> Int[ndarray, " n"]:
    """The middles of `count` equal parts."""
    return ((np.arange(count) + 0.5) * total / count).astype(int)


def _numbers(text: str, known: Int[ndarray, " n"]) -> Int[ndarray, " m"]:
    """Those of the known frame numbers in `N` or `N-M`; InputError if there is none."""
    match = _RANGE.fullmatch(text)
    if not match:
        raise InputError(f"--frames: expected numbers such as 10,40,70-80, found '{text}'")
    first, last = int(match[1]), int(match[2] or match[1])
    found = known[(first <= known) & (known <= last)]
    if not len(found):
        raise InputError(
            f"--frames: expected frames of the person among {known.min()} to {known.max()}, found none in '{text}'"
        )
    return found


def steps_of(
    poses: Poses,
    keypoints: Keypoints,
    rows: Int[ndarray, " m"],
    *,
    weights: str | Path | None = None,
    iterations: int | None = None,
    device: str = "auto",
) -> tuple[Steps, Int[ndarray, " n"]]:
    """The steps to the poses in `rows`, and those of the rows that were lifted and not interpolated.

    `keypoints` are those that the poses were lifted from, `weights` those of the result by name or path (None for the
    method's own), `iterations` another number of steps than it had. InputError when the result does not say how it
    was made, when its method does not show its steps, or when keypoints or weights are not those of the result.
    """
    record = poses.provenance
    lifter = recorded_lifter(record, weights=weights, iterations=iterations, device=device)
    if not isinstance(lifter, SteppingLifter):
        raise InputError(
            f"steps: the method {lifter.name} does not show its steps; expected a result of another method"
        )
    usable = usable_rows(keypoints, poses.cameras, lifter.skeleton)
    lifted, found = same_rows(poses, usable)
    index = np.full(len(poses), -1)
    index[lifted] = found
    index[poses.filled] = -1
    kept = rows[index[rows] >= 0]
    if not len(kept):
        raise InputError(
            "steps: expected the keypoints of these poses, found none; leave keypoints.json beside the result, and "
            "choose frames that are not interpolated"
        )
    wanted = index[kept]
    order = np.argsort(wanted)
    hypotheses, seed = (int(record.options.get(name, default)) for name, default in (("hypotheses", 1), ("seed", 0)))
    steps = lifter.steps(usable, poses.cameras, wanted[order], hypotheses, seed)
    joints = np.empty_like(steps.joints)
    joints[:, order] = steps.joints
    return Steps(names=steps.names, joints=joints), kept


def recorded_lifter(
    record: Provenance, *, weights: str | Path | None = None, iterations: int | None = None, device: str = "auto"
) -> Lifter:
    """The lifter that made a result, with another number of `iterations` if given; for errors see `steps_of`."""
    method = get_method(record.method)
    if method.options is None:
        raise InputError(f"steps: the method {method.name} cannot be run as recorded; expected another method's result")
    names = [field.name for field in fields(method.options)]
    if missing := [name for name in names if name not in record.options]:
        raise InputError(
            f"steps: the result, written by zedo {record.version}, does not record {', '.join(missing[:3])}; lift the "
            "input again"
        )
    options = method.options(**{name: _as_tuples(record.options[name]) for name in names})
    if iterations is not None:
        options = options.with_iterations(iterations)
    lifter = method.load(method.weights if weights is None else weights, device, options=options)
    if isinstance(lifter, BonesLifter) and (bones := record.options.get("bones")):
        lifter = lifter.with_bones({int(track): np.array(lengths_m) for track, lengths_m in bones.items()})
    if lifter.weights_sha256 != record.weights_sha256:
        raise InputError(
            f"steps: the result was lifted with the weights {record.weights} ({record.weights_sha256[:8]}), found "
            f"{lifter.weights} ({lifter.weights_sha256[:8]}); give those of the result by --weights"
        )
    for name in lifter.settings.keys() - set(names):  # such as the weights of a guide
        known, found = record.options.get(name), lifter.settings[name]
        if known != found:
            raise InputError(f"steps: the result was lifted with {name} {known}, found {found}; lift the input again")
    return lifter


def _as_tuples(value: Any) -> Any:
    return tuple(map(_as_tuples, value)) if isinstance(value, list) else value
