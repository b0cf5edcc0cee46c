"""Reporting a benchmark: tables, JSON, Markdown and a plot."""

from __future__ import annotations

import json
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from zedo_core.bench.run import DEFAULT
from zedo_core.errors import OutputError
from zedo_core.methods.benchmark import PACKAGED, Bench, Measurement, Target
from zedo_core.pipeline.request import InferRequest
from zedo_core.storage.files import atomic_write

_USUAL = InferRequest.hypotheses
_GROUPS = {
    "comparison": "The paper's settings: plain implementation and ours",
    "rates": "Default preset: poses per second",
    "picture": "Default preset: one person in one picture",
    "rows": "Cost by number of people",
    "iterations": "Cost by number of iterations",
}


@dataclass(frozen=True)
class Table:
    """A title, column headers, and rows of cells."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def prepare(out: Path) -> None:
    """Create the output folder in advance; OutputError when it cannot be written to."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=out).close()
    except OSError as error:
        raise OutputError(f"{out}: cannot write there ({error.strerror}); choose another --out") from None


def write_report(bench: Bench, out: Path) -> tuple[Path, ...]:
    """Write `bench.json`, `bench.md` and, unless it was quick, `bench.png`; OutputError when one cannot be written."""
    files = (out / "bench.json", out / "bench.md", out / "bench.png")
    with atomic_write(files[0]) as partial:
        partial.write_text(json.dumps(as_json(bench), indent=2, allow_nan=False) + "\n")
    with atomic_write(files[1]) as partial:
        parts = [f"{summary(bench)}\n", *map(_markdown, tables(bench))]
        partial.write_text("\n".join(parts) + "".join(f"\n* {note}" for note in bench.notes) + "\n")
    if bench.request.quick:  # it has no curves
        return files[:2]
    with atomic_write(files[2]) as partial:
        _figure(bench).savefig(partial, dpi=130)
    return files


def as_json(bench: Bench) -> dict[str, Any]:
    """All results, with derived rates and whether targets are reached."""
    return {"summary": summary(bench), **asdict(bench)} | {
        "measurements": [asdict(m) | {"poses_per_s": m.poses_per_s} for m in bench.measurements],
        "ratios": [{"name": ratio.name, "ratio": ratio.ratio} for ratio in bench.ratios],
        "targets": [asdict(target) | {"reached": target.reached} for target in bench.targets],
    }


def summary(bench: Bench) -> str:
    """The rates of the default preset in a sentence, in the units of the report of `zedo infer`."""
    packaged = [m for m in bench.measurements if m.network == PACKAGED]
    rate = min((m for m in packaged if m.group == "rates"), key=lambda m: abs(m.hypotheses - _USUAL))
    one = next(m for m in packaged if m.group == "picture" and m.hypotheses in (rate.hypotheses, 1))
    return (
        f"{bench.request.method}, S = {rate.hypotheses}: lifts {rate.poses_per_s:.3g} poses/s, each a person in a "
        f"frame, as zedo infer counts them; one person in one picture takes {one.seconds:.2g} s."
    )


def tables(bench: Bench) -> list[Table]:
    """The machine, the targets, the ratios, and all measurements."""
    groups = [(title, [m for m in bench.measurements if m.group == group]) for group, title in _GROUPS.items()]
    compared = tuple(
        (r.name, f"{r.slow.seconds:.3g}", f"{r.fast.seconds:.3g}", f"{r.ratio:.1f}x") for r in bench.ratios
    )
    of_method = [
        Table("Targets", ("", "target", "measured", "reached"), tuple(map(_target, bench.targets))),
        Table("Comparison", ("", "plain, s", "ours, s", "ratio"), compared),
    ]
    return [
        _machine(bench),
        *(table for table in of_method if table.rows),
        *(_measurements(title, rows) for title, rows in groups if rows),
    ]


def _machine(bench: Bench) -> Table:
    machine = bench.machine
    rows = [
        ("device", f"{machine.device}: {machine.device_name}"),
        ("processor", f"{machine.processor}, {machine.cores} cores, {machine.threads} threads used"),
        ("software", f"torch {machine.torch}, Python {machine.python}, {machine.system}"),
    ]
    for ceiling in bench.ceilings:
        rate = f"{ceiling.flops_per_s / 1e9:.4g} GFLOP/s"
        rows.append((f"matrix product, {ceiling.size} x {ceiling.size}, {ceiling.dtype}", rate))
    if bench.memory is not None:
        memory = f"{_mb(bench.memory.peak_bytes)} and {bench.memory.bytes_per_person:.0f} bytes per person"
        rows.append(("peak memory, default preset, S = 1", memory))
    rows += bench.remarks.items()
    if bench.ceilings:
        columns = "of ceiling: share of the rate of a matrix product; timed: the part timed and scaled up"
        rows.append(("columns", columns))
    return Table("Machine", ("", ""), tuple(rows))


def _target(target: Target) -> tuple[str, ...]:
    limit = f"{'at most' if target.at_most else 'at least'} {target.limit:g} {target.unit}"
    if target.value is None:
        return target.name, limit, "", ""
    name = f"{target.name}; {target.note}" if target.note else target.name
    return name, limit, f"{target.value:.3g} {target.unit}", "yes" if target.reached else "no"


def _measurements(title: str, rows: list[Measurement]) -> Table:
    header = ("", "people", "S", "steps", "time", "poses/s", "of ceiling", "peak", "timed")
    lines = [header, *map(_line, rows)]
    used = [i for i in range(len(header)) if any(line[i] for line in lines[1:])]
    header, *lines = (tuple(line[i] for i in used) for line in lines)
    return Table(title, header, tuple(lines))


def _line(m: Measurement) -> tuple[str, ...]:
    seconds = f"{m.seconds * 1000:.3g} ms" if m.seconds < 1 else f"{m.seconds:.4g} s"
    share = "" if m.ceiling_share is None else f"{100 * m.ceiling_share:.1f} %"
    peak = "" if m.peak_bytes is None else _mb(m.peak_bytes)
    timed = "" if m.scaled_by == 1 else f"1/{m.scaled_by:.3g}"
    numbers = (str(m.rows), str(m.hypotheses), str(m.iterations))
    return ", ".join(filter(None, (m.what, m.network))), *numbers, seconds, f"{m.poses_per_s:.4g}", share, peak, timed


def _mb(size: int) -> str:
    return f"{size / 1e6:.0f} MB"


def _markdown(table: Table) -> str:
    lines = [table.header, ["---"] * len(table.header), *table.rows]
    return "\n".join([f"### {table.title}", "", *("| " + " | ".join(line) + " |" for line in lines), ""])


def _figure(bench: Bench) -> Figure:
    """Seconds by number of people and by number of iterations."""
    figure = Figure(figsize=(10.5, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    by_rows, by_calls = ([m for m in bench.measurements if m.group == group] for group in ("rows", "iterations"))
    for what, calls in dict.fromkeys((m.what, m.iterations) for m in by_rows):
        _curve(left, [(m.rows, m.seconds) for m in by_rows if m.what == what], f"{what}, {calls} iterations")
    _curve(right, [(m.iterations, m.seconds) for m in by_calls], DEFAULT)
    people = next((m.rows for m in by_calls), 0)
    _label(left, "Cost by people", "people")
    _label(right, f"Cost by iterations ({people} people)", "network calls")
    figure.suptitle(f"{bench.request.method}, {bench.machine.device_name}, packaged network, S = 1", fontsize=10)
    return figure


def _curve(axes: Axes, points: list[tuple[int, float]], label: str) -> None:
    if points:
        axes.loglog(*zip(*points, strict=True), "o-", label=label)


def _label(axes: Axes, title: str, x: str) -> None:
    axes.set(title=title, xlabel=x, ylabel="seconds")
    axes.grid(color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.legend()
