"""`zedo infer`: 3D poses from pictures, videos or keypoints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from zedo_cli._options import (
    INPUT,
    OUTPUT,
    PEOPLE,
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
    OutDir,
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
    parse_path,
)
from zedo_cli._output import alert, print_json, say
from zedo_cli._results import Axes, Names, Up, open_page
from zedo_cli._stages import print_failures, print_outcome, say_next, shown_stages, summarise
from zedo_core.pipeline.request import InferRequest


def infer(
    inputs: Annotated[
        list[Path],
        typer.Argument(
            metavar="INPUT",
            help="Pictures, videos, folders of pictures, files or folders of keypoints, FOLDER:PATTERN for one of "
            "several sequences, patterns such as 'clips/*.mp4', or - for keypoints from standard input. With several "
            "inputs, the results of each are in "
            "OUT/NAME.",
            parser=parse_path,
        ),
    ],
    start: Start = None,
    end: End = None,
    every: Every = 1,
    sequence: Annotated[
        bool | None,
        typer.Option(
            "--sequence/--no-sequence",
            help="Whether the pictures of a folder are the frames of one recording. By default they are if all have "
            "one size, names that differ in a number only, such as frame_0001.jpg, and no EXIF data of a camera; "
            "otherwise each picture has its own camera, people and overlay.",
            show_default=False,
            rich_help_panel=INPUT,
        ),
    ] = None,
    keypoints: Annotated[
        Path | None,
        typer.Option(
            "--keypoints",
            help="Saved keypoints of INPUT, to use instead of the detector.",
            parser=parse_path,
            metavar="PATH",
            rich_help_panel=INPUT,
        ),
    ] = None,
    image_size: Annotated[
        str | None,
        typer.Option(
            "--image-size",
            help="Size of the pictures, for keypoint files that do not state it.",
            metavar="WxH",
            rich_help_panel=INPUT,
        ),
    ] = None,
    skeleton: Annotated[
        str | None,
        typer.Option(
            "--skeleton",
            help="Joint set of keypoint files that do not say it: a name such as coco-17, or a JSON file.",
            metavar="NAME|FILE",
            rich_help_panel=INPUT,
        ),
    ] = None,
    camera: Camera = None,
    fx: Fx = None,
    fy: Fy = None,
    cx: Cx = None,
    cy: Cy = None,
    fov: Fov = None,
    focal: Focal = InferRequest.focal,
    detector: Detector = InferRequest.detector,
    redetect: Annotated[
        bool,
        typer.Option(
            "--redetect",
            help="Detect again instead of reusing the detections of the same input in OUT.",
            rich_help_panel=PEOPLE,
        ),
    ] = False,
    track: Track = InferRequest.track,
    person: Person = InferRequest.person,
    max_people: MaxPeople = None,
    height: Annotated[
        str | None,
        typer.Option(
            "--height",
            help="Standing height in metres, of all people or by id.",
            metavar="M|ID=M,...",
            rich_help_panel=PEOPLE,
        ),
    ] = None,
    body: Annotated[
        Path | None,
        typer.Option(
            "--body",
            help="TOML or JSON file with measured segments in metres, such as thigh = 0.43.",
            metavar="FILE",
            rich_help_panel=PEOPLE,
        ),
    ] = None,
    method: Method = InferRequest.method,
    hypo: Hypo = InferRequest.hypotheses,
    preset: Preset = None,
    iterations: Iterations = None,
    weights: Weights = None,
    device: Device = InferRequest.device,
    seed: Seed = InferRequest.seed,
    sides: Sides = InferRequest.sides,
    choose: Choose = InferRequest.choice,
    motion: Motion = InferRequest.motion,
    ground: Ground = InferRequest.ground,
    fill: Fill = InferRequest.fill_s,
    out: OutDir = Path("zedo_out"),
    format: Annotated[
        str,
        typer.Option(
            "--format",
            help="Formats of the poses: npz, json, csv, csv-wide, parquet, trc, c3d, mot, angles, bvh, glb, html, rrd.",
            metavar="NAME,...",
            rich_help_panel=OUTPUT,
        ),
    ] = ",".join(InferRequest.formats),
    up: Up = None,
    names: Names = InferRequest.names,
    axes: Axes = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Skip inputs whose results are complete in OUT, and resume the others.",
            rich_help_panel=OUTPUT,
        ),
    ] = False,
    open: Annotated[
        bool,
        typer.Option(
            "--open", help="Open a web page with a 3D player of the result at the end.", rich_help_panel=OUTPUT
        ),
    ] = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Lift the people in pictures, videos or keypoint files to 3D, in metres in camera axes.

    If one of several inputs or a picture of a folder fails, the others are still processed, and the exit code is 1.
    """
    from zedo_core.export import check_names, parse_axes, parse_formats
    from zedo_core.motions.height import parse_heights
    from zedo_core.motions.segments import read_segments
    from zedo_core.pipeline.batch import expand

    check_names(names)
    request = InferRequest(
        input=inputs[0],
        out=out,
        hypotheses=hypo,
        cut=parse_cut(start, end, every),
        person=person,
        max_people=max_people,
        sequence=sequence,
        keypoints=keypoints,
        detector=detector,
        track=track,
        redetect=redetect,
        camera=camera_choice(camera, fx, fy, cx, cy, fov),
        image_size=_parse_size(image_size),
        skeleton=skeleton,
        weights=weights,
        device=device,
        seed=seed,
        sides=sides,
        choice=choose,
        motion=motion,
        ground=ground,
        fill_s=fill,
        focal=focal,
        heights=None if height is None else parse_heights(height),
        segments=None if body is None else read_segments(body),
        up=up,
        formats=parse_formats(format + ",html" * open),
        names=names,
        axes=None if axes is None else parse_axes(axes),
        method=method,
        preset=preset,
        iterations=iterations,
    )
    paths = expand(inputs)
    if open and len(paths) > 1:
        raise typer.BadParameter(f"expected one input to open, got {len(paths)}", param_hint="--open")
    if len(paths) == 1:
        failed = _infer_one(replace(request, input=paths[0]), resume, json)
        if open:
            _open(out / "poses.html")
    else:
        failed = _infer_all(request, paths, resume, json)
    if failed:
        raise typer.Exit(1)


def _open(page: Path) -> None:
    if page.is_file():
        open_page(page)
    else:
        alert("info", f"nobody was found, so there is no {page} to open")


def _infer_one(request: InferRequest, resume: bool, json: bool) -> bool:
    """Process a single input; return whether any of its pictures failed."""
    from zedo_core.pipeline.batch import Outcome
    from zedo_core.pipeline.finished import is_finished
    from zedo_core.pipeline.run import infer as run

    if resume and is_finished(request):
        say(f"{request.out}: all results are there already")
        if json:
            print_json(Outcome(input=request.input, out=request.out))
        return False
    with shown_stages() as on_progress:
        report = run(request, on_progress)
    summarise(report)
    failures = Outcome(input=request.input, out=request.out, report=report).failures
    if report.people:
        say_next([request.out], request.formats)
    print_failures(failures)
    if json:
        print_json(report)
    return bool(failures)


def _infer_all(request: InferRequest, inputs: Sequence[Path], resume: bool, json: bool) -> bool:
    """Process several inputs, each into its own folder; return whether any failed."""
    from zedo_core.pipeline.batch import folders, infer_all

    requests = [
        replace(request, input=input, out=out) for input, out in zip(inputs, folders(inputs, request.out), strict=True)
    ]
    outcomes = []
    with shown_stages() as on_progress:
        for outcome in infer_all(requests, resume, lambda input: lambda *now: on_progress(*now, input.name)):
            print_outcome(outcome)
            outcomes.append(outcome)
    failures = [failure for outcome in outcomes for failure in outcome.failures]
    say_next([outcome.out for outcome in outcomes if outcome.error is None], request.formats)
    print_failures(failures)
    if json:
        print_json({"inputs": outcomes, "failed": sum(bool(outcome.failures) for outcome in outcomes)})
    return bool(failures)


def _parse_size(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    width, _, height = text.lower().partition("x")
    if not all(part.isascii() and part.isdecimal() and 0 < len(part) < 7 and int(part) for part in (width, height)):
        raise typer.BadParameter(f"expected WIDTHxHEIGHT such as 1920x1080, got '{text}'", param_hint="--image-size")
    return int(width), int(height)
