"""The straight line from an input file to 3D results: observe, choose the camera, lift, refine, write, draw."""

from __future__ import annotations

import logging
import os
import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from zedo_core.camera import Camera
from zedo_core.errors import InputError, OutputError
from zedo_core.export import check as check_formats
from zedo_core.export import formats, save
from zedo_core.export.html import forget_other_video
from zedo_core.keypoints import write_keypoints
from zedo_core.lifting import lift
from zedo_core.methods import Lifter, get_method
from zedo_core.metrics import reprojection_px
from zedo_core.motions.motion import motion
from zedo_core.motions.upright import upright
from zedo_core.pipeline.models import Models, check_request
from zedo_core.pipeline.observe import Observed, OnProgress, cameras_of, observe, open_input
from zedo_core.pipeline.request import InferReport, InferRequest, PosesRequest
from zedo_core.render.figure import save_figure
from zedo_core.render.overlay import render_overlay
from zedo_core.source import Source
from zedo_core.storage.lock import locked
from zedo_core.types import Keypoints, Poses, same_rows

_log = logging.getLogger(__name__)

_WITHOUT_PEOPLE = ("npz", "json", "csv")  # formats that can say that nobody was there
_LOADED = (".npz", ".json")  # of which one is read as the result of a folder
_MUCH_GB = 2.0


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
    models = models or Models(request)
    clock = Clock()
    with clock("load"):
        _ = models.lifter
        source = source or open_input(request)
        _prepare(request.out)
    with locked(request.out):
        poses, observed = lifted(request, source, models, on_progress, clock, request.out)
        with clock("write"):
            files = _write(request, poses, observed, source)
        with clock("render"):
            files += _draw(request, poses, observed.keypoints, source, on_progress)
        _clear_earlier(request.out, files)
    return poses, _report(request, poses, observed, clock, files)


def lifted(
    request: PosesRequest,
    source: Source | None,
    models: Models,
    on_progress: OnProgress,
    clock: Clock,
    folder: Path | None = None,
) -> tuple[Poses, Observed]:
    """The poses of an input and the keypoints they came from; detections are kept in `folder`, if any."""
    with clock("detect" if source is not None and request.keypoints is None else "read"):
        observed = observe(request, source, models, on_progress, folder)
    cameras = cameras_of(request, observed.keypoints, source)
    if request.focal == "estimate":
        with clock("focal"):
            cameras = _with_focal(request, observed.keypoints, cameras, models.lifter, on_progress)
    with clock("lift"):
        poses = _lifted(request, observed.keypoints, cameras, models.lifter, on_progress)
    with clock("motion"):
        moving = motion(
            poses,
            observed.keypoints,
            mode=request.motion,
            ground=request.ground == "on" or (request.ground == "auto" and not observed.scene.moves),
            choice=request.choice,
            fill_s=request.fill_s,
            heights=request.heights,
            segments=request.segments,
            up=request.up,
            tracked=observed.follows,
        )
    return moving, observed


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


def _with_focal(
    request: PosesRequest, keypoints: Keypoints, cameras: tuple[Camera, ...], lifter: Lifter, on_progress: OnProgress
) -> tuple[Camera, ...]:
    """The same cameras, where one that is a guess took all pictures with the focal length that the people show."""
    estimate_focal = get_method(request.method).estimate_focal
    if estimate_focal is None:
        raise InputError(f"--focal estimate: the method {request.method} cannot do that; use --fx, --fov or --camera")
    guess = cameras[0]
    if len(cameras) > 1 or guess.size is None or guess != Camera.guess(guess.size):
        _log.warning("the focal length is not estimated: it is known, or there are several cameras")
        return cameras
    found = estimate_focal(
        keypoints, guess, lifter, seed=request.seed, on_progress=lambda done, total: on_progress("focal", done, total)
    )
    return (found.applied(guess),)


def _lifted(
    request: PosesRequest, keypoints: Keypoints, cameras: tuple[Camera, ...], lifter: Lifter, on_progress: OnProgress
) -> Poses:
    """Hypotheses of every person in every frame."""
    gigabytes = 4e-9 * 3 * len(lifter.skeleton) * len(keypoints) * request.hypotheses  # float32
    if gigabytes > _MUCH_GB:
        _log.warning(
            "%d people in frames take %.0f GB of memory; --max-people, a smaller --hypo or a part help",
            *(len(keypoints), gigabytes),
        )
    return lift(
        keypoints,
        cameras,
        hypotheses=request.hypotheses,
        seed=request.seed,
        lifter=lifter,
        on_progress=lambda done, total: on_progress("lift", done, total),
    )


def _write(request: InferRequest, poses: Poses, observed: Observed, source: Source | None) -> tuple[Path, ...]:
    wanted = request.formats
    if not len(poses):
        wanted = tuple(name for name in wanted if name in _WITHOUT_PEOPLE)
    if source is not None:
        forget_other_video(request.out / "poses.html", source.path.name)
    files = [file for name in wanted for file in save(poses, request.out / f"poses.{name}")]
    write_keypoints(observed.keypoints, request.out / "keypoints.json")
    detections = observed.detected.file if observed.detected else None
    return *files, request.out / "keypoints.json", *((detections,) if detections else ())


def _clear_earlier(out: Path, files: tuple[Path, ...]) -> None:
    """Remove poses of an earlier run that would be read as those of this one, and name its other results."""
    kinds = "|".join(suffix[1:] for suffix in formats())
    result = re.compile(rf"poses(_person\d+)?\.({kinds})|overlay\.(png|mp4)|figure\.png")
    old = sorted(path for path in out.iterdir() if result.fullmatch(path.name) and path not in files)
    for path in old:
        if path.suffix in _LOADED:
            path.unlink(missing_ok=True)
            _log.warning("%s: removed, left from an earlier run", path)
    if names := [path.name for path in old if path.suffix not in _LOADED]:
        _log.warning(
            "%s: %s left from an earlier run, not of this result; remove them, or write them anew with zedo convert",
            *(out, f"{', '.join(names)} {'is' if len(names) == 1 else 'are'}"),
        )


def _draw(
    request: InferRequest, poses: Poses, keypoints: Keypoints, source: Source | None, on_progress: OnProgress
) -> tuple[Path, ...]:
    total = len(poses.frame_numbers)
    overlay = request.out / ("overlay.png" if total == 1 else "overlay.mp4")
    render_overlay(poses, keypoints, overlay, source=source, on_frame=lambda done: on_progress("render", done, total))
    if not request.figure:
        return (overlay,)
    save_figure(poses, keypoints, request.out / "figure.png")
    return overlay, request.out / "figure.png"


def _report(
    request: InferRequest, poses: Poses, observed: Observed, clock: Clock, files: tuple[Path, ...]
) -> InferReport:
    detected = observed.detected
    return InferReport(
        method=request.method,
        frames=len(poses.frame_numbers),
        frames_with_people=len(np.unique(poses.frame)),
        people=len(poses.track_ids),
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
        files=files,
    )


def _sources(cameras: tuple[Camera, ...]) -> str:
    """Where the cameras came from, each way once."""
    ways = list(dict.fromkeys(camera.source for camera in cameras))
    return "; ".join(ways[:3]) + (f"; and {len(ways) - 3} more" if len(ways) > 3 else "")
