"""`zedo convert`: results in the formats of other programs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zedo_cli._options import Json, Quiet, parse_path
from zedo_cli._output import alert, print_json, say
from zedo_cli._results import Axes, Names, Result, Source, Up, find_poses, load_poses, with_moved_source
from zedo_core.errors import InputError
from zedo_core.pipeline.request import InferRequest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zedo_core.types import Keypoints, Poses


@dataclass(frozen=True, kw_only=True)
class _Report:
    """The files written, and the source of the upward direction (None if all are in camera axes)."""

    files: tuple[Path, ...]
    up: str | None


def convert(
    result: Result,
    to: Annotated[
        str,
        typer.Option(
            "--to",
            help="Formats: csv, csv-wide, trc, c3d, mot, angles, bvh, glb, html, rrd, json, npz, parquet.",
            metavar="NAME,...",
        ),
    ] = "npz,json",
    merge: Annotated[
        list[str] | None,
        typer.Option(
            "--merge",
            help="Ids that are one person, who gets the first; see zedo people. Where both are in a frame, the more "
            "confident stays. A full motion is fitted again.",
            metavar="ID,ID",
        ),
    ] = None,
    split: Annotated[
        list[str] | None,
        typer.Option(
            "--split",
            help="An id that is another person from a frame on, who gets a new id; before --merge.",
            metavar="ID@FRAME",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", help="Folder for the files; by default that of RESULT.", metavar="DIR", parser=parse_path
        ),
    ] = None,
    source: Source = None,
    up: Up = None,
    names: Names = InferRequest.names,
    axes: Axes = None,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Convert a result to other formats: tables, joint angles, motion capture, animation or a web page."""
    file = find_poses(result, source)
    from zedo_core.export import check_names, is_upright, parse_axes, parse_formats, save
    from zedo_core.motions.upright import upright

    check_names(names)
    formats = parse_formats(to)
    if axes is not None:
        parse_axes(axes)
    folder = out or (result if result.is_dir() else file.parent)
    targets = [folder / f"{file.stem}.{name}" for name in formats]
    for target in targets:
        if target.exists() and file.exists() and target.samefile(file):
            raise InputError(f"{target}: is RESULT itself; choose another format or another --out")
    poses = load_poses(file, up)
    source = upright(poses).source if any(map(is_upright, formats)) else None
    keypoints = None
    if merge or split:
        poses, keypoints = _corrected(poses, file, merge or (), split or ())
    poses = with_moved_source(poses, file.parent, folder)
    files = tuple(file for target in targets for file in save(poses, target, axes=axes, names=names))
    if keypoints is not None and {"npz", "json"} & set(formats):
        files += (_write_keypoints(keypoints, folder / "keypoints.json"),)
    if source is not None:
        say(f"up: {source}")
    for file in files:
        say(str(file))
    if json:
        print_json(_Report(files=files, up=source))


def _corrected(poses: Poses, file: Path, merge: Sequence[str], split: Sequence[str]) -> tuple[Poses, Keypoints | None]:
    """The result with ids set right, and its keypoints if they lie beside it; says what was done."""
    from zedo_core.keypoints import read_keypoints
    from zedo_core.motions.identities import Merge, Split, correct_ids

    splits, merges = [Split.parse(text) for text in split], [Merge.parse(text) for text in merge]
    path = file.with_name("keypoints.json")
    done = correct_ids(poses, read_keypoints(path) if path.is_file() else None, splits, merges)
    for one, new in done.new_ids:
        say(f"person {one.track} is person {new} from frame {one.frame} on")
    for one in merges:
        say(f"person {one.tracks[0]} now includes {', '.join(map(str, one.tracks[1:]))}")
    if done.dropped:
        say(f"{done.dropped} poses left out, of which there was a better one in the frame, or which filled gaps")
    if done.refitted:
        say(f"motion fitted again: {', '.join(map(str, done.refitted))}")
    else:
        alert("info", "the motion is not fitted again, since that of the result is not 'full'")
    return done.poses, done.keypoints


def _write_keypoints(keypoints: Keypoints, path: Path) -> Path:
    from zedo_core.keypoints import write_keypoints

    write_keypoints(keypoints, path)
    return path
