"""What `infer` and `demo` show: a bar per stage while they run, a table at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.table import Table

from zedo_cli._output import console, progress

if TYPE_CHECKING:
    from zedo_core.pipeline import InferReport

_UNITS = {"detect": "frames", "lift": "poses", "render": "frames"}


@contextmanager
def shown_stages() -> Iterator[Callable[[str, int, int | None], None]]:
    """A callback for the pipeline's progress; each stage gets its bar when it first speaks."""
    with progress() as bars:
        tasks = {}

        def show(stage: str, done: int, total: int | None) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=total, unit=_UNITS.get(stage, "it"))
            bars.update(tasks[stage], completed=done, total=total)

        yield show


def summarise(report: InferReport) -> None:
    """The table at the end."""
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_row("frames", f"{report.frames} ({report.frames_with_people} with people)")
    table.add_row("people", str(report.people))
    table.add_row("hypotheses", str(report.hypotheses))
    table.add_row("camera", f"f = {report.focal_px:.0f} px, {report.camera}")
    table.add_row("reprojection", f"{report.reprojection_px:.1f} px")
    table.add_row("time", ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in report.seconds.items()))
    console.print(table)
    for file in report.files:
        console.print(str(file), soft_wrap=True, markup=False)
