"""`zedo view`: a result as a web page with a 3D player."""

from __future__ import annotations

import webbrowser
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from zedo_cli._options import Json, Quiet, path_of
from zedo_cli._output import alert, print_json, say
from zedo_cli._results import Result, Up, file_of, load_poses
from zedo_core.errors import InputError


@dataclass(frozen=True, kw_only=True)
class _Report:
    """The page, its size, where upward came from, and how the video is shown (None without one)."""

    page: Path
    bytes: int
    up: str
    video: str | None


def view(
    result: Result,
    video: Annotated[
        Path | None,
        typer.Option(
            "--video",
            help="Show the video beside the 3D: put into the page up to 32 MB, else referred to by its path.",
            parser=path_of,
            metavar="FILE",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="The page; beside RESULT if not given.", metavar="FILE.html", parser=path_of),
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
    """Make one web page of a result: a 3D player that needs no network and works on a phone."""
    from zedo_core.export.html import film_of, write_page
    from zedo_core.motions.upright import upright

    file = file_of(result)
    page = _page_of(file, out)
    film = None if video is None else film_of(video, page)
    poses = load_poses(file, up)
    write_page(poses, page, ghosts=hypo, film=film, title=_title(file, video))
    shown = film and ("in the page" if film.embedded else f"at {film.path}")
    if film is not None and not film.embedded:
        alert("warning", f"{film.file}: larger than 32 MB, the page plays it from {film.path}: keep it there")
    report = _Report(page=page, bytes=page.stat().st_size, up=upright(poses).source, video=shown)
    say(f"up: {report.up}")
    say(f"{page} ({report.bytes / 1e6:.1f} MB)")
    if json:
        print_json(report)
    if open:
        webbrowser.open(page.resolve().as_uri())


def _page_of(file: Path, out: Path | None) -> Path:
    page = file.with_suffix(".html") if out is None else out
    if page.suffix.lower() not in (".html", ".htm"):
        raise InputError(f"{page}: expected a name ending in .html, found '{page.suffix}'; choose another --out")
    return page


def _title(file: Path, video: Path | None) -> str:
    """The video's name, else that of the result's folder."""
    return video.name if video is not None else file.resolve().parent.name or file.name
