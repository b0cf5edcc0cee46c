"""`zedo download`: download weights by name, or list the known weights and their state."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.filesize import decimal
from rich.progress import BarColumn, DownloadColumn, TaskID, TimeRemainingColumn, TransferSpeedColumn
from rich.table import Table

from zedo_cli._options import Json, Quiet
from zedo_cli._output import Bars, print_json, say
from zedo_core.errors import InputError
from zedo_core.weights import download as fetch
from zedo_core.weights import installed, packaged, registry


@dataclass(frozen=True, kw_only=True)
class _Row:
    """An entry of the report."""

    name: str
    kind: str
    size_bytes: int
    licence: str
    state: str  # downloaded, packaged or absent
    path: Path | None
    verified: bool | None  # for downloads: whether all hashes are known and correct
    repo: str
    revision: str
    commit: str | None


def download(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME", help="Weights to download; by default what is needed and not in the package."),
    ] = None,
    show: Annotated[
        bool, typer.Option("--list", help="List the known weights and their state; download nothing.")
    ] = False,
    everything: Annotated[bool, typer.Option("--all", help="Download all known weights.")] = False,
    repo: Annotated[str | None, typer.Option(help="Download from another repository.", metavar="OWNER/NAME")] = None,
    revision: Annotated[str | None, typer.Option(help="Commit, tag or branch to download.", metavar="REV")] = None,
    endpoint: Annotated[
        str | None, typer.Option(help="URL of another hub, such as a mirror.", envvar="HF_ENDPOINT", metavar="URL")
    ] = None,
    token: Annotated[
        str | None,
        typer.Option(help="Access token; preferably set in the environment.", envvar="HF_TOKEN", show_default=False),
    ] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Use only local files; fail if one is missing.")] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Download weights from the hub, verify them, and write their paths to stdout."""
    if everything and names:
        raise InputError(f"--all: expected no NAME with it, got {', '.join(names)}")
    wanted = [entry.name for entry in registry().values() if everything or (entry.default and not entry.packaged)]
    if show or not (names or wanted):
        rows = [_row(name) for name in names or registry()]
        print_json(rows) if as_json else Console().print(_table(rows))
        if not show:
            say("all that is needed is in the package; give the NAME of other weights to download them")
        return
    names = names or wanted
    if (repo or revision) and len(names) != 1:
        raise InputError(f"--repo and --revision: expected one NAME, got {len(names)} ({', '.join(names)})")
    for name in names:
        with _FileBars() as bars:
            fetch(
                name,
                repo=repo,
                revision=revision,
                endpoint=endpoint,
                token=token,
                offline=offline,
                on_progress=bars.show,
            )
        row = _row(name)
        say(f"{name}: downloaded ({'verified' if row.verified else 'unverified'}); licence: {row.licence}")
        if not as_json:
            typer.echo(row.path)
    if as_json:
        print_json([_row(name) for name in names])


class _FileBars(Bars):
    """A bar per file, in bytes."""

    def __init__(self) -> None:
        super().__init__(BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
        self._bars: dict[str, TaskID] = {}

    def show(self, file: str, done: int, total: int | None) -> None:
        """Update the bar of `file`, which is added on first use."""
        if file not in self._bars:
            self._bars[file] = self.add_task(file, total=total)
        self.update(self._bars[file], completed=done, total=total)


def _row(name: str) -> _Row:
    local, entry = installed(name), registry()[name]
    path = local.path if local else packaged(name)
    return _Row(
        name=name,
        kind=entry.kind,
        size_bytes=entry.size_bytes,
        licence=entry.licence,
        state="downloaded" if local else "packaged" if path else "absent",
        path=path,
        verified=all(entry.sha256.values()) if local else None,
        repo=local.repo if local else entry.repo,
        revision=local.revision if local else entry.revision,
        commit=local.commit if local else None,
    )


def _table(rows: list[_Row]) -> Table:
    table = Table("name", "kind", "size", "licence", "state", box=None, pad_edge=False)
    for row in rows:
        state = f"{row.state}, unverified" if row.verified is False else row.state
        table.add_row(row.name, row.kind, decimal(row.size_bytes), row.licence, state)
    return table
