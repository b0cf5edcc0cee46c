"""Output of `infer` and `demo`: a progress bar per stage, and facts at the end."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rich.markup import escape

from zedo_cli._escape import escape_control
from zedo_cli._output import NO_BREAK, alert, console, progress, say, say_facts

if TYPE_CHECKING:
    from zedo_core.pipeline.batch import Outcome
    from zedo_core.pipeline.request import InferReport

_BAR_AND_STAGE, _LEAST_NAME = 53, 6  # columns of a terminal

_UNITS = {"detect": "frames", "focal": "poses", "lift": "poses", "render": "frames"}


@contextmanager
def shown_stages() -> Iterator[Callable[..., None]]:
    """A progress callback (stage, done, total[, input]), which adds a bar when a stage begins.

    The bars of an input are removed when the next one begins.
    """
    with progress() as bars:
        tasks = {}

        def show(stage: str, done: int, total: int | None, input: str = "") -> None:
            if (input, stage) not in tasks:
                for old in [key for key in tasks if key[0] != input]:
                    bars.remove_task(tasks.pop(old))
                name = escape(escape_control(f"{_shortened(input)} {stage}".strip()))
                tasks[input, stage] = bars.add_task(name, total=total, unit=_UNITS.get(stage, "it"))
            bars.update(tasks[input, stage], completed=done, total=total)

        yield show


def _shortened(name: str) -> str:
    """A name that leaves room for a bar, its count, rate and time in the terminal."""
    room = max(_LEAST_NAME, console.width - _BAR_AND_STAGE)
    return name if len(name) <= room else f"{name[: room - 1]}…"


def summarise(report: InferReport) -> None:
    """Print what came out, a line a fact."""
    rows = [("frames", f"{report.frames} ({report.frames_with_people} with people)")]
    if report.reused:
        rows.append(("detections", f"{report.reused} of {report.frames} frames from an earlier run (see --redetect)"))
    unrelated = not report.sequence and report.frames > 1
    people = f"at most {report.people} in a frame, numbered in each anew" if unrelated else str(report.people)
    rows.append(("people", people))
    rows.append(("poses", f"{report.poses} ({report.doubtful} doubtful, {report.filled} interpolated in gaps)"))
    if report.mended:
        rows.append(("sides", f"left and right exchanged back in {report.mended} poses (see --sides)"))
    if report.cuts:
        rows.append(("views", f"{report.cuts + 1} shots; nobody keeps their id from one to the next"))
    if report.camera_moves:
        rows.append(("ground", "the camera moves, so feet are not held (see --ground)"))
    rows.append(("hypotheses", str(report.hypotheses)))
    rows.append(("camera", f"f = {report.focal_px:.0f} px, {report.camera}"))
    if report.people:
        rows.append(("up", report.up))
    rows.append(("reprojection", f"{report.reprojection_px:.1f} px" if report.people else "no people found"))
    seconds = ", ".join(f"{stage}{NO_BREAK}{seconds:.1f}{NO_BREAK}s" for stage, seconds in report.seconds.items())
    rows.append(("time", seconds))
    say_facts(rows)
    pictures = [file for file in report.files if file.parent != report.files[0].parent]
    for file in report.files[: len(report.files) - len(pictures)]:
        say(str(file), wrap=False)
    if pictures:
        say(f"{pictures[0].parent} ({len(pictures)} {'picture' if len(pictures) == 1 else 'pictures'})", wrap=False)


def say_next(results: Sequence[Path], formats: Sequence[str]) -> None:
    """Say what to do with results, if that is of use."""
    if results and {"npz", "json"} & set(formats):
        others = f" (or another of {len(results)})" if len(results) > 1 else ""
        say(f"next: zedo view {shlex.quote(str(results[0]))} --open{others}", wrap=False)


def print_outcome(outcome: Outcome) -> None:
    """Print a line for one of several inputs."""
    report = outcome.report
    if outcome.error is not None:
        alert("error", f"{outcome.input}: failed, continuing with the next")
        return
    if report is None:
        text = "all results are there already"
    else:
        reused = f", {report.reused} detected before" if report.reused else ""
        text = f"{report.frames} frames ({report.frames_with_people} with people{reused}), {report.people} people"
    say(f"{outcome.input}: {text}, in {outcome.out}")


def print_failures(failures: Sequence[tuple[str, str]]) -> None:
    """List what failed, even with `--quiet`."""
    if failures:
        alert("error", f"{len(failures)} failed, the rest is done:")
    for name, reason in failures:
        alert("failed", reason if name in reason else f"{name}: {reason}")
