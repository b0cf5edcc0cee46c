"""Common parts of commands that read a saved result: its location, and the upward direction."""

from __future__ import annotations

import webbrowser
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zedo_cli._options import OUTPUT, parse_path
from zedo_cli._output import alert
from zedo_core.errors import InputError

if TYPE_CHECKING:
    from zedo_core.types import Poses

Result = Annotated[
    Path,
    typer.Argument(
        metavar="RESULT",
        help="Result folder of zedo infer or zedo batch, or a file of poses (npz, json, parquet) in it.",
        parser=parse_path,
    ),
]
Source = Annotated[
    str | None,
    typer.Option("--source", help="Clip of a folder of zedo batch, by its name.", metavar="NAME"),
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
Names = Annotated[
    str,
    typer.Option(
        "--names",
        help="Names of the bones in bvh and glb: mixamo, unreal, rigify, vrm, lafan (of robots' retargeters) or zedo.",
        metavar="NAME",
        rich_help_panel=OUTPUT,
    ),
]

Axes = Annotated[
    str | None,
    typer.Option(
        "--axes",
        help="Axes of CSV, TRC and C3D: camera, world-yup or world-zup; by default camera in CSV, world-yup in "
        "the others.",
        metavar="NAME",
        rich_help_panel=OUTPUT,
    ),
]


def find_poses(result: Path, source: str | None = None) -> Path:
    """The file of poses; in a folder `poses.npz`, or else `poses.json`, or the table of a clip of `zedo batch`.

    InputError when there is none.
    """
    if not result.exists():
        raise InputError(f"{result}: no such folder or file; expected a result folder of zedo infer, or its poses.npz")
    if not result.is_dir():
        return result
    for name in ("poses.npz", "poses.json"):
        if source is None and (result / name).is_file():
            return result / name
    if source is not None or (result / "clips").is_dir():
        from zedo_core.export import find_result

        return Path(find_result(str(result), source))
    raise InputError(f"{result}: expected poses.npz or poses.json in it, found neither; run zedo infer first")


def open_page(page: Path) -> None:
    """Open a page in the browser, or say where it is when there is none."""
    if not webbrowser.open(page.resolve().as_uri()):
        alert("info", f"{page}: no browser was found; open the page in one")


def with_moved_source(poses: Poses, old: Path, new: Path) -> Poses:
    """The poses of a result in the folder `old` for another folder, so that their input is found from there."""
    from zedo_core.source.record import moved

    record = poses.provenance.options.get("source")
    if not isinstance(record, dict) or old.resolve() == new.resolve():
        return poses
    options = {**poses.provenance.options, "source": moved(record, old, new)}
    return replace(poses, provenance=replace(poses.provenance, options=options))


def load_poses(file: Path, up: str | None) -> Poses:
    """Load poses, with another choice of the upward direction if given."""
    from zedo_core.export import load
    from zedo_core.motions.upright import with_up

    poses = load(file)
    return poses if up is None else with_up(poses, up)
