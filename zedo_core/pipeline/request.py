"""What is asked of a run and what it answers. Every default of `zedo infer` and `zedo live` stands here.

Imports little: the commands read their defaults here before anything is computed.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from zedo_core.methods import DEFAULT_METHOD
from zedo_core.motions import DEFAULT_CHOICE, DEFAULT_MOTION, FILL_S

if TYPE_CHECKING:
    from zedo_core.camera import CameraChoice
    from zedo_core.motions.height import Heights
    from zedo_core.motions.segments import Segments
    from zedo_core.source.cut import Cut

SIDES = ("mend", "keep")
LIVE_MOTIONS = ("full", "off")
GROUNDS = ("auto", "on", "off")
FOCAL_WAYS = ("guess", "estimate")  # of what to do where nothing tells the focal length


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What `infer` and `live` share: the networks, and how people are found and lifted."""

    detector: str = "movenet"  # name or path of a detector
    track: bool = True  # follow people from frame to frame
    max_people: int | None = None  # the largest ones; None for all
    camera: CameraChoice | None = None  # what is known of it; None for nothing
    method: str = DEFAULT_METHOD
    weights: str | None = None  # name or path; None for the method's own
    preset: str | None = None  # settings of the method by name; None for its default
    iterations: int | None = None  # network calls, instead of the preset's
    device: str = "auto"
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class PosesRequest(Settings):
    """What to lift, and what to make of the poses."""

    input: Path  # image, video, folder of images, file or folder of keypoints, `-` for those on standard input
    hypotheses: int = 10
    cut: Cut | None = None  # the frames that are wanted; None for all
    sequence: bool | None = None  # whether the pictures of a folder are one sequence; None for by their names
    person: str = "all"  # an id, `largest` or `all`
    keypoints: Path | None = None  # saved keypoints of the pictures in `input`, instead of the detector
    redetect: bool = False  # make stored detections anew
    image_size: tuple[int, int] | None = None  # (width, height) in pixels, for keypoint files that do not say it
    skeleton: str | None = None  # name or file of the joint set, for keypoint files that do not say it
    sides: str = "mend"  # left and right that the detector exchanged for some frames: mend, or keep
    choice: str = DEFAULT_CHOICE  # among the hypotheses: best, track or mean
    motion: str = DEFAULT_MOTION  # over time: off, light, strong or full; see zedo_core.motions.motion
    ground: str = "auto"  # feet that stand held still on level floors: auto (unless the camera moves), on or off
    fill_s: float = FILL_S  # longest gap of a track in which poses are made up
    focal: str = "guess"  # where nothing tells it: guess, or estimate it from the people
    heights: Heights | None = None  # of the people in metres, where known
    segments: Segments | None = None  # measured bones of the people, for `full` motion
    up: str | None = None  # upward in the exports: see zedo_core.motions.upright; None takes what is known best


@dataclass(frozen=True, kw_only=True)
class InferRequest(PosesRequest):
    """The same, and where and how the results are written."""

    out: Path
    formats: tuple[str, ...] = ("npz", "json")  # of the poses; see zedo_core.export
    names: str = "mixamo"  # of the bones in the formats that have some; see zedo_core.export.save
    axes: str | None = None  # of tables and markers, one of zedo_core.export.AXES; None for those of each format
    figure: bool = False  # also draw `figure.png`, some frames side by side


@dataclass(frozen=True, kw_only=True)
class LiveRequest(Settings):
    """How live pictures are treated."""

    hypotheses: int = 1
    motion: str = "full"  # full: bodies of about fixed bones that move as the frames before tell; off: single frames
    seconds: float | None = None  # of the input; None until it ends or somebody stops it
    record: Path | None = None  # folder for `recording.mp4`, poses and keypoints


@dataclass(frozen=True, kw_only=True)
class InferReport:
    """What came out of one input. Times in seconds, errors in pixels.

    `poses` counts people in frames, of which `doubtful` are not to be trusted and `filled` were made up in gaps;
    `sequence` says whether an id is the same person in all frames; `mended` counts people in frames whose left and
    right were exchanged; `cuts` counts changes of the view, and
    `camera_moves` says whether the background moves; `up` is where the upward direction of the exports came from;
    `reused` counts frames whose detections were there before (None where no detector was asked), `damaged` says which
    pictures were left out and why.
    """

    method: str
    frames: int
    frames_with_people: int
    people: int
    sequence: bool
    hypotheses: int
    poses: int
    doubtful: int
    filled: int
    mended: int
    cuts: int
    camera_moves: bool
    camera: str
    focal_px: float
    up: str
    reprojection_px: float
    reused: int | None
    damaged: dict[str, str]
    seconds: dict[str, float]
    files: tuple[Path, ...]
