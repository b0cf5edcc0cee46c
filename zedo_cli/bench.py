"""`zedo bench`: the speed of lifting on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zedo_cli._options import Device, Json, Method, OutDir, Quiet
from zedo_cli._output import alert, print_json, print_table, progress, say
from zedo_core.methods import DEFAULT_METHOD


def bench(
    out: OutDir = Path("zedo_bench"),
    rows: Annotated[
        str | None,
        typer.Option(
            "--rows", help="Numbers of people for the cost curve; by default 1 to 100000 as time allows.", metavar="N,N"
        ),
    ] = None,
    seconds: Annotated[
        float | None, typer.Option("--seconds", help="Time budget per measurement; longer ones are scaled up.")
    ] = None,
    threads: Annotated[int | None, typer.Option("--threads", help="Number of CPU threads.", metavar="N")] = None,
    method: Method = DEFAULT_METHOD,
    quick: Annotated[
        bool, typer.Option("--quick", help="Only the poses per second of the default settings, in seconds.")
    ] = False,
    device: Device = "auto",
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Measure the speed of lifting on this machine, compared with a plain implementation of the paper."""
    from zedo_core.methods import get_method
    from zedo_core.methods.benchmark import BenchRequest
    from zedo_core.nets.device import check_device

    get_method(method)
    check_device(device)
    given = {"rows": None if rows is None else _parse_rows(rows), "seconds": seconds}
    request = BenchRequest(
        method=method,
        device=device,
        threads=threads,
        quick=quick,
        **{name: value for name, value in given.items() if value is not None},
    )
    from zedo_core.bench import as_json, prepare, summary, tables, write_report
    from zedo_core.bench import bench as run

    prepare(out)
    with progress() as bars:
        bar = bars.add_task("starting", total=None, unit="steps")
        result = run(
            request,
            lambda done, total, name: bars.update(bar, completed=done, total=total, description=name),
        )
    files = write_report(result, out)
    say(summary(result))
    for table in tables(result):
        print_table(table)
    for note in result.notes:
        alert("info", note)
    for file in files:
        say(str(file))
    if json:
        print_json(as_json(result))


def _parse_rows(text: str) -> tuple[int, ...]:
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdecimal() and len(part) <= 9 for part in parts):
        raise typer.BadParameter(f"expected whole numbers such as 1,100,1000, got '{text}'", param_hint="--rows")
    return tuple(map(int, parts))
