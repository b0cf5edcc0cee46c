"""Common parts of commands that read a saved result: its location, and the upward direction."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zedo_cli._options import OUTPUT, parse_path
from zedo_core.errors import InputError

if TYPE_CHECKING:
    from zedo_core.types import Poses

Result = Annotated[
    Path,
    typer.Argument(
        metavar="RESULT", help="Result folder of zedo infer, or its poses.npz or poses.json.", parser=parse_path
    ),
]
Up = Annotated[
    str | None,
    typer.Option(
        "--up",
        help="Upward direction: auto (calibration, else people, else camera), calibration, people, camera, or a vector "
        "in camera axes (x right, y down, z forward); by default the one recorded in the result, or auto.",
        metavar="NAME|X,Y,Z",
        rich_help_panel=OUTPUT,
    ),
]


def find_poses(result: Path) -> Path:
    """The file of poses; in a folder `poses.npz`, or else `poses.json`."""
    if not result.is_dir():
        return result
    for name in ("poses.npz", "poses.json"):
        if (result / name).is_file():
            return result / name
    raise InputError(f"{result}: expected poses.npz or poses.json in it, found neither; run zedo infer first")


def load_poses(file: Path, up: str | None) -> Poses:
    """Load poses, with another choice of the upward direction if given."""
    from zedo_core.export import load
    from zedo_core.motions.upright import with_up

    poses = load(file)
    return poses if up is None else with_up(poses, up)
