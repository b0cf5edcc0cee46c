"""Output of `infer` and `demo`: a progress bar per stage, and a table at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from zedo_cli._escape import escape_control
from zedo_cli._output import alert, console, progress, say

if TYPE_CHECKING:
    from zedo_core.pipeline.batch import Outcome
    from zedo_core.pipeline.request import InferReport

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
                name = escape(escape_control(f"{input} {stage}".strip()))
                tasks[input, stage] = bars.add_task(name, total=total, unit=_UNITS.get(stage, "it"))
            bars.update(tasks[input, stage], completed=done, total=total)

        yield show


def summarise(report: InferReport) -> None:
    """Print the table at the end."""
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_row("frames", f"{report.frames} ({report.frames_with_people} with people)")
    if report.reused:
        table.add_row("detections", f"{report.reused} of {report.frames} frames from an earlier run (see --redetect)")
    table.add_row("people", str(report.people))
    table.add_row("poses", f"{report.poses} ({report.doubtful} doubtful, {report.filled} interpolated in gaps)")
    if report.mended:
        table.add_row("sides", f"left and right exchanged back in {report.mended} poses (see --sides)")
    if report.cuts:
        table.add_row("views", f"{report.cuts + 1} shots; nobody keeps their id from one to the next")
    if report.camera_moves:
        table.add_row("ground", "the camera moves, so feet are not held (see --ground)")
    table.add_row("hypotheses", str(report.hypotheses))
    table.add_row("camera", f"f = {report.focal_px:.0f} px, {report.camera}")
    if report.people:
        table.add_row("up", report.up)
    table.add_row("reprojection", f"{report.reprojection_px:.1f} px" if report.people else "no people found")
    table.add_row("time", ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in report.seconds.items()))
    console.print(table)
    for file in report.files:
        say(str(file))


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
