"""The options that the commands of `zedo train` share, and reading what to train on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zedo_cli._output import progress, say, set_quiet
from zedo_core.errors import InputError

if TYPE_CHECKING:
    from zedo_core.data.mixture import Mixture
    from zedo_core.data.pairs import Pairs
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

Stream = Annotated[
    int | None,
    typer.Option(
        "--stream",
        help="For motion capture larger than memory, as npz, npy or Parquet: the frames to read at a time. Others "
        "follow every 1000 steps, read meanwhile.",
        metavar="FRAMES",
        min=1,
    ),
]
Noise = Annotated[float, typer.Option(help="Strength of the noise: 1 is like a detector's, 0 is exact.", min=0, max=10)]
Rate = Annotated[float, typer.Option(help="Peak learning rate.", min=0)]
Precision = Annotated[str, typer.Option(help="fp32, or bf16 for a GPU or a CPU that computes in it.", metavar="NAME")]
CheckEvery = Annotated[int, typer.Option(help="Steps between validations by lifting; 0 for none.", min=0)]
HeldOut = Annotated[float, typer.Option(help="Fraction of the sequences held out.", min=0.0, max=1.0)]
Seed = Annotated[int, typer.Option(help="Random seed; the same seed gives the same result.", min=0)]
Start = Annotated[
    str | None,
    typer.Option("--from", help="Start from these weights, which need the same sizes.", metavar="NAME|PATH"),
]
Resume = Annotated[bool, typer.Option("--resume", help="Resume the same run in --out.")]
SaveEvery = Annotated[float, typer.Option("--save-every", help="Seconds between saved states.", min=0)]


def quiet_in_workers() -> bool:
    """Whether this is the process that reports; the others of a distributed run say nothing."""
    from zedo_core.train.ranks import Ranks

    is_main = Ranks.from_environment().is_main
    if not is_main:
        set_quiet(True)
    return is_main


def read_data(
    data: list[str],
    skeleton: Skeleton,
    split: str | None,
    scale: float | None,
    up: str | None,
    stream: int | None = None,
    seed: int = 0,
) -> tuple[Mixture, tuple[DataSource, ...]]:
    """Read all data with its weights, or the first block of what is streamed, and print a note for each source."""
    from zedo_core.data.training import load_mixture, stream_mixture

    parts = _weighted(data, "--data")
    if stream is not None:
        if split is not None:
            raise InputError("--stream reads whole files: leave --split out")
        mixture, sources = stream_mixture(parts, skeleton, stream, seed)
        _say_sources(sources)
        return mixture, sources
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
    _say_sources(sources)
    return mixture, sources


def read_pairs(pairs: list[str], skeleton: Skeleton, split: str | None) -> tuple[Pairs, tuple[DataSource, ...]]:
    """Read all pairs with their weights, and print a note for each source."""
    from zedo_core.data.pairs import load_pairs

    recorded, sources = load_pairs(_weighted(pairs, "--pairs"), skeleton, split)
    _say_sources(sources)
    return recorded, sources


def _weighted(texts: list[str], option: str) -> list[tuple[Path, float]]:
    from zedo_core.data.training import parse_weighted_path

    if "" in texts:
        raise InputError(f"{option}: expected a path, got an empty string")
    return [parse_weighted_path(text, option) for text in texts]


def _say_sources(sources: Sequence[DataSource]) -> None:
    for source in sources:
        what = "files" if source.kind == "bvh" else "frames without finite values"
        skipped = f", {source.damaged} {what} left out" if source.damaged else ""
        skipped += f", {source.note}" if source.note else ""
        pieces = "files and row groups" if source.kind == "stream" else "sequences"
        counts = f"{source.frames} poses in {source.sequences} {pieces}{skipped}"
        say(f"{source.path} ({source.kind}): {counts}, weight {source.weight:g}")
