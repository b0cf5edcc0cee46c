"""`zedo infer`: 3D poses from pictures, videos or keypoints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zedo_cli._options import (
    CAMERA,
    INPUT,
    MOTION,
    OUTPUT,
    PEOPLE,
    Camera,
    Cx,
    Cy,
    Detector,
    Device,
    Fov,
    Fx,
    Fy,
    Hypo,
    Iterations,
    Json,
    MaxPeople,
    Method,
    OutDir,
    Person,
    Preset,
    Quiet,
    Seed,
    Track,
    Weights,
    camera_choice,
    parse_path,
)
from zedo_cli._output import print_json, say
from zedo_cli._results import Up
from zedo_cli._stages import print_failures, print_outcome, shown_stages, summarise
from zedo_core.pipeline.request import InferRequest

if TYPE_CHECKING:
    from zedo_core.source.cut import Cut


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
    start: Annotated[
        str | None,
        typer.Option(
            "--start",
            help="First frame: a time in seconds (90.5) or minutes (1:30), or a frame number (2700f).",
            metavar="TIME",
            rich_help_panel=INPUT,
        ),
    ] = None,
    end: Annotated[
        str | None,
        typer.Option(
            "--end", help="End, in the same form; that frame is excluded.", metavar="TIME", rich_help_panel=INPUT
        ),
    ] = None,
    every: Annotated[
        int, typer.Option("--every", min=1, help="Use only every n-th frame.", metavar="N", rich_help_panel=INPUT)
    ] = 1,
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
    focal: Annotated[
        str,
        typer.Option(
            "--focal",
            help="If the focal length is unknown: guess, or estimate (from the people).",
            metavar="WORD",
            rich_help_panel=CAMERA,
        ),
    ] = InferRequest.focal,
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
    sides: Annotated[
        str,
        typer.Option(
            "--sides",
            help="Left and right that the detector exchanged for some frames: mend or keep.",
            metavar="WORD",
            rich_help_panel=MOTION,
        ),
    ] = InferRequest.sides,
    choose: Annotated[
        str,
        typer.Option(
            "--choose",
            help="Selection among hypotheses: best (per frame), track (over time) or mean (near the track).",
            metavar="NAME",
            rich_help_panel=MOTION,
        ),
    ] = InferRequest.choice,
    motion: Annotated[
        str,
        typer.Option(
            "--motion",
            "--smooth",
            help="Over time: full (one body of fixed bones and one trajectory), light or strong (smoothing), or off.",
            metavar="NAME",
            rich_help_panel=MOTION,
        ),
    ] = InferRequest.motion,
    ground: Annotated[
        str,
        typer.Option(
            "--ground",
            help="Hold standing feet still on level floors: auto (unless the camera moves), on or off.",
            metavar="WORD",
            rich_help_panel=MOTION,
        ),
    ] = InferRequest.ground,
    fill: Annotated[
        float,
        typer.Option(
            "--fill",
            min=0,
            help="Longest gap in a track to fill by interpolation.",
            metavar="SECONDS",
            rich_help_panel=MOTION,
        ),
    ] = InferRequest.fill_s,
    out: OutDir = Path("zedo_out"),
    format: Annotated[
        str,
        typer.Option(
            "--format",
            help="Formats of the poses: npz, json, csv, trc, bvh, c3d, glb, html, rrd.",
            metavar="NAME,...",
            rich_help_panel=OUTPUT,
        ),
    ] = ",".join(InferRequest.formats),
    up: Up = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Skip inputs whose results are complete in OUT, and resume the others.",
            rich_help_panel=OUTPUT,
        ),
    ] = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Lift the people in pictures, videos or keypoint files to 3D, in metres in camera axes.

    If one of several inputs or a picture of a folder fails, the others are still processed, and the exit code is 1.
    """
    from zedo_core.export import parse_formats
    from zedo_core.motions.height import parse_heights
    from zedo_core.motions.segments import read_segments
    from zedo_core.pipeline.batch import expand

    request = InferRequest(
        input=inputs[0],
        out=out,
        hypotheses=hypo,
        cut=_parse_cut(start, end, every),
        person=person,
        max_people=max_people,
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
        formats=parse_formats(format),
        method=method,
        preset=preset,
        iterations=iterations,
    )
    paths = expand(inputs)
    if len(paths) == 1:
        failed = _infer_one(replace(request, input=paths[0]), resume, json)
    else:
        failed = _infer_all(request, paths, resume, json)
    if failed:
        raise typer.Exit(1)


def _infer_one(request: InferRequest, resume: bool, json: bool) -> bool:
    """Process a single input; return whether any of its pictures failed."""
    from zedo_core.pipeline.batch import Outcome, is_finished
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
    print_failures(failures)
    if json:
        print_json({"inputs": outcomes, "failed": sum(bool(outcome.failures) for outcome in outcomes)})
    return bool(failures)


def _parse_cut(start: str | None, end: str | None, every: int) -> Cut:
    from zedo_core.source.cut import Cut, Moment

    first, last = (None if text is None else Moment.parse(text) for text in (start, end))
    return Cut(start=first, end=last, every=every)


def _parse_size(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    width, _, height = text.lower().partition("x")
    if not all(part.isascii() and part.isdecimal() and 0 < len(part) < 7 and int(part) for part in (width, height)):
        raise typer.BadParameter(f"expected WIDTHxHEIGHT such as 1920x1080, got '{text}'", param_hint="--image-size")
    return int(width), int(height)
