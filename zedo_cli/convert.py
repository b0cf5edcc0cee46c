"""`zedo convert`: results in the formats of other programs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from zedo_cli._options import Json, Quiet, path_of
from zedo_cli._output import console, print_json
from zedo_core.errors import InputError


@dataclass(frozen=True, kw_only=True)
class _Report:
    """The files that were written, and where the upward direction came from (None if all are in camera axes)."""

    files: tuple[Path, ...]
    up: str | None


def convert(
    result: Annotated[
        Path, typer.Argument(metavar="RESULT", help="poses.npz (or .json) of zedo infer.", parser=path_of)
    ],
    to: Annotated[str, typer.Option("--to", help="Formats: csv, trc, bvh, c3d, glb, json, npz.", metavar="NAME,...")],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", help="Folder for the files; beside RESULT if not given.", metavar="DIR", parser=path_of
        ),
    ] = None,
    up: Annotated[
        str | None,
        typer.Option(
            "--up",
            help="Upward for trc, bvh, c3d and glb: the camera's, or a direction in camera axes (x right, y down, "
            "z forward); from the calibration or the people if not given.",
            metavar="camera|X,Y,Z",
        ),
    ] = None,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Write a result in other formats: tables, motion capture (OpenSim, C3D) or animation (BVH, glTF)."""
    from zedo_core.export import is_upright, load, named, save, upright

    formats, direction = named(to), None if up is None else _direction(up)
    targets = [(out or result.parent) / f"{result.stem}.{name}" for name in formats]
    for target in targets:
        if target.exists() and result.exists() and target.samefile(result):
            raise InputError(f"{target}: is RESULT itself; choose another format or another --out")
    poses = load(result)
    source = upright(poses, direction).source if any(map(is_upright, formats)) else None
    files = tuple(file for target in targets for file in save(poses, target, up=direction))
    if source is not None:
        console.print(f"up: {source}", markup=False)
    for file in files:
        console.print(str(file), soft_wrap=True, markup=False)
    if json:
        print_json(_Report(files=files, up=source))


def _direction(text: str) -> tuple[float, float, float]:
    """`camera` or X,Y,Z as a direction in camera axes."""
    from zedo_core.export import CAMERA_UP

    if text.strip().lower() == "camera":
        return CAMERA_UP
    try:
        x, y, z = (float(part) for part in text.split(","))
    except ValueError:
        raise typer.BadParameter(
            f"expected 'camera' or X,Y,Z such as 0,-1,0, got '{text}'", param_hint="--up"
        ) from None
    return x, y, z
