"""A benchmark for people and machines: tables, JSON, Markdown and a plot."""

from __future__ import annotations

import json
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from zedo_core.bench.record import Bench, Measurement, Target
from zedo_core.bench.targets import ratio
from zedo_core.bench.work import PACKAGED, WIDE
from zedo_core.errors import OutputError
from zedo_core.storage.files import written_whole

_GROUPS = {
    "comparison": "The paper's settings, written plainly and by us",
    "rates": "Default preset: people a second",
    "picture": "Default preset: one person in one picture",
    "rows": "Cost by number of people",
    "iterations": "Cost by number of iterations",
}
_COLOURS = {"plain loop": "#888888", "our loop": "#1f6fd0", "default preset": "#e0582a"}


@dataclass(frozen=True)
class Table:
    """A title, the heads of the columns, and rows of texts."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def prepare(out: Path) -> None:
    """Make the folder before the long work; OutputError when it cannot be written to."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=out).close()
    except OSError as error:
        raise OutputError(f"{out}: cannot write there ({error.strerror}); choose another --out") from None


def write_report(found: Bench, out: Path) -> tuple[Path, ...]:
    """Write `bench.json`, `bench.md` and `bench.png` into `out`; OutputError when that cannot be done."""
    files = (out / "bench.json", out / "bench.md", out / "bench.png")
    with written_whole(files[0]) as partial:
        partial.write_text(json.dumps(as_json(found), indent=2, allow_nan=False) + "\n")
    with written_whole(files[1]) as partial:
        partial.write_text(
            "\n".join(map(_markdown, tables(found))) + "".join(f"\n* {note}" for note in found.notes) + "\n"
        )
    with written_whole(files[2]) as partial:
        _figure(found).savefig(partial, dpi=130)
    return files


def as_json(found: Bench) -> dict[str, Any]:
    """Everything, with the rates, ratios and verdicts that follow from it."""
    return asdict(found) | {
        "measurements": [asdict(m) | {"frames_per_s": m.frames_per_s} for m in found.measurements],
        "ratios": [{"name": name, "ratio": value} for name, _, _, value in _ratios(found)],
        "targets": [asdict(target) | {"reached": target.reached} for target in found.targets],
    }


def tables(found: Bench) -> list[Table]:
    """The machine, the targets, the ratios, and all measurements."""
    groups = [(title, [m for m in found.measurements if m.group == group]) for group, title in _GROUPS.items()]
    return [
        _machine(found),
        Table("Targets", ("", "wanted", "measured", "reached"), tuple(map(_target, found.targets))),
        Table(
            "Side by side",
            ("", "plain, s", "ours, s", "ratio"),
            tuple(
                (name, f"{slow.seconds:.3g}", f"{fast.seconds:.3g}", f"{value:.1f}x")
                for name, slow, fast, value in _ratios(found)
            ),
        ),
        *(_measured(title, rows) for title, rows in groups if rows),
    ]


def _ratios(found: Bench) -> list[tuple[str, Measurement, Measurement, float]]:
    """What is compared, both measurements, and how many times faster the second is."""
    rows = []
    for network in (PACKAGED, WIDE):
        for S in sorted({m.hypotheses for m in found.measurements}):
            plain = found.find("comparison", "plain loop", network, S)
            reference = found.find("comparison", "plain reference", network, S)
            shown = f"{network}, S = {S}"
            rows.append(
                (f"our loop to the plain one, {shown}", plain, found.find("comparison", "our loop", network, S))
            )
            default = found.find("rates", "default preset", network, S)
            rows.append((f"default preset to the plain reference, {shown}", reference, default))
    reference, default = (
        found.find("comparison", "plain reference", WIDE, 1),
        found.find("rates", "default preset", PACKAGED, 1),
    )
    rows.append((f"default preset, {PACKAGED}, to the plain reference, {WIDE}, S = 1", reference, default))
    pairs = [(name, slow, fast, ratio(slow, fast)) for name, slow, fast in rows]
    return [(name, slow, fast, value) for name, slow, fast, value in pairs if slow and fast and value is not None]


def _machine(found: Bench) -> Table:
    machine = found.machine
    rows = [
        ("device", f"{machine.device}: {machine.device_name}"),
        ("processor", f"{machine.processor}, {machine.cores} cores, {machine.threads} threads used"),
        ("software", f"torch {machine.torch}, Python {machine.python}, {machine.system}"),
    ]
    for ceiling in found.ceilings:
        shown = f"{ceiling.flops_per_s / 1e9:.4g} GFLOP/s"
        rows.append((f"product of {ceiling.size} x {ceiling.size}, {ceiling.dtype}", shown))
    if found.memory is not None:
        shown = f"{_mb(found.memory.peak_bytes)} and {found.memory.bytes_per_person:.0f} bytes for each person"
        rows.append(("peak memory, default preset, S = 1", shown))
    rows.append(("networks", f"{PACKAGED}; {WIDE}: the paper's size, 1024 wide, with random weights"))
    rows.append(("in the tables", "of ceiling: share of one product of the same type; timed: the part, then scaled up"))
    return Table("Machine", ("", ""), tuple(rows))


def _target(target: Target) -> tuple[str, ...]:
    wanted = f"{'at most' if target.at_most else 'at least'} {target.limit:g} {target.unit}"
    if target.value is None:
        return target.name, wanted, "", ""
    name = f"{target.name}; {target.note}" if target.note else target.name
    return name, wanted, f"{target.value:.3g} {target.unit}", "yes" if target.reached else "no"


def _measured(title: str, rows: list[Measurement]) -> Table:
    header = ("", "people", "S", "steps", "time", "people/s", "of ceiling", "peak", "timed")
    lines = [header, *map(_line, rows)]
    kept = [i for i in range(len(header)) if any(line[i] for line in lines[1:])]
    header, *lines = (tuple(line[i] for i in kept) for line in lines)
    return Table(title, header, tuple(lines))


def _line(m: Measurement) -> tuple[str, ...]:
    seconds = f"{m.seconds * 1000:.3g} ms" if m.seconds < 1 else f"{m.seconds:.4g} s"
    share = "" if m.ceiling_share is None else f"{100 * m.ceiling_share:.1f} %"
    peak = "" if m.peak_bytes is None else _mb(m.peak_bytes)
    timed = "" if m.scaled_by == 1 else f"1/{m.scaled_by:.3g}"
    numbers = (str(m.rows), str(m.hypotheses), str(m.iterations))
    return ", ".join(filter(None, (m.what, m.network))), *numbers, seconds, f"{m.frames_per_s:.4g}", share, peak, timed


def _mb(size: int) -> str:
    return f"{size / 1e6:.0f} MB"


def _markdown(table: Table) -> str:
    lines = [table.header, ["---"] * len(table.header), *table.rows]
    return "\n".join([f"### {table.title}", "", *("| " + " | ".join(line) + " |" for line in lines), ""])


def _figure(found: Bench) -> Figure:
    """Seconds by number of people and by number of iterations."""
    figure = Figure(figsize=(10.5, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    for what, colour in _COLOURS.items():
        _curve(
            left,
            [(m.rows, m.seconds) for m in found.measurements if m.group == "rows" and m.what == what],
            what,
            colour,
        )
    by_calls = [(m.iterations, m.seconds) for m in found.measurements if m.group == "iterations"]
    _curve(right, by_calls, "default preset", _COLOURS["default preset"])
    people = next((m.rows for m in found.measurements if m.group == "iterations"), 0)
    _named(left, "Cost by people (loops: 1000 iterations)", "people")
    _named(right, f"Cost by iterations ({people} people)", "network calls")
    figure.suptitle(f"{found.machine.device_name}, packaged network, S = 1", fontsize=10)
    return figure


def _curve(axes: Axes, points: list[tuple[int, float]], label: str, colour: str) -> None:
    if points:
        axes.loglog(*zip(*points, strict=True), "o-", color=colour, label=label)


def _named(axes: Axes, title: str, x: str) -> None:
    axes.set(title=title, xlabel=x, ylabel="seconds")
    axes.grid(color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.legend()
