"""The one sink of the commands: data as JSON on stdout, everything said to people on stderr."""

from __future__ import annotations

import dataclasses
import json
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.table import Table as RichTable
from rich.text import Text

from zedo_cli._harmless import harmless
from zedo_core.errors import OutputError

# Notes and progress bars; `--quiet` silences them.
console = Console(stderr=True, highlight=False)
# Warnings and errors, which `--quiet` does not silence.
_alerts = Console(stderr=True, highlight=False)

_ALERT_STYLES = {"error": "bold red", "warning": "bold yellow"}


def set_quiet(quiet: bool) -> bool:
    """Silence notes and progress bars (or let them speak again); usable as the callback of an option."""
    console.quiet = quiet
    return quiet


def alert(kind: str, message: str) -> None:
    """One line `kind: message` on stderr, whatever `--quiet` says; kind is `error`, `warning` or `info`."""
    line = Text.assemble((f"{kind}:", _ALERT_STYLES.get(kind, "bold")), f" {harmless(message)}")
    _alerts.print(line, soft_wrap=True)


def say(line: str) -> None:
    """One line for people on stderr, as it stands: names in it are no markup and steer no terminal."""
    console.print(harmless(line), soft_wrap=True, markup=False)


def print_json(value: Any) -> None:
    """Write strict JSON to stdout; NaN and infinities become null, arrays lists, dataclasses objects."""
    if sys.stdout is None:
        raise OutputError("stdout is closed; the report cannot be written to it")
    text = json.dumps(_plain(value), indent=2, allow_nan=False, ensure_ascii=False)
    # half a surrogate pair, of a name that is not UTF-8, is written as JSON writes it
    sys.stdout.write(text.encode(errors="backslashreplace").decode() + "\n")
    sys.stdout.flush()  # a closed pipe shows here, where it is handled, and not when the interpreter ends


class Table(Protocol):
    """A table of a report: texts in rows under a header, the first column's to the left."""

    @property
    def title(self) -> str: ...

    @property
    def header(self) -> Sequence[str]: ...

    @property
    def rows(self) -> Sequence[Sequence[str]]: ...


def print_table(table: Table) -> None:
    """A table for people, with the notes below it that some have; only tables of two columns may break lines."""
    shown = RichTable(title=table.title, title_justify="left", box=SIMPLE_HEAD)
    for i, head in enumerate(table.header):
        shown.add_column(head, justify="left" if i == 0 else "right", no_wrap=i > 0 and len(table.header) > 2)
    for row in table.rows:
        shown.add_row(*(escape(harmless(cell)) for cell in row))
    console.print(shown)
    for note in getattr(table, "notes", ()):
        console.print(note, style="dim", markup=False)


class Bars(Progress):
    """Bars with a description; silent under `--quiet` and when stderr is no terminal."""

    def __init__(self, *columns: ProgressColumn) -> None:
        silent = console.quiet or not console.is_terminal
        super().__init__(TextColumn("{task.description}"), *columns, console=console, disable=silent)

    def stop(self) -> None:
        """End them; without the empty line that Rich before 15 prints where there is no terminal."""
        if not self.disable:
            super().stop()


def progress() -> Progress:
    """A bar with description, count, rate and time left."""
    return Bars(BarColumn(), MofNCompleteColumn(), _Rate(), TimeRemainingColumn())


class _Rate(ProgressColumn):
    """Steps a second, in the unit of the task's field `unit`."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        unit = task.fields.get("unit", "it")
        return Text("" if speed is None else f"{speed:.1f} {unit}/s", style="progress.data.speed")


def _plain(value: Any) -> Any:
    """What JSON can hold."""
    if hasattr(value, "tolist"):  # arrays, tensors and their scalars
        return _plain(value.tolist())
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return str(value) if isinstance(value, Path) else value
