"""`zedo eval`: the tables of the papers, from one's own copy of the data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zedo_cli._options import Device, Iterations, Json, OutDir, Preset, Quiet, Seed, Weights
from zedo_cli._output import alert, print_json, print_table, progress, say


def evaluate(
    dataset: Annotated[
        str, typer.Option("--dataset", help="h36m, 3dpw, 3dhp, ski or mocap.", metavar="NAME")
    ] = "mocap",
    data: Annotated[
        Path | None,
        typer.Option(
            "--data", help="Your copy of it; without, the small sample in the package (mocap).", metavar="PATH"
        ),
    ] = None,
    out: OutDir = Path("zedo_eval"),
    hypo: Annotated[str, typer.Option("--hypo", help="Numbers of hypotheses.", metavar="N,N")] = "1,10",
    split: Annotated[str, typer.Option("--split", help="Part of the data set.", metavar="WORD")] = "test",
    protocol: Annotated[
        str, typer.Option("--protocol", help="full, or paper: every 640th (h36m), 3rd (3dhp), 35th sample (3dpw).")
    ] = "full",
    every: Annotated[int, typer.Option("--every", min=1, help="Keep every n-th sample.", metavar="N")] = 1,
    input: Annotated[str, typer.Option("--input", help="2D: gt, or detected where the data set has it.")] = "gt",
    noise: Annotated[float, typer.Option("--noise", min=0.0, help="Noise on the keypoints in pixels.")] = 0.0,
    drop: Annotated[float, typer.Option("--drop", min=0.0, max=0.99, help="Share of the joints to hide.")] = 0.0,
    method: Annotated[str, typer.Option("--method", help="The lifter: zedo.")] = "zedo",
    preset: Preset = "default",
    iterations: Iterations = None,
    ablate: Annotated[
        str, typer.Option("--ablate", help="Ablations: any of ro,wu,ra,init,iterations,hypo.", metavar="NAME,NAME")
    ] = "",
    weights: Weights = "prior",
    ra_weights: Annotated[
        str | None,
        typer.Option(
            "--ra-weights", help="Weights trained with rotation augmentation, for --ablate ra.", metavar="PATH"
        ),
    ] = None,
    gallery: Annotated[
        int,
        typer.Option("--gallery", min=0, help="Write a page with so many worst, median and best cases.", metavar="N"),
    ] = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where the same run in --out stopped.")] = False,
    shard: Annotated[
        str, typer.Option("--shard", help="Do part I of N; run all parts at once, on one --out.", metavar="I/N")
    ] = "1/1",
    device: Device = "auto",
    seed: Seed = 0,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Measure accuracy on a data set with known 3D, and write tables, plots and JSON to --out."""
    from zedo_core.evaluate import EvalRequest, as_json, tables, write_report
    from zedo_core.evaluate import evaluate as run

    request = EvalRequest(
        dataset=dataset,
        data=data,
        split=split,
        protocol=protocol,
        every=every,
        input=input,
        noise_px=noise,
        drop=drop,
        method=method,
        preset=preset,
        iterations=iterations,
        hypotheses=tuple(dict.fromkeys(_whole(part, "--hypo", "1,10,50") for part in hypo.split(","))),
        ablate=tuple(part.strip() for part in ablate.split(",") if part.strip()),
        weights=weights,
        ra_weights=ra_weights,
        seed=seed,
        device=device,
        gallery=gallery,
    )
    with progress() as bars:
        bar = bars.add_task("reading", total=None, unit="calls")
        found = run(
            request,
            out,
            resume=resume,
            shard=_shard(shard),
            on_progress=lambda done, total, name: bars.update(bar, completed=done, total=total, description=name),
        )
    if found is None:
        alert("info", f"part {shard} is done; the one that is last sums up (or run again with --resume)")
        return
    files = write_report(found, out)
    if found.samples.left_out:
        alert("info", f"{found.samples.left_out} samples were left out: values missing or not finite")
    for table in tables(found):
        print_table(table)
    for file in files:
        say(str(file))
    if json:
        print_json(as_json(found))


def _whole(text: str, option: str, example: str) -> int:
    if not (text.strip().isascii() and text.strip().isdecimal()) or len(text) > 9:
        raise typer.BadParameter(f"expected whole numbers such as {example}, got '{text}'", param_hint=option)
    return int(text)


def _shard(text: str) -> tuple[int, int]:
    part, slash, parts = text.partition("/")
    if not slash:
        raise typer.BadParameter(f"expected I/N such as 1/4, got '{text}'", param_hint="--shard")
    return _whole(part, "--shard", "1/4"), _whole(parts, "--shard", "1/4")
