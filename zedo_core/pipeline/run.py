"""The straight line from an input file to 3D results: observe, choose the camera, lift, select, write."""

from __future__ import annotations

import logging
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy import ndarray

from zedo_core.camera import Camera
from zedo_core.detection.store import Detected, detect_in
from zedo_core.errors import InputError, OutputError
from zedo_core.export import save
from zedo_core.keypoints import holds_keypoints, read_keypoints, write_keypoints
from zedo_core.keypoints.filters import keep_frames, keep_numbers, keep_people
from zedo_core.lifting import lift
from zedo_core.methods.zedo import ZedoLifter
from zedo_core.methods.zedo.focal import estimate_focal
from zedo_core.metrics import reprojection_px
from zedo_core.motions.height import Heights, check_ids, with_heights
from zedo_core.motions.select import select
from zedo_core.motions.smooth import smooth
from zedo_core.motions.tracks import fill_gaps, join_tracks, one_size
from zedo_core.motions.upright import with_up
from zedo_core.packed import each_track, packed, unpacked
from zedo_core.pipeline.request import InferReport, InferRequest, Models, check_request
from zedo_core.render.figure import save_figure
from zedo_core.render.overlay import render_overlay
from zedo_core.source import Source, open_source
from zedo_core.source.cut import WHOLE
from zedo_core.storage.lock import locked
from zedo_core.types import Keypoints, Poses

__all__ = ["InferReport", "InferRequest", "Models", "demo_assets", "infer", "is_keypoint_input"]

_log = logging.getLogger(__name__)

_WITHOUT_PEOPLE = ("npz", "json", "csv")  # formats that can say that nobody was there

_MUCH_GB = 2.0

OnProgress = Callable[[str, int, int | None], None]


@dataclass(frozen=True, kw_only=True)
class _Observed:
    """The people of the input in 2D, packed (see zedo_core.packed), and how they came."""

    keypoints: Keypoints
    detected: Detected | None = None
    follows: bool = True  # whether an id is the same person in all frames


def demo_assets() -> tuple[Path, Path]:
    """Keypoints and camera of the example in the package."""
    folder = Path(__file__).parents[1] / "assets" / "demo"
    return folder / "keypoints.json", folder / "camera.json"


def infer(
    request: InferRequest,
    on_progress: OnProgress = lambda stage, done, total: None,
    *,
    models: Models | None = None,
) -> InferReport:
    """Lift one input and write the poses in every format, `keypoints.json` and an overlay into `request.out`.

    `on_progress` gets the stage's name, what is done and how much there is (None when unknown). What
    cannot work is found out before the long stages begin; every file appears only when complete, but for detections,
    which a run that is broken off leaves for the next one (see zedo_core.detection.store). `models` are those of a
    request before that asked for the same ones. OutputError when another run writes into the folder.
    """
    check_request(request)
    models = models or Models(request)
    clock = _Clock()
    with clock("load"):
        lifter = models.lifter
        source = _open(request)
        _prepare(request.out)
    with locked(request.out):
        with clock("detect" if source is not None and request.keypoints is None else "read"):
            seen = _observe(request, source, models, on_progress)
        cameras = _cameras(request, seen.keypoints, source)
        if request.focal == "estimate":
            with clock("focal"):
                cameras = _with_focal(request, seen.keypoints, cameras, lifter, on_progress)
        with clock("lift"):
            poses = _lifted(request, seen.keypoints, cameras, lifter, on_progress)
            poses = _in_time(request, poses, seen)
        with clock("write"):
            files = _write(request, poses, seen)
        with clock("render"):
            files += _draw(request, poses, seen.keypoints, source, on_progress)
    return _report(request, poses, seen, clock, files)


def is_keypoint_input(path: Path) -> bool:
    """Whether an input holds keypoints rather than pictures, told by content."""
    return holds_keypoints(path)


def mean_reprojection_px(poses: Poses, keypoints: Keypoints) -> float:
    """Mean distance in pixels between the chosen poses and the keypoints; NaN when nobody was lifted."""
    poses, keypoints = packed(poses), packed(keypoints)
    assert poses.who is not None and keypoints.who is not None
    t, column = np.nonzero(poses.present)
    if len(t) == 0:
        return float("nan")
    same = keypoints.present[t] & (keypoints.who[t] == poses.who[t, column][:, None])
    there = _in_one_column(keypoints, t, same.argmax(1), same.any(1)).to_skeleton(poses.skeleton)
    joints = poses.joints[t, column, poses.chosen[t, column]]
    if len(poses.cameras) == 1:
        projected = poses.cameras[0].project(joints)
    else:
        projected = np.stack([poses.cameras[row].project(person) for row, person in zip(t, joints, strict=True)])
    errors = reprojection_px(projected[:, None], there.xy, there.confidence)
    return float(np.nanmean(errors)) if np.isfinite(errors).any() else float("nan")


def _in_one_column(keypoints: Keypoints, t: ndarray, column: ndarray, seen: ndarray) -> Keypoints:
    """People one below the other, as if each were a frame; joints are missing where not `seen`."""
    return replace(
        keypoints,
        xy=np.where(seen[:, None, None], keypoints.xy[t, column], 0.0)[:, None],
        confidence=np.where(seen[:, None], keypoints.confidence[t, column], 0.0)[:, None],
        frame_numbers=np.arange(len(t)),
        track_ids=np.zeros(1, int),
        image_sizes=None,
        times_s=None,
        who=None,
    )


class _Clock:
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


def _open(request: InferRequest) -> Source | None:
    """The pictures of the input; None when it holds keypoints."""
    if str(request.input).isdecimal() and not request.input.exists():
        raise InputError(f"{request.input}: no such file; for a camera say 'zedo live {request.input}'")
    if is_keypoint_input(request.input):
        return None
    if request.image_size is not None:
        raise InputError(
            f"image size (--image-size): expected only with keypoint files, the pictures of {request.input} have their "
            "own size"
        )
    return open_source(request.input, request.cut)


def _observe(request: InferRequest, source: Source | None, models: Models, on_progress: OnProgress) -> _Observed:
    """Keypoints from the detector, from the file beside the pictures, or from the input itself."""
    if source is not None and request.keypoints is None:
        seen = _detect(source, request, models, on_progress)
    else:
        seen = _read(request, source)
    if not seen.keypoints.present.any() and seen.detected is None:
        raise InputError(f"{request.keypoints or request.input}: nobody was found in any frame; nothing to lift")
    if not seen.keypoints.present.any():
        _log.warning("%s: nobody was found in any of %d frames", request.input, len(seen.keypoints.frame_numbers))
        return seen
    keypoints = join_tracks(seen.keypoints) if seen.follows else seen.keypoints
    keypoints = keep_people(keypoints, request.person, request.max_people)
    if request.heights is not None:
        check_ids(request.heights, keypoints.track_ids)
    return replace(seen, keypoints=keypoints)


def _read(request: InferRequest, source: Source | None) -> _Observed:
    if source is None:
        if request.keypoints is not None:
            raise InputError(
                f"{request.input}: holds keypoints already; drop --keypoints, or give pictures as the input"
            )
        found = packed(read_keypoints(request.input, image_size=request.image_size))
        return _Observed(keypoints=keep_frames(found, request.cut))
    assert request.keypoints is not None
    saved = packed(read_keypoints(request.keypoints, picture_size=source.size))
    return _Observed(keypoints=_fitting(saved, source, request.keypoints), follows=source.sequence)


def _fitting(keypoints: Keypoints, source: Source, path: Path) -> Keypoints:
    """Saved keypoints as those of these pictures; InputError when they cannot be."""
    sizes = keypoints.image_sizes
    if sizes is not None and source.size is not None and set(sizes) != {source.size}:
        stated, real = (f"{width}x{height} px" for width, height in (sizes[0], source.size))
        raise InputError(f"{path}: is for pictures of {stated}, those of {source.path} have {real}")
    if source.cut != WHOLE:
        keypoints = keep_numbers(keypoints, {frame.number for frame in source})
    else:
        _check_numbers(keypoints, source, path)
    return replace(
        keypoints,
        image_sizes=keypoints.image_sizes or (source.size and (source.size,)),
        fps=keypoints.fps or source.fps,
    )


def _check_numbers(keypoints: Keypoints, source: Source, path: Path) -> None:
    last, frames = int(keypoints.frame_numbers.max(initial=-1)), source.count or 0
    if last >= frames:  # the count of a video is an estimate
        frames = max((frame.number for frame in source), default=-1) + 1
    if last >= frames or keypoints.frame_numbers.min(initial=0) < 0:
        raise InputError(f"{path}: has frames up to {last}, {source.path} has {frames}, counted from 0")


def _detect(source: Source, request: InferRequest, models: Models, on_progress: OnProgress) -> _Observed:
    detected = detect_in(
        source,
        request.out,
        detector=models.detector_path,
        load=lambda: models.detector,
        tracker=request.tracker,
        redetect=request.redetect,
        on_frame=lambda done: on_progress("detect", done, source.count),
    )
    detected = replace(detected, keypoints=packed(detected.keypoints))
    return _Observed(
        keypoints=detected.keypoints, detected=detected, follows=source.sequence and request.tracker != "off"
    )


def _cameras(request: InferRequest, keypoints: Keypoints, source: Source | None) -> tuple[Camera, ...]:
    """One camera for all frames or one per frame: what the user gives, what the pictures tell, or a guess."""
    told = {} if source is None else source.cameras
    return request.camera.cameras(keypoints.image_sizes, [told.get(int(n)) for n in keypoints.frame_numbers])


def _with_focal(
    request: InferRequest,
    keypoints: Keypoints,
    cameras: tuple[Camera, ...],
    lifter: ZedoLifter,
    on_progress: OnProgress,
) -> tuple[Camera, ...]:
    """The same cameras, where one that is a guess took all pictures with the focal length that the people show."""
    guess = cameras[0]
    if len(cameras) > 1 or guess.size is None or guess != Camera.guess(guess.size):
        _log.warning("the focal length is not estimated: it is known, or there are several cameras")
        return cameras
    assert keypoints.who is not None
    t, column = np.nonzero(keypoints.present)
    by_track = np.argsort(keypoints.who[t, column], kind="stable")
    people = _in_one_column(keypoints, t[by_track], column[by_track], np.ones(len(t), bool))
    found = estimate_focal(
        people, guess, lifter, seed=request.seed, on_progress=lambda done, total: on_progress("focal", done, total)
    )
    return (found.applied(guess),)


def _lifted(
    request: InferRequest,
    keypoints: Keypoints,
    cameras: tuple[Camera, ...],
    lifter: ZedoLifter,
    on_progress: OnProgress,
) -> Poses:
    """Hypotheses of every person in every frame, each frame for itself."""
    frames, people = keypoints.present.shape
    gigabytes = 4e-9 * 3 * len(lifter.skeleton) * frames * people * request.hypotheses  # float32
    if gigabytes > _MUCH_GB:
        _log.warning(
            "%d people at a time in %d frames take %.0f GB of memory; --max-people, a smaller --hypo or a part help",
            *(people, frames, gigabytes),
        )
    return lift(
        keypoints,
        cameras,
        hypotheses=request.hypotheses,
        seed=request.seed,
        lifter=lifter,
        on_progress=lambda done, total: on_progress("lift", done, total),
    )


def _in_time(request: InferRequest, poses: Poses, seen: _Observed) -> Poses:
    """What the frames of a track know of each other: the choice, the size, smoothing, and gaps filled."""

    def work(track: Poses) -> Poses:
        track = one_size(select(track, request.choice)) if seen.follows else select(track, "best")
        if request.heights is not None:
            track = with_heights(track, _of_these(request.heights, track.track_ids))
        if request.up is not None:
            track = with_up(track, request.up)
        return fill_gaps(smooth(track, request.smooth), request.fill_s) if seen.follows else smooth(track, "off")

    return each_track(poses, work)


def _of_these(heights: Heights, track_ids: ndarray) -> Heights:
    """Those of the heights that are of these people."""
    ids = set(track_ids.tolist())
    return {track: h for track, h in heights.items() if track in ids} if isinstance(heights, Mapping) else heights


def _write(request: InferRequest, poses: Poses, seen: _Observed) -> tuple[Path, ...]:
    formats = request.formats
    if not poses.present.any():
        formats = tuple(name for name in formats if name in _WITHOUT_PEOPLE)
    files = [file for name in formats for file in save(poses, request.out / f"poses.{name}")]
    write_keypoints(unpacked(seen.keypoints), request.out / "keypoints.json")
    kept = () if seen.detected is None else (seen.detected.file,)
    return *files, request.out / "keypoints.json", *kept


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
    request: InferRequest, poses: Poses, seen: _Observed, clock: _Clock, files: tuple[Path, ...]
) -> InferReport:
    return InferReport(
        frames=len(poses.frame_numbers),
        frames_with_people=int(poses.present.any(1).sum()),
        people=len(poses.track_ids),
        hypotheses=request.hypotheses,
        poses=int(poses.present.sum()),
        doubtful=int(poses.doubtful.sum()),
        filled=int(poses.is_filled.sum()),
        camera=_told_by(poses.cameras),
        focal_px=float(np.mean([camera.fx for camera in poses.cameras])),
        reprojection_px=mean_reprojection_px(poses, seen.keypoints),
        reused=None if seen.detected is None else seen.detected.reused,
        damaged={} if seen.detected is None else seen.detected.damaged,
        seconds=clock.seconds,
        files=files,
    )


def _told_by(cameras: tuple[Camera, ...]) -> str:
    """Where the cameras came from, each way once."""
    ways = list(dict.fromkeys(camera.source for camera in cameras))
    return "; ".join(ways[:3]) + (f"; and {len(ways) - 3} more" if len(ways) > 3 else "")
