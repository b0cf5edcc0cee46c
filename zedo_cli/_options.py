"""Options that several commands share, defined once; a default stands where the option is used."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zedo_cli._output import set_quiet


def path_of(text: str) -> Path:
    """Parser of paths: an empty one would silently be the current folder."""
    if not str(text):
        raise typer.BadParameter("expected a path, got an empty text")
    return Path(text)


def _folder_of(text: str) -> Path:
    """Parser of folders, which may not be there yet."""
    path = path_of(text)
    if path.is_file():
        raise typer.BadParameter(f"expected a folder, '{path}' is a file")
    return path


OutDir = Annotated[
    Path,
    typer.Option("--out", "-o", help="Folder for the results; made if needed.", parser=_folder_of, metavar="DIR"),
]
Device = Annotated[
    str, typer.Option("--device", help="Where to compute: auto, cpu, cuda, cuda:N or mps.", metavar="NAME")
]
Seed = Annotated[int, typer.Option("--seed", help="Same seed, same result.", min=0, max=2**63 - 1)]
Weights = Annotated[
    str, typer.Option("--weights", help="Name of downloaded weights, a weights folder, or a file.", metavar="NAME|PATH")
]
Json = Annotated[bool, typer.Option("--json", help="Write a report as JSON to stdout.")]
Quiet = Annotated[
    bool,
    typer.Option("--quiet", "-q", help="No notes and no progress bars; warnings and errors stay.", callback=set_quiet),
]
