"""Output of all commands: data as JSON on stdout, everything for people on stderr."""

from __future__ import annotations

import dataclasses
import json
import math
import sys
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.table import Column
from rich.table import Table as RichTable
from rich.text import Text

from zedo_cli._escape import escape_control
from zedo_core.errors import OutputError

# Notes and progress bars; `--quiet` silences them.
console = Console(stderr=True, highlight=False)
# Warnings and errors, which `--quiet` does not silence.
_alerts = Console(stderr=True, highlight=False)

NO_BREAK = "\N{NO-BREAK SPACE}"  # in texts that are wrapped, printed as a space

_ALERT_STYLES = {"error": "bold red", "warning": "bold yellow"}


def set_quiet(quiet: bool) -> bool:
    """Turn notes and progress bars off or on; usable as the callback of an option."""
    console.quiet = quiet
    return quiet


def alert(kind: str, message: str) -> None:
    """Print a line `kind: message` on stderr, even with `--quiet`; kind is `error`, `warning` or `info`."""
    line = Text(wrapped(f"{kind}: {escape_control(message)}", target=_alerts))
    line.stylize(_ALERT_STYLES.get(kind, "bold"), 0, len(kind) + 1)
    _alerts.print(line, soft_wrap=True)


def say(line: str, wrap: bool = True) -> None:
    """Print a line on stderr, with markup and control characters escaped; paths to copy without `wrap`."""
    text = escape_control(line)
    console.print(wrapped(text) if wrap else text, soft_wrap=True, markup=False)


def say_facts(rows: Sequence[tuple[str, str]]) -> None:
    """Print names and what there is to say of each, one below the other."""
    indent = max((len(name) for name, _ in rows), default=0) + 2
    for name, text in rows:
        console.print(wrapped(f"{name:<{indent}}{escape_control(text)}", indent), soft_wrap=True, markup=False)


def wrapped(text: str, indent: int = 0, target: Console | None = None) -> str:
    """The text in lines as wide as the terminal, without breaking a word; as it is where there is no terminal."""
    target = target or console
    if target.is_terminal:
        width, rest = max(target.width, indent + 20), " " * indent
        options: dict[str, Any] = {"break_long_words": False, "break_on_hyphens": False, "drop_whitespace": True}
        lines = textwrap.wrap(text, width, subsequent_indent=rest, **options)
        text = "\n".join(lines)
    return text.replace(NO_BREAK, " ")


def print_json(value: Any) -> None:
    """Write strict JSON to stdout; NaN and infinities become null, arrays lists, dataclasses objects."""
    if sys.stdout is None:
        raise OutputError("stdout is closed; the report cannot be written")
    text = json.dumps(_to_json(value), indent=2, allow_nan=False, ensure_ascii=False)
    # lone surrogates, from names that are not UTF-8, are written as JSON escapes
    sys.stdout.write(text.encode(errors="backslashreplace").decode() + "\n")
    sys.stdout.flush()  # so that a closed pipe is noticed here, where it is handled, not when the interpreter exits


class Table(Protocol):
    """A table of a report: rows of cells under a header."""

    @property
    def title(self) -> str: ...

    @property
    def header(self) -> Sequence[str]: ...

    @property
    def rows(self) -> Sequence[Sequence[str]]: ...


def print_table(table: Table) -> None:
    """Print a table with its notes; cells wrap between words, in the first column or in tables of two columns."""
    shown = RichTable(title=table.title, title_justify="left", box=SIMPLE_HEAD)
    columns = [[head, *(row[i] for row in table.rows)] for i, head in enumerate(table.header)]
    room = console.width - sum(max(map(len, column)) + 3 for column in columns[1:]) - 4
    longest = max(len(word) for cell in columns[0] for word in cell.split() or [""])
    for i, head in enumerate(table.header):
        shown.add_column(
            head,
            justify="left" if i == 0 else "right",
            no_wrap=i > 0 and len(table.header) > 2,
            min_width=max(0, min(longest, room)) if i == 0 else None,
        )
    for row in table.rows:
        shown.add_row(*(escape(escape_control(cell)) for cell in row))
    console.print(shown)
    for note in getattr(table, "notes", ()):
        console.print(note, style="dim", markup=False)


class Bars(Progress):
    """Progress bars with a description; disabled with `--quiet` and when stderr is not a terminal."""

    def __init__(self, *columns: ProgressColumn) -> None:
        disable = console.quiet or not console.is_terminal
        super().__init__(TextColumn("{task.description}"), *columns, console=console, disable=disable)

    def stop(self) -> None:
        """Stop, without the empty line that Rich before 15 prints when there is no terminal."""
        if not self.disable:
            super().stop()


def progress() -> Progress:
    """A bar with description, count, rate and time left."""
    return Bars(BarColumn(), MofNCompleteColumn(), _Rate(Column(no_wrap=True)), TimeRemainingColumn())


class _Rate(ProgressColumn):
    """Steps per second, in the unit of the task's field `unit`."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        unit = task.fields.get("unit", "it")
        digits = 1 if speed is not None and speed < 100 else 0
        return Text("" if speed is None else f"{speed:.{digits}f} {unit}/s", style="progress.data.speed")


def _to_json(value: Any) -> Any:
    """The value as JSON types."""
    if hasattr(value, "tolist"):  # arrays, tensors and their scalars
        return _to_json(value.tolist())
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _to_json(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _to_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_to_json(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return str(value) if isinstance(value, Path) else value
