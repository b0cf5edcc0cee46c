"""What is asked of a run over one input, what it answers, and the networks that it needs."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from zedo_core import weights as hub
from zedo_core.camera.choice import CameraChoice
from zedo_core.detection.tracking import DEFAULT_TRACKER, check_tracker
from zedo_core.errors import InputError
from zedo_core.export import check as check_formats
from zedo_core.keypoints.filters import EVERYBODY, check_people
from zedo_core.lifting import DEFAULT_WEIGHTS, find_device, load_lifter
from zedo_core.methods.zedo import MAX_HYPOTHESES, ZedoLifter, ZedoOptions
from zedo_core.methods.zedo.focal import check_way
from zedo_core.motions.height import Heights, check_heights
from zedo_core.motions.select import DEFAULT_CHOICE, check_choice
from zedo_core.motions.smooth import DEFAULT_STRENGTH, strength_of
from zedo_core.motions.tracks import FILL_S, check_fill
from zedo_core.motions.upright import up_of
from zedo_core.source.cut import WHOLE, Cut

if TYPE_CHECKING:
    from zedo_core.detection.ultralytics import Detector

DEFAULT_DETECTOR = "yolov8n-pose"
DEFAULT_FORMATS = ("npz", "json")


@dataclass(frozen=True, kw_only=True)
class InferRequest:
    """What to lift, with what, and where the results go."""

    input: Path  # image, video, folder of images, file or folder of keypoints, `-` for those on standard input
    out: Path
    hypotheses: int = 10
    cut: Cut = WHOLE  # the frames that are wanted
    person: str = EVERYBODY  # an id, `largest` or `all`
    max_people: int | None = None  # the largest ones; None for all
    keypoints: Path | None = None  # saved keypoints of the pictures in `input`, instead of the detector
    detector: str = DEFAULT_DETECTOR  # name or path of an ultralytics pose model
    tracker: str = DEFAULT_TRACKER  # see zedo_core.detection.ultralytics.follow
    redetect: bool = False  # make detections that lie in `out` anew
    camera: CameraChoice = field(default_factory=CameraChoice)
    image_size: tuple[int, int] | None = None  # (width, height) in pixels, for keypoint files that do not say it
    weights: str = DEFAULT_WEIGHTS
    device: str = "auto"
    seed: int = 0
    options: ZedoOptions = field(default_factory=ZedoOptions)
    choice: str = DEFAULT_CHOICE  # among the hypotheses: best, track or mean
    smooth: str = DEFAULT_STRENGTH  # over time: off, light or strong
    fill_s: float = FILL_S  # longest gap of a track in which poses are made up
    focal: str = "guess"  # where nothing tells it: guess, or estimate it from the people
    heights: Heights | None = None  # of the people in metres, where known
    up: str | None = None  # upward in the exports: see zedo_core.motions.upright; None takes what is known best
    formats: tuple[str, ...] = DEFAULT_FORMATS  # of the poses; see zedo_core.export
    figure: bool = False  # also draw `figure.png`, some frames side by side


@dataclass(frozen=True, kw_only=True)
class InferReport:
    """What came out of one input. Times in seconds, errors in pixels.

    `poses` counts people in frames, of which `doubtful` are not to be trusted and `filled` were made up in gaps;
    `reused` counts frames whose detections were there before (None where no detector was asked), `damaged` says which
    pictures were left out and why.
    """

    frames: int
    frames_with_people: int
    people: int
    hypotheses: int
    poses: int
    doubtful: int
    filled: int
    camera: str
    focal_px: float
    reprojection_px: float
    reused: int | None
    damaged: dict[str, str]
    seconds: dict[str, float]
    files: tuple[Path, ...]


@dataclass(frozen=True)
class Models:
    """The networks that a request asks for, each loaded once, for as many inputs as they are given to."""

    request: InferRequest

    @cached_property
    def lifter(self) -> ZedoLifter:
        """The lifter; WeightsError or DeviceError when something is missing."""
        request = self.request
        return load_lifter(request.weights, options=request.options, device=request.device)

    @cached_property
    def detector_path(self) -> Path:
        """Where the detector lies; WeightsError when it is not here."""
        return hub.find_weights(self.request.detector, "detector")

    @cached_property
    def detector(self) -> Detector:
        """The detector, ready to look."""
        from zedo_core.detection.ultralytics import load_detector

        return load_detector(self.detector_path, str(find_device(self.request.device)))


def check_request(request: InferRequest) -> None:
    """InputError for what can be told before anything is loaded or opened."""
    if not 1 <= request.hypotheses <= MAX_HYPOTHESES:
        raise InputError(f"expected 1 to {MAX_HYPOTHESES} hypotheses, got {request.hypotheses}")
    check_choice(request.choice)
    strength_of(request.smooth)
    check_fill(request.fill_s)
    check_way(request.focal)
    if request.heights is not None:
        check_heights(request.heights)
    if request.up is not None:
        up_of(request.up)
    check_formats(request.formats)
    check_people(request.person, request.max_people)
    check_tracker(request.tracker)
