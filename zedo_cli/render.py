"""`zedo render`: images and videos of a saved result."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zedo_cli._options import Device, Json, Quiet, parse_path
from zedo_cli._output import alert, print_json, progress, say
from zedo_cli._results import Result, Up, find_poses, load_poses

if TYPE_CHECKING:
    from zedo_core.types import Keypoints, Poses


_STEPS, _STEPS_PANEL = "steps", "Steps"


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
            help="overlay (on the input), side (next to a rotating 3D view), sheet (frames in one image), gif, or "
            "steps (how the method came to the poses; png, mp4 or gif by the name in --out).",
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
    frames: Annotated[
        str | None,
        typer.Option(
            "--frames",
            help="Frames for steps; by default three, or all in an animation.",
            metavar="N,N-N",
            rich_help_panel=_STEPS_PANEL,
        ),
    ] = None,
    person: Annotated[
        int | None,
        typer.Option(
            "--person",
            help="Id of the person for steps; by default the longest seen.",
            metavar="ID",
            rich_help_panel=_STEPS_PANEL,
        ),
    ] = None,
    truth: Annotated[
        Path | None,
        typer.Option(
            "--truth",
            help="True poses beside steps: a result, or npy or npz (frame, joint, 3) in metres in camera axes.",
            parser=parse_path,
            metavar="PATH",
            rich_help_panel=_STEPS_PANEL,
        ),
    ] = None,
    iterations: Annotated[
        int | None,
        typer.Option(
            "--iterations",
            min=1,
            help="Network calls for steps, instead of those of the result.",
            metavar="N",
            rich_help_panel=_STEPS_PANEL,
        ),
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(
            "--weights",
            help="Weights that made the result, if not the method's own.",
            metavar="NAME|PATH",
            rich_help_panel=_STEPS_PANEL,
        ),
    ] = None,
    device: Device = "auto",
    up: Up = None,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Draw a saved result: overlay, side by side with a rotating 3D view, contact sheet, GIF, or the method's steps."""
    file = find_poses(result)
    from zedo_core.errors import InputError
    from zedo_core.motions.upright import upright
    from zedo_core.pipeline.steps import StepsRequest, draw_steps
    from zedo_core.render.clips import KINDS
    from zedo_core.render.clips import render as run
    from zedo_core.source import open_source

    if kind not in (*KINDS, _STEPS):
        raise InputError(f"--kind: expected {', '.join((*KINDS, _STEPS))}, found '{kind}'")
    only = {"frames": frames, "person": person, "truth": truth, "iterations": iterations, "weights": weights}
    if kind != _STEPS and (given := [name for name, value in only.items() if value is not None]):
        raise InputError(f"--{given[0]}: expected --kind steps, found --kind {kind}")
    poses = load_poses(file, up)
    keypoints = _read_keypoints(file, poses)
    opened = None if source is None else open_source(source, sequence=_was_sequence(poses, source))
    count = len(poses.frame_numbers)
    suffix = KINDS.get(kind, (".png",))[-1 if count == 1 or kind in ("sheet", "gif") else 0]
    target = file.with_name(f"{file.stem}_{kind}{suffix}") if out is None else out
    with progress() as bars:
        bar = bars.add_task(kind, total=None, unit="frames")

        def show(done: int, total: int = count) -> None:
            bars.update(bar, completed=done, total=total)

        if kind == _STEPS:
            true = None if truth is None else find_poses(truth)
            request = StepsRequest(
                person=person, frames=frames, truth=true, weights=weights, iterations=iterations, device=device
            )
            count = draw_steps(poses, keypoints, target, request, source=opened, on_progress=show)
        else:
            run(kind, poses, keypoints, target, source=opened, moments=moments, on_frame=show)
    report = _Report(file=target, kind=kind, frames=count, up=upright(poses).source)
    if kind != "overlay":
        say(f"up: {report.up}")
    say(str(target))
    if json:
        print_json(report)


def _was_sequence(poses: Poses, source: Path) -> bool | None:
    """Whether a folder was lifted as one sequence; None where that is not known."""
    record = poses.provenance.options.get("source")
    return record.get("sequence") if isinstance(record, dict) and source.is_dir() else None


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
