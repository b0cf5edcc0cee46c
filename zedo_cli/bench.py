"""`zedo bench`: how fast the lifting is here."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zedo_cli._options import Device, Json, OutDir, Quiet
from zedo_cli._output import alert, print_json, print_table, progress, say


def bench(
    out: OutDir = Path("zedo_bench"),
    rows: Annotated[
        str | None,
        typer.Option("--rows", help="Numbers of people of the cost curve; 1 to 100000 as time allows.", metavar="N,N"),
    ] = None,
    seconds: Annotated[
        float | None, typer.Option("--seconds", help="Budget of one measurement; longer ones are scaled up.")
    ] = None,
    threads: Annotated[int | None, typer.Option("--threads", help="Threads of the CPU.", metavar="N")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="A rough look in a few seconds.")] = False,
    device: Device = "auto",
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Measure the lifting on this machine against a plain implementation of the paper."""
    from zedo_core.bench import BenchRequest, as_json, prepare, tables, write_report
    from zedo_core.bench import bench as run

    given = {"rows": None if rows is None else _whole(rows), "seconds": seconds}
    given |= {"rows": (1, 16)} if quick and rows is None else {}
    request = BenchRequest(
        device=device,
        threads=threads,
        quick=quick,
        **{name: value for name, value in given.items() if value is not None},
    )
    prepare(out)
    with progress() as bars:
        bar = bars.add_task("starting", total=None, unit="steps")
        found = run(
            request,
            lambda done, total, name: bars.update(bar, completed=done, total=total, description=name),
        )
    files = write_report(found, out)
    for table in tables(found):
        print_table(table)
    for note in found.notes:
        alert("info", note)
    for file in files:
        say(str(file))
    if json:
        print_json(as_json(found))


def _whole(text: str) -> tuple[int, ...]:
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdecimal() and len(part) <= 9 for part in parts):
        raise typer.BadParameter(f"expected whole numbers such as 1,100,1000, got '{text}'", param_hint="--rows")
    return tuple(map(int, parts))
