"""`zedo view`: a result as a web page with a 3D player."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from zedo_cli._options import Json, Quiet, parse_path
from zedo_cli._output import alert, print_json, say
from zedo_cli._results import Result, Source, Up, find_poses, load_poses, open_page
from zedo_core.errors import InputError


@dataclass(frozen=True, kw_only=True)
class _Report:
    """The page, its size, the source of the upward direction, and how the video is included (None without one)."""

    page: Path
    bytes: int
    up: str
    video: str | None


def view(
    result: Result,
    source: Source = None,
    video: Annotated[
        Path | None,
        typer.Option(
            "--video",
            help="Show this video next to the 3D view; embedded up to 32 MB, otherwise referenced by its path. By "
            "default the video that was lifted, if it is still there.",
            parser=parse_path,
            metavar="FILE",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", help="Output page; by default next to RESULT.", metavar="FILE.html", parser=parse_path
        ),
    ] = None,
    hypo: Annotated[
        int,
        typer.Option(
            "--hypo", min=0, max=200, help="Other hypotheses shown as ghosts; each adds about 150 kB per 1000 poses."
        ),
    ] = 3,
    up: Up = None,
    open: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Create a web page with a 3D player of a result; it needs no network and works on phones."""
    file = find_poses(result, source)
    from zedo_core.export.html import kept_video, page_video, recorded_video, write_page
    from zedo_core.motions.upright import upright

    page = _page_path(result, file, out)
    included = None if video is None else page_video(video, page)
    poses = load_poses(file, up)
    if included is None:
        included = recorded_video(poses, page, file.parent)
        if included is None and (included := kept_video(poses, page)) is not None:
            say(f"keeps the video {included.file.name} of the page before")
        video = included and included.file
    write_page(poses, page, ghosts=hypo, video=included, title=_title(file, video))
    location = included and ("in the page" if included.embedded else f"at {included.path}")
    if included is not None and not included.embedded:
        alert("warning", f"{video}: larger than 32 MB, so the page plays it from {included.path}; keep it there")
    report = _Report(page=page, bytes=page.stat().st_size, up=upright(poses).source, video=location)
    say(f"up: {report.up}")
    say(f"{page} ({report.bytes / 1e6:.1f} MB)")
    if json:
        print_json(report)
    if open:
        open_page(page)


def _page_path(result: Path, file: Path, out: Path | None) -> Path:
    page = (result if result.is_dir() else file.parent) / f"{file.stem}.html" if out is None else out
    if page.suffix.lower() not in (".html", ".htm"):
        raise InputError(f"{page}: expected a name ending in .html, found '{page.suffix}'; choose another --out")
    return page


def _title(file: Path, video: Path | None) -> str:
    """The name of the video or the table, or else of the result's folder."""
    if video is not None or file.suffix == ".parquet":
        return file.stem if video is None else video.name
    return file.resolve().parent.name or file.name
