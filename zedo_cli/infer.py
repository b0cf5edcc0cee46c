"""`zedo infer`: from pictures, videos or keypoints to 3D poses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zedo_cli._options import (
    Camera,
    Cx,
    Cy,
    Detector,
    Device,
    Fov,
    Fx,
    Fy,
    Iterations,
    Json,
    MaxPeople,
    OutDir,
    Person,
    Preset,
    Quiet,
    Seed,
    Tracker,
    Weights,
    camera_of,
    path_of,
)
from zedo_cli._output import print_json, say
from zedo_cli._results import Up
from zedo_cli._stages import shown_stages, summarise, tell, tell_failures

if TYPE_CHECKING:
    from zedo_core.pipeline.request import InferRequest
    from zedo_core.source.cut import Cut


def infer(
    inputs: Annotated[
        list[Path],
        typer.Argument(
            metavar="INPUT",
            help="Images, videos, folders of images, files or folders of keypoints, patterns such as 'clips/*.mp4', "
            "or - for keypoints on standard input. Of several, each has its results in OUT/NAME.",
            parser=path_of,
        ),
    ],
    out: OutDir = Path("zedo_out"),
    hypo: Annotated[int, typer.Option("--hypo", min=1, max=200, help="Hypotheses per person and frame.")] = 10,
    start: Annotated[
        str | None,
        typer.Option("--start", help="First frame: seconds (90.5), 1:30, or a number (2700f).", metavar="TIME"),
    ] = None,
    end: Annotated[
        str | None, typer.Option("--end", help="The first frame that is not wanted, likewise.", metavar="TIME")
    ] = None,
    every: Annotated[int, typer.Option("--every", min=1, help="Only every n-th frame.", metavar="N")] = 1,
    person: Person = "all",
    max_people: MaxPeople = None,
    keypoints: Annotated[
        Path | None,
        typer.Option(
            "--keypoints", help="Saved keypoints of INPUT, instead of the detector.", parser=path_of, metavar="PATH"
        ),
    ] = None,
    detector: Detector = "yolov8n-pose",
    tracker: Tracker = "bytetrack",
    redetect: Annotated[
        bool, typer.Option("--redetect", help="Detect anew; else detections in OUT of the same input are used.")
    ] = False,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Leave alone inputs whose results are in OUT; others go on where they stood."),
    ] = False,
    camera: Camera = None,
    fx: Fx = None,
    fy: Fy = None,
    cx: Cx = None,
    cy: Cy = None,
    fov: Fov = None,
    image_size: Annotated[
        str | None, typer.Option("--image-size", help="Of keypoint files that do not say it.", metavar="WxH")
    ] = None,
    weights: Weights = "prior",
    preset: Preset = "default",
    iterations: Iterations = None,
    device: Device = "auto",
    seed: Seed = 0,
    focal: Annotated[
        str,
        typer.Option("--focal", help="Where nothing tells it: guess, or estimate it from the people.", metavar="WORD"),
    ] = "guess",
    height: Annotated[
        str | None,
        typer.Option("--height", help="Standing height in metres, of all or by id.", metavar="M|ID=M,..."),
    ] = None,
    choose: Annotated[
        str,
        typer.Option("--choose", help="Among hypotheses: best (of each frame), track or mean.", metavar="NAME"),
    ] = "track",
    fill: Annotated[
        float, typer.Option("--fill", min=0, help="Longest gap of a track that is filled.", metavar="SECONDS")
    ] = 0.5,
    smooth: Annotated[
        str, typer.Option("--smooth", help="Of the poses over time: off, light or strong.", metavar="NAME")
    ] = "light",
    up: Up = None,
    format: Annotated[
        str,
        typer.Option(
            "--format", help="Of the poses: npz, json, csv, trc, bvh, c3d, glb, html, rrd.", metavar="NAME,..."
        ),
    ] = "npz,json",
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Lift the people of pictures, videos or keypoint files to 3D, in metres and camera axes.

    Exit code 1 when one of several inputs or a picture of a folder failed; the rest is done all the same.
    """
    from zedo_core.export import named
    from zedo_core.methods.zedo import preset as options_of
    from zedo_core.motions.height import parse_heights
    from zedo_core.pipeline.batch import expand
    from zedo_core.pipeline.request import InferRequest

    request = InferRequest(
        input=inputs[0],
        out=out,
        hypotheses=hypo,
        cut=_cut(start, end, every),
        person=person,
        max_people=max_people,
        keypoints=keypoints,
        detector=detector,
        tracker=tracker,
        redetect=redetect,
        camera=camera_of(camera, fx, fy, cx, cy, fov),
        image_size=_size(image_size),
        weights=weights,
        device=device,
        seed=seed,
        choice=choose,
        smooth=smooth,
        fill_s=fill,
        focal=focal,
        heights=None if height is None else parse_heights(height),
        up=up,
        formats=named(format),
        options=options_of(preset, iterations),
    )
    found = expand(inputs)
    failed = (
        _one(replace(request, input=found[0]), resume, json) if len(found) == 1 else _all(request, found, resume, json)
    )
    if failed:
        raise typer.Exit(1)


def _one(request: InferRequest, resume: bool, json: bool) -> bool:
    """Run a single input; whether pictures in it failed."""
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
    tell_failures(failures)
    if json:
        print_json(report)
    return bool(failures)


def _all(request: InferRequest, inputs: Sequence[Path], resume: bool, json: bool) -> bool:
    """Run several inputs, each into a folder of its own; whether anything failed."""
    from zedo_core.pipeline.batch import folders, infer_all

    requests = [
        replace(request, input=input, out=out) for input, out in zip(inputs, folders(inputs, request.out), strict=True)
    ]
    outcomes = []
    with shown_stages() as on_progress:
        for outcome in infer_all(requests, resume, lambda input: lambda *now: on_progress(*now, input.name)):
            tell(outcome)
            outcomes.append(outcome)
    failures = [failure for outcome in outcomes for failure in outcome.failures]
    tell_failures(failures)
    if json:
        print_json({"inputs": outcomes, "failed": sum(bool(outcome.failures) for outcome in outcomes)})
    return bool(failures)


def _cut(start: str | None, end: str | None, every: int) -> Cut:
    from zedo_core.source.cut import Cut, Moment

    first, last = (None if text is None else Moment.parse(text) for text in (start, end))
    return Cut(start=first, end=last, every=every)


def _size(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    width, _, height = text.lower().partition("x")
    if not all(part.isascii() and part.isdecimal() and 0 < len(part) < 7 and int(part) for part in (width, height)):
        raise typer.BadParameter(f"expected WIDTHxHEIGHT such as 1920x1080, got '{text}'", param_hint="--image-size")
    return int(width), int(height)
