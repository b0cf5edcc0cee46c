"""The straight line from an input file to 3D results: observe, choose the camera, lift, select, write."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path

import numpy as np

from zedo_core import hub
from zedo_core.camera_choice import CameraChoice
from zedo_core.errors import InputError, OutputError
from zedo_core.export import check as check_formats
from zedo_core.export import save
from zedo_core.keypoints import holds_keypoints, read_keypoints, write_keypoints
from zedo_core.lifting import DEFAULT_WEIGHTS, find_device, lift, load_lifter
from zedo_core.methods.zedo import MAX_HYPOTHESES, ZedoOptions
from zedo_core.metrics import reprojection_px
from zedo_core.render.figure import save_figure
from zedo_core.render.overlay import render_overlay
from zedo_core.select import select
from zedo_core.smooth import DEFAULT_STRENGTH, smooth, strength_of
from zedo_core.source import Source, open_source
from zedo_core.types import Keypoints, Poses

DEFAULT_DETECTOR = "yolov8n-pose"
DEFAULT_FORMATS = ("npz", "json")

OnProgress = Callable[[str, int, int | None], None]


@dataclass(frozen=True, kw_only=True)
class InferRequest:
    """What to lift, with what, and where the results go."""

    input: Path  # image, video, folder of images, file or folder of keypoints, `-` for those on standard input
    out: Path
    hypotheses: int = 10
    keypoints: Path | None = None  # saved keypoints of the pictures in `input`, instead of the detector
    detector: str = DEFAULT_DETECTOR  # name or path of an ultralytics pose model
    camera: CameraChoice = field(default_factory=CameraChoice)
    image_size: tuple[int, int] | None = None  # (width, height) in pixels, for keypoint files that do not say it
    weights: str = DEFAULT_WEIGHTS
    device: str = "auto"
    seed: int = 0
    options: ZedoOptions = field(default_factory=ZedoOptions)
    smooth: str = DEFAULT_STRENGTH  # over time: off, light or strong
    formats: tuple[str, ...] = DEFAULT_FORMATS  # of the poses; see zedo_core.export
    figure: bool = False  # also draw `figure.png`, some frames side by side


@dataclass(frozen=True, kw_only=True)
class InferReport:
    """What came out of one input. Times in seconds, errors in pixels."""

    frames: int
    frames_with_people: int
    people: int
    hypotheses: int
    camera: str
    focal_px: float
    reprojection_px: float
    seconds: dict[str, float]
    files: tuple[Path, ...]


def demo_assets() -> tuple[Path, Path]:
    """Keypoints and camera of the example in the package."""
    folder = Path(__file__).parent / "assets" / "demo"
    return folder / "keypoints.json", folder / "camera.json"


def infer(request: InferRequest, on_progress: OnProgress = lambda stage, done, total: None) -> InferReport:
    """Lift one input and write the poses in every format, `keypoints.json` and an overlay into `request.out`.

    `on_progress` gets the stage's name, what is done and how much there is (None when unknown). What
    cannot work is found out before the long stages begin; every file appears only when complete.
    """
    if not 1 <= request.hypotheses <= MAX_HYPOTHESES:
        raise InputError(f"expected 1 to {MAX_HYPOTHESES} hypotheses, got {request.hypotheses}")
    strength_of(request.smooth)
    check_formats(request.formats)
    clock = _Clock()
    with clock("load"):
        lifter = load_lifter(request.weights, options=request.options, device=request.device)
        source = None if is_keypoint_input(request.input) else open_source(request.input)
        _prepare(request.out)
    with clock("detect" if source is not None and request.keypoints is None else "read"):
        keypoints = _observe(request, source, on_progress)
    cameras = request.camera.cameras(keypoints.image_sizes)
    with clock("lift"):
        poses = lift(
            keypoints,
            cameras,
            hypotheses=request.hypotheses,
            seed=request.seed,
            lifter=lifter,
            on_progress=lambda done, total: on_progress("lift", done, total),
        )
        unrelated = source is not None and not source.sequence  # pictures of which none follows on another
        poses = smooth(select(poses), "off" if unrelated else request.smooth)
    with clock("write"):
        files = _write(request, poses, keypoints)
    with clock("render"):
        files += _draw(request, poses, keypoints, source, on_progress)
    return InferReport(
        frames=len(poses.frame_numbers),
        frames_with_people=int(poses.present.any(1).sum()),
        people=len(poses.track_ids),
        hypotheses=request.hypotheses,
        camera=cameras[0].source,
        focal_px=float(np.mean([camera.fx for camera in cameras])),
        reprojection_px=mean_reprojection_px(poses, keypoints),
        seconds=clock.seconds,
        files=files,
    )


def is_keypoint_input(path: Path) -> bool:
    """Whether an input holds keypoints rather than pictures, told by content."""
    return holds_keypoints(path)


def mean_reprojection_px(poses: Poses, keypoints: Keypoints) -> float:
    """Mean distance in pixels between the chosen poses and the keypoints; NaN when nobody was lifted."""
    seen = keypoints.to_skeleton(poses.skeleton)
    projected = np.stack([poses.camera(t).project(people) for t, people in enumerate(poses.best)])
    errors = reprojection_px(projected, seen.xy, np.where(poses.present[..., None], seen.confidence, 0.0))
    return float(np.nanmean(errors)) if np.isfinite(errors).any() else float("nan")


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


def _observe(request: InferRequest, source: Source | None, on_progress: OnProgress) -> Keypoints:
    """Keypoints from the detector, from the file beside the pictures, or from the input itself."""
    if source is None:
        if request.keypoints is not None:
            raise InputError(
                f"{request.input}: holds keypoints already; drop --keypoints, or give pictures as the input"
            )
        found = read_keypoints(request.input, image_size=request.image_size)
    elif request.keypoints is not None:
        saved = read_keypoints(request.keypoints, picture_size=source.size)
        found = _fitting(saved, source, request.keypoints)
    else:
        found = _detect(request, source, on_progress)
    if not found.present.any():
        raise InputError(f"{request.keypoints or request.input}: nobody was found in any frame; nothing to lift")
    return found


def _fitting(keypoints: Keypoints, source: Source, path: Path) -> Keypoints:
    """Saved keypoints as those of these pictures; InputError when they cannot be."""
    sizes = keypoints.image_sizes
    if sizes is not None and source.size is not None and set(sizes) != {source.size}:
        stated, real = (f"{width}x{height} px" for width, height in (sizes[0], source.size))
        raise InputError(f"{path}: is for pictures of {stated}, those of {source.path} have {real}")
    last, frames = int(keypoints.frame_numbers.max()), source.count or 0
    if last >= frames:  # the count of a video is an estimate
        frames = sum(1 for _ in source)
    if last >= frames or keypoints.frame_numbers.min() < 0:
        raise InputError(f"{path}: has frames up to {last}, {source.path} has {frames}, counted from 0")
    return replace(
        keypoints,
        image_sizes=sizes or (source.size and (source.size,)),
        fps=keypoints.fps or source.fps,
    )


def _detect(request: InferRequest, source: Source, on_progress: OnProgress) -> Keypoints:
    from zedo_core.detect.ultralytics import load_detector

    device = str(find_device(request.device))
    detector = load_detector(hub.find_weights(request.detector, "detector"), device)
    done = count(1)
    return detector.detect(
        source,
        tracked=source.sequence,
        fps=source.fps,
        on_frame=lambda _: on_progress("detect", next(done), source.count),
    )


def _write(request: InferRequest, poses: Poses, keypoints: Keypoints) -> tuple[Path, ...]:
    files = [file for name in request.formats for file in save(poses, request.out / f"poses.{name}")]
    write_keypoints(keypoints, request.out / "keypoints.json")
    return *files, request.out / "keypoints.json"


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
