"""Options that several commands share, defined once; a default stands where the option is used."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zedo_cli._output import set_quiet

if TYPE_CHECKING:
    from zedo_core.camera.choice import CameraChoice


def path_of(text: str) -> Path:
    """Parser of paths: an empty one would silently be the current folder."""
    if not str(text):
        raise typer.BadParameter("expected a path, got an empty text")
    return Path(text)


def folder_of(text: str) -> Path:
    """Parser of folders, which may not be there yet."""
    path = path_of(text)
    if path.is_file():
        raise typer.BadParameter(f"expected a folder, '{path}' is a file")
    return path


def camera_of(
    camera: str | None, fx: float | None, fy: float | None, cx: float | None, cy: float | None, fov: float | None
) -> CameraChoice:
    """What the options say of the camera; CameraError when they say it twice."""
    from zedo_core.camera.choice import CameraChoice

    file, name = _file_and_name(camera)
    return CameraChoice(file=file, name=name, fx=fx, fy=fy, cx=cx, cy=cy, fov_deg=fov)


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


OutDir = Annotated[
    Path,
    typer.Option("--out", "-o", help="Folder for the results; made if needed.", parser=folder_of, metavar="DIR"),
]
Device = Annotated[
    str, typer.Option("--device", help="Where to compute: auto, cpu, cuda, cuda:N or mps.", metavar="NAME")
]
Seed = Annotated[int, typer.Option("--seed", help="Same seed, same result.", min=0, max=2**63 - 1)]
Weights = Annotated[
    str, typer.Option("--weights", help="Name of downloaded weights, a weights folder, or a file.", metavar="NAME|PATH")
]
Json = Annotated[bool, typer.Option("--json", help="Write a report as JSON to stdout.")]
Quiet = Annotated[
    bool,
    typer.Option("--quiet", "-q", help="No notes and no progress bars; warnings and errors stay.", callback=set_quiet),
]

# Of the commands that detect and lift
Detector = Annotated[
    str,
    typer.Option(
        "--detector",
        help="Ultralytics pose model: downloaded name, .pt, .onnx, or folder of OpenVINO.",
        metavar="NAME|PATH",
    ),
]
Tracker = Annotated[
    str, typer.Option("--tracker", help="Of people: bytetrack, botsort (moving cameras) or off.", metavar="NAME")
]
Camera = Annotated[
    str | None,
    typer.Option("--camera", help="Calibration file; NAME picks one of its cameras.", metavar="FILE[:NAME]"),
]
Fx = Annotated[float | None, typer.Option("--fx", help="Focal length in pixels.")]
Fy = Annotated[float | None, typer.Option("--fy", help="Vertical focal length; fx if not given.")]
Cx = Annotated[float | None, typer.Option("--cx", help="Principal point; the centre if not given.")]
Cy = Annotated[float | None, typer.Option("--cy", help="Principal point; the centre if not given.")]
Fov = Annotated[
    float | None, typer.Option("--fov", help="Horizontal field of view in degrees, for pictures without EXIF.")
]
Preset = Annotated[
    str, typer.Option("--preset", help="Settings: default, fast, reference (the paper's), h36m, 3dpw, ski, ...")
]
Iterations = Annotated[int | None, typer.Option("--iterations", min=1, help="Network calls, at the same sum of steps.")]
Person = Annotated[str, typer.Option("--person", help="Only this one: an id, largest, or all.", metavar="ID|WORD")]
MaxPeople = Annotated[
    int | None, typer.Option("--max-people", min=1, help="Only so many, those who are largest in the pictures.")
]
