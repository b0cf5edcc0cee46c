"""`zedo render`: images and videos of a saved result."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zedo_cli._options import Json, Quiet, parse_path
from zedo_cli._output import alert, print_json, progress, say
from zedo_cli._results import Result, Up, find_poses, load_poses

if TYPE_CHECKING:
    from zedo_core.types import Keypoints, Poses


@dataclass(frozen=True, kw_only=True)
class _Report:
    """The file drawn, its kind, the number of frames, and the source of the upward direction."""

    file: Path
    kind: str
    frames: int
    up: str


def render(
    result: Result,
    source: Annotated[
        Path | None,
        typer.Option(
            "--source",
            help="Video, picture or folder that was lifted; without it the background is dark.",
            parser=parse_path,
            metavar="PATH",
        ),
    ] = None,
    kind: Annotated[
        str,
        typer.Option(
            "--kind",
            help="overlay (on the input), side (next to a rotating 3D view), sheet (frames in one image) or gif.",
            metavar="NAME",
        ),
    ] = "overlay",
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Output file; by default poses_KIND next to RESULT.", parser=parse_path),
    ] = None,
    moments: Annotated[
        int, typer.Option("--moments", min=1, max=200, help="Frames on a contact sheet.", metavar="N")
    ] = 12,
    up: Up = None,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Draw a saved result: overlay, side by side with a rotating 3D view, contact sheet or GIF."""
    from zedo_core.errors import InputError
    from zedo_core.motions.upright import upright
    from zedo_core.render.clips import KINDS
    from zedo_core.render.clips import render as run
    from zedo_core.source import open_source

    if kind not in KINDS:
        raise InputError(f"--kind: expected {', '.join(KINDS)}, found '{kind}'")
    file = find_poses(result)
    poses = load_poses(file, up)
    frames = len(poses.frame_numbers)
    suffix = KINDS[kind][-1] if frames == 1 or kind in ("sheet", "gif") else KINDS[kind][0]
    target = file.with_name(f"{file.stem}_{kind}{suffix}") if out is None else out
    frames_source = None if source is None else open_source(source)
    with progress() as bars:
        bar = bars.add_task(kind, total=frames, unit="frames")
        run(
            kind,
            poses,
            _read_keypoints(file, poses),
            target,
            source=frames_source,
            moments=moments,
            on_frame=lambda done: bars.update(bar, completed=done),
        )
    report = _Report(file=target, kind=kind, frames=frames, up=upright(poses).source)
    if kind != "overlay":
        say(f"up: {report.up}")
    say(str(target))
    if json:
        print_json(report)


def _read_keypoints(file: Path, poses: Poses) -> Keypoints:
    """The `keypoints.json` in the same folder; without it, no keypoints."""
    import numpy as np

    from zedo_core.keypoints import read_keypoints
    from zedo_core.types import Keypoints

    path = file.with_name("keypoints.json")
    if path.is_file():
        return read_keypoints(path)
    alert("info", f"{path}: no such file; the poses are drawn without 2D keypoints")
    size = poses.camera(0).size
    empty = np.zeros((0, len(poses.skeleton), 2))
    return Keypoints(
        frame=np.zeros(0, int),
        track=np.zeros(0, int),
        xy=empty,
        confidence=empty[..., 0],
        skeleton=poses.skeleton,
        frame_numbers=poses.frame_numbers,
        image_sizes=None if size is None else (size,),
        fps=poses.fps,
    )
