"""Options shared by several commands; their defaults are given in the commands."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zedo_cli._output import set_quiet

if TYPE_CHECKING:
    from zedo_core.camera.choice import CameraChoice
    from zedo_core.source.cut import Cut


def parse_path(text: str) -> Path:
    """Parse a path; an empty one, which would be the current folder, is refused."""
    if not str(text):
        raise typer.BadParameter("expected a path, got an empty string")
    return Path(text)


def parse_folder(text: str) -> Path:
    """Parse the path of a folder, which need not exist."""
    path = parse_path(text)
    if path.is_file():
        raise typer.BadParameter(f"expected a folder, '{path}' is a file")
    return path


def parse_cut(start: str | None, end: str | None, every: int) -> Cut:
    """The part of the input as chosen by the options; InputError for what is no time."""
    from zedo_core.source.cut import Cut, Moment

    first, last = (None if text is None else Moment.parse(text) for text in (start, end))
    return Cut(start=first, end=last, every=every)


def camera_choice(
    camera: str | None, fx: float | None, fy: float | None, cx: float | None, cy: float | None, fov: float | None
) -> CameraChoice:
    """The camera as chosen by the options; CameraError when they conflict."""
    from zedo_core.camera.choice import CameraChoice

    file, name = _split_camera(camera)
    return CameraChoice(file=file, name=name, fx=fx, fy=fy, cx=cx, cy=cy, fov_deg=fov)


def _split_camera(camera: str | None) -> tuple[Path | None, str | None]:
    """File and name of FILE[:NAME]; an existing file with a colon in its name is recognised."""
    if camera is None:
        return None, None
    file, colon, name = camera.rpartition(":")
    if not (file if colon else camera):
        raise typer.BadParameter(f"expected FILE[:NAME], got '{camera}'", param_hint="--camera")
    if not colon or Path(camera).exists() or (len(file) == 1 and name.startswith(("\\", "/"))):
        return Path(camera), None
    return Path(file), name


def parse_integer(text: str, option: str, example: str) -> int:
    """A whole number of an option that takes several."""
    if not (text.strip().isascii() and text.strip().isdecimal()) or len(text) > 9:
        raise typer.BadParameter(f"expected whole numbers such as {example}, got '{text}'", param_hint=option)
    return int(text)


def parse_shard(text: str) -> tuple[int, int]:
    """The part I and the number of parts N of I/N."""
    part, slash, parts = text.partition("/")
    if not slash:
        raise typer.BadParameter(f"expected I/N such as 1/4, got '{text}'", param_hint="--shard")
    return parse_integer(part, "--shard", "1/4"), parse_integer(parts, "--shard", "1/4")


# Panels in the help of `infer` and `live`
INPUT, CAMERA, PEOPLE, LIFTING, MOTION, OUTPUT = "Input", "Camera", "People", "Lifting", "Motion", "Output"

OutDir = Annotated[
    Path,
    typer.Option(
        "--out",
        "-o",
        help="Folder for the results; created if needed.",
        parser=parse_folder,
        metavar="DIR",
        rich_help_panel=OUTPUT,
    ),
]
Device = Annotated[
    str,
    typer.Option(
        "--device", help="Compute device: auto, cpu, cuda, cuda:N or mps.", metavar="NAME", rich_help_panel=LIFTING
    ),
]
Seed = Annotated[
    int,
    typer.Option(
        "--seed",
        help="Random seed; the same seed gives the same result.",
        min=0,
        max=2**63 - 1,
        rich_help_panel=LIFTING,
    ),
]
Method = Annotated[
    str,
    typer.Option("--method", help="Lifting method: zedo, erd or diff3dhpe.", metavar="NAME", rich_help_panel=LIFTING),
]
Weights = Annotated[
    str | None,
    typer.Option(
        "--weights",
        help="Weights of the method: a downloaded name, a folder or a file; by default the packaged ones.",
        metavar="NAME|PATH",
        rich_help_panel=LIFTING,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Write a report as JSON to stdout.", rich_help_panel=OUTPUT)]
Quiet = Annotated[
    bool,
    typer.Option(
        "--quiet",
        "-q",
        help="Show only warnings and errors, no notes or progress bars.",
        callback=set_quiet,
        rich_help_panel=OUTPUT,
    ),
]

# Options of commands that detect and lift
Detector = Annotated[
    str,
    typer.Option(
        "--detector",
        help="movenet, movenet-fast, a downloaded name, an .onnx or .pt file, or an OpenVINO folder.",
        metavar="NAME|PATH",
        rich_help_panel=PEOPLE,
    ),
]
Track = Annotated[
    bool,
    typer.Option(
        "--track/--no-track",
        help="Follow people from frame to frame; otherwise each frame stands for itself.",
        rich_help_panel=PEOPLE,
    ),
]
Camera = Annotated[
    str | None,
    typer.Option(
        "--camera",
        help="Calibration file; NAME selects one of its cameras.",
        metavar="FILE[:NAME]",
        rich_help_panel=CAMERA,
    ),
]
Fx = Annotated[float | None, typer.Option("--fx", help="Focal length in pixels.", rich_help_panel=CAMERA)]
Fy = Annotated[
    float | None,
    typer.Option("--fy", help="Vertical focal length in pixels; by default that of --fx.", rich_help_panel=CAMERA),
]
Cx = Annotated[
    float | None,
    typer.Option("--cx", help="Principal point, x in pixels; by default the centre.", rich_help_panel=CAMERA),
]
Cy = Annotated[
    float | None,
    typer.Option("--cy", help="Principal point, y in pixels; by default the centre.", rich_help_panel=CAMERA),
]
Fov = Annotated[
    float | None,
    typer.Option(
        "--fov", help="Horizontal field of view in degrees, for input without EXIF data.", rich_help_panel=CAMERA
    ),
]
Hypo = Annotated[
    int, typer.Option("--hypo", min=1, max=200, help="Hypotheses per person and frame.", rich_help_panel=LIFTING)
]
Preset = Annotated[
    str | None,
    typer.Option(
        "--preset",
        help="Settings by name: default, fast, reference (the paper's), h36m, 3dpw, ski, ...",
        rich_help_panel=LIFTING,
    ),
]
Iterations = Annotated[
    int | None,
    typer.Option(
        "--iterations", min=1, help="Network calls per hypothesis; by default the preset's.", rich_help_panel=LIFTING
    ),
]
Person = Annotated[
    str,
    typer.Option(
        "--person",
        help="People to lift: an id (see zedo people), largest, or all.",
        metavar="ID|WORD",
        rich_help_panel=PEOPLE,
    ),
]
MaxPeople = Annotated[
    int | None,
    typer.Option(
        "--max-people", min=1, help="Lift at most this many people, those largest in view.", rich_help_panel=PEOPLE
    ),
]

# Options of `infer` and `batch`
Start = Annotated[
    str | None,
    typer.Option(
        "--start",
        help="First frame: a time in seconds (90.5) or minutes (1:30), or a frame number (2700f).",
        metavar="TIME",
        rich_help_panel=INPUT,
    ),
]
End = Annotated[
    str | None,
    typer.Option("--end", help="End, in the same form; that frame is excluded.", metavar="TIME", rich_help_panel=INPUT),
]
Every = Annotated[
    int, typer.Option("--every", min=1, help="Use only every n-th frame.", metavar="N", rich_help_panel=INPUT)
]
Focal = Annotated[
    str,
    typer.Option(
        "--focal",
        help="If the focal length is unknown: guess, or estimate (from the people).",
        metavar="WORD",
        rich_help_panel=CAMERA,
    ),
]
Sides = Annotated[
    str,
    typer.Option(
        "--sides",
        help="Left and right that the detector exchanged for some frames: mend or keep.",
        metavar="WORD",
        rich_help_panel=MOTION,
    ),
]
Choose = Annotated[
    str,
    typer.Option(
        "--choose",
        help="Selection among hypotheses: best (per frame), track (over time) or mean (near the track).",
        metavar="NAME",
        rich_help_panel=MOTION,
    ),
]
Motion = Annotated[
    str,
    typer.Option(
        "--motion",
        "--smooth",
        help="Over time: full (one body of fixed bones and one trajectory), light or strong (smoothing), or off.",
        metavar="NAME",
        rich_help_panel=MOTION,
    ),
]
Ground = Annotated[
    str,
    typer.Option(
        "--ground",
        help="Hold standing feet still on level floors: auto (unless the camera moves), on or off.",
        metavar="WORD",
        rich_help_panel=MOTION,
    ),
]
Fill = Annotated[
    float,
    typer.Option(
        "--fill",
        min=0,
        help="Longest gap in a track to fill by interpolation.",
        metavar="SECONDS",
        rich_help_panel=MOTION,
    ),
]
