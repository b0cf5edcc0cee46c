"""The straight line from an input file to 3D results: observe, choose the camera, lift, refine, write, draw."""

from __future__ import annotations

import logging
import os
import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from zedo_core.camera import Camera
from zedo_core.errors import OutputError
from zedo_core.export import check as check_formats
from zedo_core.export import formats, parse_axes, save, with_axes
from zedo_core.export.html import forget_other_video
from zedo_core.keypoints import write_keypoints
from zedo_core.metrics import reprojection_px
from zedo_core.motions.upright import upright
from zedo_core.pipeline import finished
from zedo_core.pipeline.models import Models, check_request
from zedo_core.pipeline.observe import Observed, OnProgress, cameras_of, check_source, observe, open_input
from zedo_core.pipeline.request import InferReport, InferRequest, PosesRequest
from zedo_core.pipeline.stages import hypotheses_of, motion_of, with_focal
from zedo_core.render.overlay import render_overlay, render_pictures
from zedo_core.source import Source
from zedo_core.source.record import record_of
from zedo_core.storage.lock import locked
from zedo_core.types import Keypoints, Poses, same_rows

_log = logging.getLogger(__name__)

_WITHOUT_PEOPLE = ("npz", "json", "csv", "csv-wide", "parquet")  # formats that can say that nobody was there
_OVERLAYS = "overlay"  # folder of the overlays of unrelated pictures
_LOADED = (".npz", ".json")  # of which one is read as the result of a folder


def infer(
    request: InferRequest,
    on_progress: OnProgress = lambda stage, done, total: None,
    *,
    models: Models | None = None,
) -> InferReport:
    """Lift one input and write the poses in every format, `keypoints.json` and an overlay into `request.out`.

    What cannot work is found out before the long stages begin; every file appears only when complete, but for
    detections, which a run that is broken off leaves for the next one (see zedo_core.detection.store). `models` are
    those of a request before that asked for the same ones. OutputError when another run writes into the folder.
    """
    return infer_poses(request, on_progress, models=models)[1]


def infer_poses(
    request: InferRequest, on_progress: OnProgress, *, models: Models | None = None, source: Source | None = None
) -> tuple[Poses, InferReport]:
    """The same with the poses; `source` is what the input was opened as."""
    check_request(request)
    check_formats(request.formats)
    if request.axes is not None:
        parse_axes(request.axes)
    models = models or Models(request)
    clock, read = Clock(), None
    source = source or open_input(request)
    check_source(request, source)
    if source is None or request.keypoints is not None:  # what is wrong with keypoints is told before torch is loaded
        with clock("read"):
            read = observe(request, source, models, on_progress)
    with clock("load"):
        _ = models.lifter
        _prepare(request.out)
    with locked(request.out):
        poses, observed = lifted(request, source, models, on_progress, clock, request.out, read)
        poses = poses if request.axes is None else with_axes(poses, request.axes)
        (request.out / finished.NAME).unlink(missing_ok=True)
        with clock("write"):
            poses = _recorded(poses, source, request.out)
            files = write_results(request, poses, observed, source)
        with clock("render"):
            files += draw_results(request, poses, observed.keypoints, source, on_progress)
        _clear_earlier(request.out, files)
        finished.write_record(request, files)
    return poses, _report(request, poses, observed, clock, files)


def lifted(
    request: PosesRequest,
    source: Source | None,
    models: Models,
    on_progress: OnProgress,
    clock: Clock,
    folder: Path | None = None,
    observed: Observed | None = None,
) -> tuple[Poses, Observed]:
    """The poses of an input and the keypoints they came from, unless those are given; `folder` keeps detections."""
    if observed is None:
        with clock("detect" if source is not None and request.keypoints is None else "read"):
            observed = observe(request, source, models, on_progress, folder)
    cameras = cameras_of(request, observed.keypoints, source)
    if request.focal == "estimate":
        with clock("focal"):
            cameras = with_focal(request, observed.keypoints, cameras, models.lifter, on_progress)
    with clock("lift"):
        poses = hypotheses_of(request, observed.keypoints, cameras, models.lifter, on_progress)
    with clock("motion"):
        return motion_of(request, poses, observed), observed


def demo_assets() -> tuple[Path, Path]:
    """Video and camera of the example in the package."""
    folder = Path(__file__).parents[1] / "assets" / "demo"
    return folder / "balance.mp4", folder / "camera.json"


def mean_reprojection_px(poses: Poses, keypoints: Keypoints) -> float:
    """Mean distance in pixels between the chosen poses and the keypoints; NaN when nobody was lifted."""
    lifted, seen = same_rows(poses, keypoints)
    there = keypoints.take(seen).to_skeleton(poses.skeleton)
    errors = reprojection_px(poses.take(lifted).projected(), there.xy, there.confidence)
    return float(np.nanmean(errors)) if np.isfinite(errors).any() else float("nan")


class Clock:
    """Seconds per stage, in order."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds[stage] = round(time.perf_counter() - start, 3)


def _prepare(out: Path) -> None:
    """Make the folder and see that it can be written to, before anything takes long."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        handle, probe = tempfile.mkstemp(dir=out, prefix=".probe-")
        os.close(handle)
        os.unlink(probe)
    except OSError as error:
        raise OutputError(f"{out}: cannot write there ({error.strerror}); choose another folder") from None


def _recorded(poses: Poses, source: Source | None, out: Path) -> Poses:
    """The poses with a record of their input, by which its video is found again."""
    record = None if source is None else record_of(source, out)
    if record is None:
        return poses
    options = {**poses.provenance.options, "source": record}
    return replace(poses, provenance=replace(poses.provenance, options=options))


def write_results(request: InferRequest, poses: Poses, observed: Observed, source: Source | None) -> tuple[Path, ...]:
    """Write the poses in every format and the keypoints, and name the files."""
    wanted = request.formats
    if not len(poses):
        wanted = tuple(name for name in wanted if name in _WITHOUT_PEOPLE)
    if source is not None:
        forget_other_video(request.out / "poses.html", source.path.name)
    files = [file for name in wanted for file in save(poses, request.out / f"poses.{name}", names=request.names)]
    write_keypoints(observed.keypoints, request.out / "keypoints.json")
    return *files, request.out / "keypoints.json"


def _clear_earlier(out: Path, files: tuple[Path, ...]) -> None:
    """Remove poses of an earlier run that would be read as those of this one, and name its other results."""
    kinds = "|".join(suffix[1:] for suffix in formats())
    others = r"poses_wide\.csv|angles\.(csv|html)|overlay\.(png|mp4)|figure\.png"
    result = re.compile(rf"poses(_person\d+)?\.({kinds})|{others}")
    places = (*out.iterdir(), *(out / _OVERLAYS).glob("*.png"))
    old = sorted(path for path in places if (path.parent != out or result.fullmatch(path.name)) and path not in files)
    for path in old:
        if path.suffix in _LOADED:
            path.unlink(missing_ok=True)
            _log.warning("%s: removed, left from an earlier run", path)
    if names := [path.relative_to(out).as_posix() for path in old if path.suffix not in _LOADED]:
        _log.warning(
            "%s: %s left from an earlier run, not of this result; remove them, or write them anew with zedo convert",
            *(out, f"{_listed(names)} {'is' if len(names) == 1 else 'are'}"),
        )


def _listed(names: list[str]) -> str:
    return ", ".join(names[:9]) + (f" and {len(names) - 9} more" if len(names) > 9 else "")


def draw_results(
    request: InferRequest, poses: Poses, keypoints: Keypoints, source: Source | None, on_progress: OnProgress
) -> tuple[Path, ...]:
    """Draw the overlay and, if wanted, the figure, and name the files."""
    total, out = len(poses.frame_numbers), request.out
    options: Any = {"on_frame": lambda done: on_progress("render", done, total)}
    if source is not None and source.kind == "folder" and not source.sequence:
        files = render_pictures(poses, keypoints, out / _OVERLAYS, source=source, **options)
    else:
        files = (out / ("overlay.png" if total == 1 else "overlay.mp4"),)
        render_overlay(poses, keypoints, files[0], source=source, **options)
    if not request.figure:
        return files
    from zedo_core.render.figure import save_figure  # matplotlib, which other runs do without

    save_figure(poses, keypoints, out / "figure.png")
    return *files, out / "figure.png"


def _report(
    request: InferRequest, poses: Poses, observed: Observed, clock: Clock, files: tuple[Path, ...]
) -> InferReport:
    detected = observed.detected
    return InferReport(
        method=request.method,
        frames=len(poses.frame_numbers),
        frames_with_people=len(np.unique(poses.frame)),
        people=len(poses.track_ids),
        sequence=observed.follows,
        hypotheses=request.hypotheses,
        poses=len(poses),
        doubtful=int(poses.doubtful.sum()),
        filled=int(poses.filled.sum()),
        mended=observed.mended,
        cuts=len(observed.scene.cuts),
        camera_moves=observed.scene.moves,
        camera=_sources(poses.cameras),
        focal_px=float(np.mean([camera.fx for camera in poses.cameras])),
        up=upright(poses).source,
        reprojection_px=mean_reprojection_px(poses, observed.keypoints),
        reused=None if detected is None else detected.reused,
        damaged={} if detected is None else detected.damaged,
        seconds=clock.seconds,
        files=files if detected is None or detected.file is None else (*files, detected.file),
    )


def _sources(cameras: tuple[Camera, ...]) -> str:
    """Where the cameras came from, each way once."""
    ways = list(dict.fromkeys(camera.source for camera in cameras))
    return "; ".join(ways[:3]) + (f"; and {len(ways) - 3} more" if len(ways) > 3 else "")
