"""`zedo download`: fetch weights by name, or list what there is and what is here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.filesize import decimal
from rich.progress import (
    BarColumn,
    DownloadColumn,
    TaskID,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Table

from zedo_cli._options import Json, Quiet
from zedo_cli._output import Bars, print_json, say
from zedo_core import weights as hub
from zedo_core.errors import InputError


@dataclass(frozen=True, kw_only=True)
class _Row:
    """What the report says of one name."""

    name: str
    kind: str
    size_bytes: int | None
    licence: str
    state: str  # downloaded, packaged or absent
    path: Path | None
    verified: bool | None  # of a download: all hashes were known and right
    repo: str
    revision: str
    commit: str | None


def download(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="NAME", help="Weights to fetch; the default detector if none.")
    ] = None,
    show: Annotated[
        bool, typer.Option("--list", help="Show the known weights and what is here; fetch nothing.")
    ] = False,
    everything: Annotated[bool, typer.Option("--all", help="Fetch all known weights.")] = False,
    repo: Annotated[str | None, typer.Option(help="Take the files from another repo.", metavar="OWNER/NAME")] = None,
    revision: Annotated[str | None, typer.Option(help="Commit, tag or branch to take.", metavar="REV")] = None,
    endpoint: Annotated[
        str | None, typer.Option(help="Another hub, such as a mirror.", envvar="HF_ENDPOINT", metavar="URL")
    ] = None,
    token: Annotated[
        str | None,
        typer.Option(help="Access token; better set in the environment.", envvar="HF_TOKEN", show_default=False),
    ] = None,
    offline: Annotated[
        bool, typer.Option("--offline", help="Use only what is here; fail if something is not.")
    ] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Fetch weights from the hub, verify them, and write where they are to stdout."""
    if show:
        rows = [_row(name) for name in names or hub.registry()]
        print_json(rows) if as_json else Console().print(_table(rows))
        return
    if everything:
        if names:
            raise InputError(f"--all: expected no NAME beside it, got {', '.join(names)}")
        names = list(hub.registry())
    names = names or [entry.name for entry in hub.registry().values() if entry.default and not entry.packaged]
    if (repo or revision) and len(names) != 1:
        raise InputError(f"--repo and --revision: expected one NAME, got {len(names)} ({', '.join(names)})")
    for name in names:
        with _FileBars() as bars:
            hub.download(
                name,
                repo=repo,
                revision=revision,
                endpoint=endpoint,
                token=token,
                offline=offline,
                on_progress=bars.show,
            )
        row = _row(name)
        say(f"{name} is here ({'verified' if row.verified else 'unverified'}); licence: {row.licence}")
        if not as_json:
            typer.echo(row.path)
    if as_json:
        print_json([_row(name) for name in names])


class _FileBars(Bars):
    """A bar per file, in bytes."""

    def __init__(self) -> None:
        super().__init__(BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
        self._of_file: dict[str, TaskID] = {}

    def show(self, file: str, done: int, total: int | None) -> None:
        """Move the bar of `file`, made when it is first heard of."""
        if file not in self._of_file:
            self._of_file[file] = self.add_task(file, total=total)
        self.update(self._of_file[file], completed=done, total=total)


def _row(name: str) -> _Row:
    here = hub.installed(name)
    entry = hub.registry()[name]
    path = here.path if here else hub.packaged(name)
    return _Row(
        name=name,
        kind=entry.kind,
        size_bytes=entry.size,
        licence=entry.licence,
        state="downloaded" if here else "packaged" if path else "absent",
        path=path,
        verified=here.verified if here else None,
        repo=here.repo if here else entry.repo,
        revision=here.revision if here else entry.revision,
        commit=here.commit if here else None,
    )


def _table(rows: list[_Row]) -> Table:
    table = Table("name", "kind", "size", "licence", "here", box=None, pad_edge=False)
    for row in rows:
        size = "" if row.size_bytes is None else decimal(row.size_bytes)
        state = f"{row.state}, unverified" if row.verified is False else row.state
        table.add_row(row.name, row.kind, size, row.licence, state)
    return table
