"""`zedo batch`: thousands of clips, on one machine or on many."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from zedo_cli._options import (
    OUTPUT,
    Camera,
    Choose,
    Cx,
    Cy,
    Detector,
    Device,
    End,
    Every,
    Fill,
    Focal,
    Fov,
    Fx,
    Fy,
    Ground,
    Hypo,
    Iterations,
    Json,
    MaxPeople,
    Method,
    Motion,
    Person,
    Preset,
    Quiet,
    Seed,
    Sides,
    Start,
    Track,
    Weights,
    camera_choice,
    parse_cut,
    parse_shard,
)
from zedo_cli._output import console, print_json, progress, say
from zedo_cli._results import Up
from zedo_cli._stages import print_failures
from zedo_core.pipeline.request import PosesRequest

if TYPE_CHECKING:
    from zedo_core.batch.cost import Cost
    from zedo_core.batch.job import Outcome
    from zedo_core.batch.run import BatchReport, Plan, Tally

WORK = "Work"  # the panel of what is done where


def batch(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE",
            help="Videos, folders of videos, patterns such as 'clips/**/*.mp4', lists (.txt, a source a line), or "
            "addresses of these such as s3://bucket/clips.",
        ),
    ],
    out: Annotated[
        str,
        typer.Option(
            "--out", "-o", help="Folder or address for the results.", metavar="DIR|URI", rich_help_panel=OUTPUT
        ),
    ] = "zedo_batch",
    engine: Annotated[
        str,
        typer.Option(
            "--engine",
            help="local, or ray: the cluster of RAY_ADDRESS, else this machine.",
            metavar="NAME",
            rich_help_panel=WORK,
        ),
    ] = "local",
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers",
            min=1,
            help="Clips at a time, each in a process of one thread; by default one a core, or one a GPU.",
            metavar="N",
            rich_help_panel=WORK,
        ),
    ] = None,
    shard: Annotated[
        str,
        typer.Option(
            "--shard",
            help="Do part I of N; parts may run at the same time with the same --out.",
            metavar="I/N",
            rich_help_panel=WORK,
        ),
    ] = "1/1",
    limit: Annotated[
        int | None,
        typer.Option("--limit", min=1, help="Do at most this many clips.", metavar="N", rich_help_panel=WORK),
    ] = None,
    dry: Annotated[
        bool,
        typer.Option("--dry-run", help="Say what would be done and how long it would take.", rich_help_panel=WORK),
    ] = False,
    start: Start = None,
    end: End = None,
    every: Every = 1,
    camera: Camera = None,
    fx: Fx = None,
    fy: Fy = None,
    cx: Cx = None,
    cy: Cy = None,
    fov: Fov = None,
    focal: Focal = PosesRequest.focal,
    detector: Detector = PosesRequest.detector,
    track: Track = PosesRequest.track,
    person: Person = PosesRequest.person,
    max_people: MaxPeople = None,
    method: Method = PosesRequest.method,
    hypo: Hypo = PosesRequest.hypotheses,
    preset: Preset = None,
    iterations: Iterations = None,
    weights: Weights = None,
    device: Device = PosesRequest.device,
    seed: Seed = PosesRequest.seed,
    sides: Sides = PosesRequest.sides,
    choose: Choose = PosesRequest.choice,
    motion: Motion = PosesRequest.motion,
    ground: Ground = PosesRequest.ground,
    fill: Fill = PosesRequest.fill_s,
    format: Annotated[
        str,
        typer.Option(
            "--format",
            help="Also write files as of zedo infer, to OUT/files: npz, json, bvh, ..., and overlay.",
            metavar="NAME,...",
            rich_help_panel=OUTPUT,
        ),
    ] = "",
    up: Up = None,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Lift the people in many videos, each once, and write a Parquet table for each to OUT/clips.

    A run that was killed goes on. Clips that fail are listed in OUT/failures.csv, and the exit code is 1.
    """
    from zedo_core.batch.run import BatchRequest, dry_run, run_batch

    request = BatchRequest(
        sources=tuple(sources),
        out=out,
        engine=engine,
        workers=workers,
        limit=limit,
        shard=parse_shard(shard),
        formats=tuple(dict.fromkeys(name.strip().lower().removeprefix(".") for name in format.split(",") if name)),
        poses=PosesRequest(
            input=Path(),
            hypotheses=hypo,
            cut=parse_cut(start, end, every),
            person=person,
            max_people=max_people,
            detector=detector,
            track=track,
            camera=camera_choice(camera, fx, fy, cx, cy, fov),
            weights=weights,
            device=device,
            seed=seed,
            sides=sides,
            choice=choose,
            motion=motion,
            ground=ground,
            fill_s=fill,
            focal=focal,
            up=up,
            method=method,
            preset=preset,
            iterations=iterations,
        ),
    )
    if dry:
        plan, cost = dry_run(request)
        _print_cost(plan, cost)
        if json:
            print_json({"found": plan.found, "present": plan.present, "left": plan.left, "cost": cost})
        return
    with _shown() as on_outcome, open(os.devnull, "w") as nothing, redirect_stdout(nothing):  # Ray writes to stdout
        report = run_batch(request, on_outcome)
    _summarise(report)
    print_failures([(failure.source, f"{failure.line} [{failure.stage}]") for failure in report.failures])
    if json:
        print_json(report)
    if report.failed:
        raise typer.Exit(1)


@contextmanager
def _shown() -> Iterator[Callable[[Outcome, Tally], None]]:
    """A callback that shows how far a run is: clips, and frames, of which there are about as many in every byte."""
    with progress() as bars:
        clips = bars.add_task("clips", total=None, unit="clips")
        frames = bars.add_task("frames", total=None, unit="frames")

        def show(outcome: Outcome, tally: Tally) -> None:
            bars.update(clips, completed=tally.clips, total=tally.of_clips)
            about = round(tally.frames * tally.of_bytes / tally.bytes) if tally.bytes else None
            bars.update(frames, completed=tally.frames, total=about)

        yield show


def _summarise(report: BatchReport) -> None:
    table = _table()
    table.add_row("clips", f"{report.done} done, {report.failed} failed, {report.present} had their result")
    if report.left:
        table.add_row("left", f"{report.left} clips, beyond --limit")
    rate = report.frames / report.wall_s if report.wall_s else 0.0
    table.add_row("frames", f"{report.frames}, {report.poses} poses; {rate:.1f} frames/s with the start")
    table.add_row("time", f"{report.wall_s:.1f} s, of which {report.start_s:.1f} s before the first clip")
    if report.frames:
        stages = ", ".join(f"{stage} {1e3 * s / report.frames:.1f}" for stage, s in report.seconds.items())
        table.add_row("ms a frame", f"{stages}, of one worker")
    console.print(table)
    say(report.out)
    if report.table:
        say(report.table)


def _print_cost(plan: Plan, cost: Cost) -> None:
    table = _table()
    table.add_row("clips", f"{cost.clips} to do, {plan.present} have their result, {plan.left} beyond --limit")
    table.add_row("size", f"{cost.bytes / 1e6:.1f} MB")
    if cost.frames is not None and cost.video_s is not None:
        table.add_row("video", f"about {cost.frames} frames, {cost.video_s / 3600:.2f} hours")
    time = "unknown" if cost.wall_s is None else f"about {cost.wall_s / 3600:.2f} hours with {cost.workers} workers"
    table.add_row("time", f"{time} ({cost.basis})")
    console.print(table)


def _table() -> Table:
    return Table(show_header=False, box=None, padding=(0, 2, 0, 0))
