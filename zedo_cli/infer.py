"""`zedo infer`: from a picture, a video or keypoints to 3D poses."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zedo_cli._options import Device, Json, OutDir, Quiet, Seed, Weights, path_of
from zedo_cli._output import print_json
from zedo_cli._stages import shown_stages, summarise
from zedo_core.errors import InputError


def infer(
    input: Annotated[
        Path,
        typer.Argument(
            metavar="INPUT", help="Image, video, folder of images, file or folder of keypoints, or -.", parser=path_of
        ),
    ],
    out: OutDir = Path("zedo_out"),
    hypo: Annotated[int, typer.Option("--hypo", min=1, max=200, help="Hypotheses per person and frame.")] = 10,
    keypoints: Annotated[
        Path | None,
        typer.Option(
            "--keypoints", help="Saved keypoints of INPUT, instead of the detector.", parser=path_of, metavar="PATH"
        ),
    ] = None,
    detector: Annotated[
        str, typer.Option("--detector", help="Ultralytics pose model: downloaded name or file.", metavar="NAME|PATH")
    ] = "yolov8n-pose",
    camera: Annotated[
        str | None,
        typer.Option("--camera", help="Calibration file; NAME picks one of its cameras.", metavar="FILE[:NAME]"),
    ] = None,
    fx: Annotated[float | None, typer.Option("--fx", help="Focal length in pixels.")] = None,
    fy: Annotated[float | None, typer.Option("--fy", help="Vertical focal length; fx if not given.")] = None,
    cx: Annotated[float | None, typer.Option("--cx", help="Principal point; the centre if not given.")] = None,
    cy: Annotated[float | None, typer.Option("--cy", help="Principal point; the centre if not given.")] = None,
    fov: Annotated[float | None, typer.Option("--fov", help="Horizontal field of view in degrees.")] = None,
    image_size: Annotated[
        str | None, typer.Option("--image-size", help="Of keypoint files that do not say it.", metavar="WxH")
    ] = None,
    weights: Weights = "prior",
    preset: Annotated[
        str, typer.Option("--preset", help="Settings: default, reference (the paper's), h36m, 3dpw, ski, ...")
    ] = "default",
    iterations: Annotated[
        int | None, typer.Option("--iterations", min=1, help="Network calls, at the same sum of steps.")
    ] = None,
    device: Device = "auto",
    seed: Seed = 0,
    smooth: Annotated[
        str, typer.Option("--smooth", help="Of the poses over time: off, light or strong.", metavar="NAME")
    ] = "light",
    format: Annotated[
        str, typer.Option("--format", help="Of the poses: npz, json, csv, trc, bvh, c3d, glb.", metavar="NAME,...")
    ] = "npz,json",
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Lift the people of a picture, a video or a keypoint file to 3D, in metres and camera axes."""
    from zedo_core.camera_choice import CameraChoice
    from zedo_core.export import named
    from zedo_core.methods.zedo import preset as options_of
    from zedo_core.pipeline import InferRequest, is_keypoint_input
    from zedo_core.pipeline import infer as run

    options = options_of(preset)
    file, name = _file_and_name(camera)
    size = _size(image_size)
    if size is not None and not is_keypoint_input(input):
        raise InputError(
            f"--image-size: expected only with keypoint files, the pictures of {input} have their own size"
        )
    request = InferRequest(
        input=input,
        out=out,
        hypotheses=hypo,
        keypoints=keypoints,
        detector=detector,
        camera=CameraChoice(file=file, name=name, fx=fx, fy=fy, cx=cx, cy=cy, fov_deg=fov),
        image_size=size,
        weights=weights,
        device=device,
        seed=seed,
        smooth=smooth,
        formats=named(format),
        options=options if iterations is None else options.with_iterations(iterations),
    )
    with shown_stages() as on_progress:
        report = run(request, on_progress)
    summarise(report)
    if json:
        print_json(report)


def _file_and_name(camera: str | None) -> tuple[Path | None, str | None]:
    """FILE[:NAME] apart; a file whose own name holds a colon is taken as it is."""
    if camera is None:
        return None, None
    file, colon, name = camera.rpartition(":")
    if not (file if colon else camera):
        raise typer.BadParameter(f"expected FILE[:NAME], got '{camera}'", param_hint="--camera")
    if not colon or Path(camera).exists() or (len(file) == 1 and name.startswith(("\\", "/"))):
        return Path(camera), None
    return Path(file), name


def _size(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    width, _, height = text.lower().partition("x")
    if not all(part.isascii() and part.isdecimal() and 0 < len(part) < 7 and int(part) for part in (width, height)):
        raise typer.BadParameter(f"expected WIDTHxHEIGHT such as 1920x1080, got '{text}'", param_hint="--image-size")
    return int(width), int(height)
