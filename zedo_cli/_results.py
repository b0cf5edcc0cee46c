"""What the commands that begin with a saved result share: where it is, and which way is up."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zedo_cli._options import path_of
from zedo_core.errors import InputError

if TYPE_CHECKING:
    from zedo_core.types import Poses

Result = Annotated[
    Path,
    typer.Argument(metavar="RESULT", help="Folder of zedo infer, or poses.npz or .json in it.", parser=path_of),
]
Up = Annotated[
    str | None,
    typer.Option(
        "--up",
        help="Upward: auto (calibration, else people, else camera), calibration, people, camera, or a direction in "
        "camera axes (x right, y down, z forward); as the result was made if not given.",
        metavar="NAME|X,Y,Z",
    ),
]


def file_of(result: Path) -> Path:
    """The poses themselves; those of a folder are `poses.npz`, else `poses.json`."""
    if not result.is_dir():
        return result
    found = next((file for name in ("poses.npz", "poses.json") if (file := result / name).is_file()), None)
    if found is None:
        raise InputError(f"{result}: expected poses.npz or poses.json in it, found neither; run zedo infer first")
    return found


def load_poses(file: Path, up: str | None) -> Poses:
    """The poses of a file, packed, with the choice of up that was given now."""
    from zedo_core.export import load_packed, with_up

    poses = load_packed(file)
    return poses if up is None else with_up(poses, up)
