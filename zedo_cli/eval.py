"""`zedo eval`: the tables of the papers, from your own copy of the data sets."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zedo_cli._options import (
    Device,
    Iterations,
    Json,
    Method,
    OutDir,
    Preset,
    Quiet,
    Seed,
    Weights,
    parse_integer,
    parse_shard,
)
from zedo_cli._output import alert, print_json, print_table, progress, say
from zedo_core.methods import DEFAULT_METHOD


def evaluate(
    dataset: Annotated[
        str,
        typer.Option(
            "--dataset", help="Data set: h36m, 3dpw, 3dhp, ski, mocap, or results (of zedo batch).", metavar="NAME"
        ),
    ] = "mocap",
    data: Annotated[
        Path | None,
        typer.Option(
            "--data", help="Your copy of the data set; by default the packaged sample of mocap.", metavar="PATH"
        ),
    ] = None,
    out: OutDir = Path("zedo_eval"),
    hypo: Annotated[str, typer.Option("--hypo", help="Numbers of hypotheses.", metavar="N,N")] = "1,10",
    split: Annotated[str, typer.Option("--split", help="Split of the data set.", metavar="WORD")] = "test",
    protocol: Annotated[
        str, typer.Option("--protocol", help="full, or paper: every 640th (h36m), 3rd (3dhp), 35th sample (3dpw).")
    ] = "full",
    every: Annotated[int, typer.Option("--every", min=1, help="Use only every n-th sample.", metavar="N")] = 1,
    input: Annotated[
        str, typer.Option("--input", help="2D keypoints: gt, or detected if the data set has them.")
    ] = "gt",
    noise: Annotated[
        str,
        typer.Option(
            "--noise",
            help="Noise added to the keypoints: its standard deviation in pixels, or detector:STRENGTH for errors like "
            "those of a detector (strength 1).",
            metavar="PX|detector[:STRENGTH]",
        ),
    ] = "0",
    drop: Annotated[float, typer.Option("--drop", min=0.0, max=0.99, help="Fraction of joints to hide.")] = 0.0,
    method: Method = DEFAULT_METHOD,
    preset: Preset = None,
    iterations: Iterations = None,
    ablate: Annotated[
        str,
        typer.Option(
            "--ablate",
            help="Ablations: hypo; for zedo ro, wu, ra, init, regressed, iterations; for erd descent, mirror.",
            metavar="NAME,NAME",
        ),
    ] = "",
    weights: Weights = None,
    ra_weights: Annotated[
        str | None,
        typer.Option(
            "--ra-weights", help="Weights trained with rotation augmentation, for --ablate ra.", metavar="PATH"
        ),
    ] = None,
    gallery: Annotated[
        int,
        typer.Option("--gallery", min=0, help="Write a page with the N worst, median and best cases.", metavar="N"),
    ] = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Resume the same evaluation in --out.")] = False,
    shard: Annotated[
        str,
        typer.Option(
            "--shard", help="Process part I of N; parts may run in parallel with the same --out.", metavar="I/N"
        ),
    ] = "1/1",
    device: Device = "auto",
    seed: Seed = 0,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Measure accuracy on a data set with ground truth, and write tables, plots and JSON to --out."""
    from zedo_core.evaluate import EvalRequest, as_json, left_out, tables, verdict, write_report
    from zedo_core.evaluate import evaluate as run

    noise_px, detector_noise = _parse_noise(noise)
    request = EvalRequest(
        dataset=dataset,
        data=data,
        split=split,
        protocol=protocol,
        every=every,
        input=input,
        noise_px=noise_px,
        detector_noise=detector_noise,
        drop=drop,
        method=method,
        preset=preset,
        iterations=iterations,
        hypotheses=tuple(dict.fromkeys(parse_integer(part, "--hypo", "1,10,50") for part in hypo.split(","))),
        ablate=tuple(part.strip() for part in ablate.split(",") if part.strip()),
        weights=weights,
        ra_weights=ra_weights,
        seed=seed,
        device=device,
        gallery=gallery,
    )
    with progress() as bars:
        bar = bars.add_task("reading", total=None, unit="calls")
        result = run(
            request,
            out,
            resume=resume,
            shard=parse_shard(shard),
            on_progress=lambda done, total, name: bars.update(bar, completed=done, total=total, description=name),
        )
    if result is None:
        alert("info", f"part {shard} is done; the last part writes the report (or run again with --resume)")
        return
    files = write_report(result, out)
    for note in left_out(result):
        alert("info", note)
    for line in verdict(result):
        say(line)
    for table in tables(result):
        print_table(table)
    for file in files:
        say(str(file))
    if json:
        print_json(as_json(result))


def _parse_noise(text: str) -> tuple[float, float]:
    """Noise in pixels, and the strength of that of a detector."""
    kind, _, strength = text.partition(":")
    number = (strength or "1") if kind == "detector" else text
    try:
        value = float(number)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise typer.BadParameter(f"expected pixels such as 5, or detector:1, got '{text}'", param_hint="--noise")
    return (0.0, value) if kind == "detector" else (value, 0.0)
