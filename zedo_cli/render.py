"""`zedo render`: pictures and videos of a saved result."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zedo_cli._options import Json, Quiet, path_of
from zedo_cli._output import alert, print_json, progress, say
from zedo_cli._results import Result, Up, file_of, load_poses

if TYPE_CHECKING:
    from zedo_core.types import Keypoints, Poses


@dataclass(frozen=True, kw_only=True)
class _Report:
    """What was drawn, of how many frames, and where upward came from."""

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
            help="Video, picture or folder that was lifted; a dark picture if not given.",
            parser=path_of,
            metavar="PATH",
        ),
    ] = None,
    kind: Annotated[
        str,
        typer.Option(
            "--kind",
            help="overlay (on the input), side (beside it the 3D, turning), sheet (moments in one picture) or gif.",
            metavar="NAME",
        ),
    ] = "overlay",
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="The file; poses_KIND beside RESULT if not given.", parser=path_of),
    ] = None,
    moments: Annotated[int, typer.Option("--moments", min=1, max=200, help="Of a contact sheet.", metavar="N")] = 12,
    up: Up = None,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Draw a saved result again: overlay, side by side with a turning 3D view, contact sheet or GIF."""
    from zedo_core.errors import InputError
    from zedo_core.motions.upright import upright
    from zedo_core.render.clips import KINDS
    from zedo_core.render.clips import render as run
    from zedo_core.source import open_source

    if kind not in KINDS:
        raise InputError(f"--kind: expected {', '.join(KINDS)}, found '{kind}'")
    file = file_of(result)
    poses = load_poses(file, up)
    frames = len(poses.frame_numbers)
    suffix = KINDS[kind][-1] if frames == 1 or kind in ("sheet", "gif") else KINDS[kind][0]
    target = file.with_name(f"{file.stem}_{kind}{suffix}") if out is None else out
    pictures = None if source is None else open_source(source)
    with progress() as bars:
        bar = bars.add_task(kind, total=frames, unit="frames")
        run(
            kind,
            poses,
            _keypoints_beside(file, poses),
            target,
            source=pictures,
            moments=moments,
            on_frame=lambda done: bars.update(bar, completed=done),
        )
    report = _Report(file=target, kind=kind, frames=frames, up=upright(poses).source)
    if kind != "overlay":
        say(f"up: {report.up}")
    say(str(target))
    if json:
        print_json(report)


def _keypoints_beside(file: Path, poses: Poses) -> Keypoints:
    """`keypoints.json` beside the result; without it nothing but the poses is drawn."""
    import numpy as np

    from zedo_core.keypoints import read_keypoints
    from zedo_core.types import Keypoints

    beside = file.with_name("keypoints.json")
    if beside.is_file():
        return read_keypoints(beside)
    alert("info", f"{beside}: not there; the poses are drawn without the 2D keypoints")
    t, p, j = poses.spread.shape
    size = poses.camera(0).size
    return Keypoints(
        xy=np.zeros((t, p, j, 2)),
        confidence=np.zeros((t, p, j)),
        skeleton=poses.skeleton,
        frame_numbers=poses.frame_numbers,
        track_ids=poses.track_ids,
        image_sizes=None if size is None else (size,),
        fps=poses.fps,
    )
