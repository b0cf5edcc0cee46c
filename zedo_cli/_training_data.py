"""The options of `zedo train` that say what to train on, and reading it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from zedo_cli._output import progress, say
from zedo_core.errors import InputError

if TYPE_CHECKING:
    from zedo_core.data.mixture import Mixture
    from zedo_core.data.training import DataSource
    from zedo_core.skeleton import Skeleton

DATA = typer.Option(
    "--data",
    help="Motion capture (npz or npy of (n, j, 3) in metres, y up), a BVH file or a folder of them, or the training "
    "files of a data set. May be repeated; WEIGHT is its relative share of each batch.",
    metavar="PATH[:WEIGHT]",
)
Data = Annotated[list[str], DATA]
Split = Annotated[
    str | None, typer.Option("--split", help="Use only the sequences of this split; by default all.", metavar="WORD")
]
Joints = Annotated[
    str | None,
    typer.Option("--skeleton", help="Joint set: a name such as lsp-14, or a JSON file.", metavar="NAME|FILE"),
]
Scale = Annotated[
    float | None, typer.Option("--scale", help="Metres per unit of BVH files; by default estimated from leg lengths.")
]
Up = Annotated[
    str | None,
    typer.Option("--up", help="Upward axis of BVH files: x, y or z; by default estimated.", metavar="AXIS"),
]


def read_data(
    data: list[str], skeleton: Skeleton, split: str | None, scale: float | None, up: str | None
) -> tuple[Mixture, tuple[DataSource, ...]]:
    """Read all data with its weights, and print a note for each source."""
    from zedo_core.data.training import load_mixture, parse_weighted_path

    if "" in data:
        raise InputError("--data: expected a path, got an empty string")
    parts = [parse_weighted_path(text) for text in data]
    with progress() as bars:
        bar = bars.add_task("reading", total=None, unit="files")
        mixture, sources = load_mixture(
            parts,
            skeleton,
            split,
            scale=scale,
            up=up,
            on_file=lambda done, total: bars.update(bar, completed=done, total=total),
        )
    for source in sources:
        skipped = f", {source.damaged} damaged files left out" if source.damaged else ""
        counts = f"{source.frames} poses in {source.sequences} sequences{skipped}"
        say(f"{source.path} ({source.kind}): {counts}, weight {source.weight:g}")
    return mixture, sources
