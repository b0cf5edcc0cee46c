"""`zedo people`: who is in a result or an input, to choose among them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zedo_cli._options import Detector, Device, End, Every, Json, Quiet, Start, parse_cut, parse_folder, parse_path
from zedo_cli._output import alert, print_json, print_table, progress, say
from zedo_cli._stages import shown_stages
from zedo_core.errors import InputError
from zedo_core.pipeline.request import InferRequest

if TYPE_CHECKING:
    from zedo_core.source import Source
    from zedo_core.types import Keypoints


@dataclass(frozen=True, kw_only=True)
class _Report:
    """The sheet and the people; see `zedo_core.render.people_sheet.Person`."""

    sheet: Path
    people: tuple[Any, ...]


@dataclass(frozen=True, kw_only=True)
class _Table:
    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def people(
    input: Annotated[
        Path,
        typer.Argument(
            metavar="RESULT|INPUT",
            help="Result folder of zedo infer, or a video or folder of frames that is not lifted yet: its detections "
            "are kept in --out for zedo infer.",
            parser=parse_path,
        ),
    ],
    source: Annotated[
        Path | None,
        typer.Option(
            "--source",
            help="Video or folder that was lifted, if it is no longer where it was.",
            parser=parse_path,
            metavar="PATH",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            help="Folder for people.png; by default RESULT, or zedo_out.",
            parser=parse_folder,
            metavar="DIR",
        ),
    ] = None,
    start: Start = None,
    end: End = None,
    every: Every = 1,
    detector: Detector = InferRequest.detector,
    device: Device = InferRequest.device,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Show who is in a result or a video, with ids for --person of infer and --merge of convert.

    Writes people.png with a thumbnail of each person. Ids of an input hold for the same --start, --end and --every.
    """
    from zedo_core.render.people_sheet import MOST, people_of, save_people

    if _is_result(input):
        keypoints, pictures = _of_result(input, source)
        folder = out or (input if input.is_dir() else input.parent)
        step = f"zedo convert {input} --merge ID,ID or --split ID@FRAME sets ids right"
    else:
        folder = out or Path("zedo_out")
        request = InferRequest(
            input=input, out=folder, cut=parse_cut(start, end, every), detector=detector, device=device
        )
        keypoints, pictures = _of_input(request)
        step = f"zedo infer {input} --person ID --out {folder}"
    found = people_of(keypoints)
    if not found:
        raise InputError(f"{input}: nobody was found in any of {len(keypoints.frame_numbers)} frames")
    sheet = folder / "people.png"
    with progress() as bars:
        bar = bars.add_task("people", total=len(keypoints.frame_numbers), unit="frames")
        save_people(found, keypoints, sheet, source=pictures, on_frame=lambda done: bars.update(bar, completed=done))
    cells = tuple(
        (str(one.id), f"{one.first} to {one.last}", f"{100 * one.share:.0f} %", f"{one.height_px:.0f} px")
        for one in found
    )
    print_table(_Table(title="", header=("person", "frames", "share", "height"), rows=cells))
    if len(found) > MOST:
        alert("info", f"{sheet}: shows the {MOST} people of {len(found)} who are in the most frames")
    if pictures is not None and pictures.kind == "folder" and not pictures.sequence:
        alert("info", "the pictures are no sequence: people are numbered in each anew, and ids join different people")
    say(str(sheet), wrap=False)
    say(f"next: {step}", wrap=False)
    if json:
        print_json(_Report(sheet=sheet, people=found))


def _is_result(path: Path) -> bool:
    """Whether it is a result; InputError for a result folder without keypoints."""
    from zedo_core.detection.store import NAME

    if not path.is_dir():
        return path.name in ("keypoints.json", "poses.npz", "poses.json")
    if (path / "keypoints.json").is_file():
        return True
    if any((path / name).exists() for name in ("poses.npz", "poses.json")):
        raise InputError(f"{path}: expected keypoints.json beside the poses, found none; run zedo infer again")
    if any((path / name).exists() for name in (NAME, f"{NAME}.part")):
        raise InputError(f"{path}: holds detections only; give their input: zedo people INPUT --out {path}")
    return False


def _of_result(result: Path, given: Path | None) -> tuple[Keypoints, Source | None]:
    """The keypoints of a result, and its pictures if they are still there."""
    from zedo_core.export import load
    from zedo_core.keypoints import read_keypoints
    from zedo_core.source import open_source
    from zedo_core.source.record import find_recorded

    folder = result if result.is_dir() else result.parent
    keypoints = read_keypoints(folder / "keypoints.json")
    poses = next((folder / name for name in ("poses.npz", "poses.json") if (folder / name).is_file()), None)
    record = {} if poses is None else load(poses).provenance.options.get("source") or {}
    try:
        path = given or (find_recorded(record, folder) if record else None)
    except InputError as error:
        alert("info", f"{error}; the thumbnails are dark (see --source)")
        path = None
    if path is None:
        return keypoints, None
    return keypoints, open_source(path, sequence=record.get("sequence") if path.is_dir() else None)


def _of_input(request: InferRequest) -> tuple[Keypoints, Source | None]:
    """The people of an input that is not lifted; InputError for one without pictures and without keypoints."""
    from zedo_core.pipeline.models import Models
    from zedo_core.pipeline.observe import observe, open_input
    from zedo_core.storage.lock import locked

    pictures = open_input(request)
    request.out.mkdir(parents=True, exist_ok=True)
    with locked(request.out), shown_stages() as on_progress:
        return observe(request, pictures, Models(request), on_progress, request.out).keypoints, pictures
