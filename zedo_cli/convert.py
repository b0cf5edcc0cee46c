"""`zedo convert`: results in the formats of other programs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from zedo_cli._options import Json, Quiet, parse_path
from zedo_cli._output import print_json, say
from zedo_cli._results import Result, Up, find_poses, load_poses
from zedo_core.errors import InputError


@dataclass(frozen=True, kw_only=True)
class _Report:
    """The files written, and the source of the upward direction (None if all are in camera axes)."""

    files: tuple[Path, ...]
    up: str | None


def convert(
    result: Result,
    to: Annotated[
        str,
        typer.Option("--to", help="Formats: csv, trc, bvh, c3d, glb, html, rrd, json, npz.", metavar="NAME,..."),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", help="Folder for the files; by default that of RESULT.", metavar="DIR", parser=parse_path
        ),
    ] = None,
    up: Up = None,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Convert a result to other formats: tables, motion capture (OpenSim, C3D), animation (BVH, glTF) or a web page."""
    from zedo_core.export import is_upright, parse_formats, save
    from zedo_core.motions.upright import upright

    file, formats = find_poses(result), parse_formats(to)
    targets = [(out or file.parent) / f"{file.stem}.{name}" for name in formats]
    for target in targets:
        if target.exists() and file.exists() and target.samefile(file):
            raise InputError(f"{target}: is RESULT itself; choose another format or another --out")
    poses = load_poses(file, up)
    source = upright(poses).source if any(map(is_upright, formats)) else None
    files = tuple(file for target in targets for file in save(poses, target))
    if source is not None:
        say(f"up: {source}")
    for file in files:
        say(str(file))
    if json:
        print_json(_Report(files=files, up=source))
