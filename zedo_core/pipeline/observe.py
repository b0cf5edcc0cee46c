"""The people of an input in 2D: from the detector, from keypoints beside the pictures, or from a keypoint file."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from zedo_core.camera import Camera, CameraChoice
from zedo_core.detection.store import Detected, detect_in
from zedo_core.errors import InputError
from zedo_core.keypoints import check_image_size, holds_keypoints, read_keypoints
from zedo_core.keypoints.filters import filter_frames, filter_numbers, filter_people
from zedo_core.motions.height import check_ids
from zedo_core.motions.sides import mend_sides
from zedo_core.motions.tracks import join_tracks
from zedo_core.pipeline.models import Models
from zedo_core.pipeline.request import PosesRequest
from zedo_core.source import Source, open_source
from zedo_core.source.cut import WHOLE
from zedo_core.source.scene import Scene
from zedo_core.types import Keypoints

OnProgress = Callable[[str, int, int | None], None]  # stage, what is done, and how much there is (None: unknown)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Observed:
    """Keypoints of the people, and how they came."""

    keypoints: Keypoints
    detected: Detected | None = None
    follows: bool = True  # whether an id is the same person in all frames
    mended: int = 0  # rows whose left and right were exchanged

    @property
    def scene(self) -> Scene:
        """What the pictures told of their views, if any were looked at."""
        return self.detected.scene if self.detected else Scene()


def open_input(request: PosesRequest) -> Source | None:
    """The pictures of the input; None when it holds keypoints."""
    if str(request.input).isdecimal() and not request.input.exists():
        raise InputError(f"{request.input}: no such file; for a camera say 'zedo live {request.input}'")
    in_2d = holds_keypoints(request.input)
    if request.sequence is not None and (in_2d or not request.input.is_dir()):
        raise InputError(f"--sequence: expected with a folder of pictures, {request.input} is none; leave it out")
    if in_2d:
        return None
    if request.image_size is not None:
        raise InputError(
            f"image size (--image-size): expected only with keypoint files, the pictures of {request.input} have their "
            "own size"
        )
    return open_source(request.input, request.cut or WHOLE, request.sequence)


def check_source(request: PosesRequest, source: Source | None) -> None:
    """CameraError for a camera that is not of these pictures."""
    if source is not None and request.camera is not None and source.size is not None:
        request.camera.check(source.size, source.stored_size)


def observe(
    request: PosesRequest, source: Source | None, models: Models, on_progress: OnProgress, folder: Path | None = None
) -> Observed:
    """The people that are wanted, in the frames that are wanted; InputError when keypoints hold nobody.

    Detections are kept in `folder`, or nowhere without one.
    """
    if source is not None and request.keypoints is None:
        observed = _detect(source, request, models, on_progress, folder)
    else:
        observed = _read(request, source)
    if not len(observed.keypoints):
        if observed.detected is None:
            raise InputError(f"{request.keypoints or request.input}: nobody was found in any frame; nothing to lift")
        frames = len(observed.keypoints.frame_numbers)
        _log.warning("%s: nobody was found in any of %d frames", request.input, frames)
        return observed
    keypoints = observed.keypoints
    if observed.follows:
        keypoints = join_tracks(keypoints, cuts=observed.scene.cuts)
    keypoints = filter_people(keypoints, request.person, request.max_people)
    if request.heights is not None:
        check_ids(request.heights, keypoints.track_ids)
    if request.segments is not None:
        check_ids(request.segments.people, keypoints.track_ids)
    if not observed.follows or request.sides == "keep":
        return replace(observed, keypoints=keypoints)
    keypoints, mended = mend_sides(keypoints)
    return replace(observed, keypoints=keypoints, mended=int(mended.sum()))


def cameras_of(request: PosesRequest, keypoints: Keypoints, source: Source | None) -> tuple[Camera, ...]:
    """One camera for all frames or one per frame: what the user gives, what the pictures say, or a guess."""
    exif = {} if source is None else source.cameras
    choice = request.camera or CameraChoice()
    exif_cameras = [exif.get(int(n)) for n in keypoints.frame_numbers]
    return choice.cameras(keypoints.image_sizes, exif_cameras, None if source is None else source.stored_size)


def _read(request: PosesRequest, source: Source | None) -> Observed:
    if source is None:
        if request.keypoints is not None:
            raise InputError(
                f"{request.input}: holds keypoints already; drop --keypoints, or give pictures as the input"
            )
        check_image_size(request.image_size)
        read = read_keypoints(request.input, picture_size=request.image_size, skeleton=request.skeleton)
        keypoints = _sized(read, request)
        return Observed(keypoints=filter_frames(keypoints, request.cut or WHOLE))
    assert request.keypoints is not None
    saved = read_keypoints(request.keypoints, picture_size=source.size, skeleton=request.skeleton)
    return Observed(keypoints=_of_pictures(saved, source, request.keypoints), follows=source.sequence)


def _sized(keypoints: Keypoints, request: PosesRequest) -> Keypoints:
    """Keypoints with the picture size that was given; InputError when they state another."""
    size, stated = request.image_size, keypoints.image_sizes
    if size is None:
        return keypoints
    other = next((found for found in stated or () if found != tuple(size)), None)
    if other is not None:
        raise InputError(
            f"{request.input}: states pictures of {other[0]}x{other[1]} px, --image-size says {size[0]}x{size[1]}; "
            "leave --image-size out, or correct the file"
        )
    return replace(keypoints, image_sizes=(tuple(size),))


def _of_pictures(keypoints: Keypoints, source: Source, path: Path) -> Keypoints:
    """Saved keypoints as those of these pictures; InputError when they cannot be."""
    sizes = keypoints.image_sizes
    if sizes is not None and source.size is not None and set(sizes) != {source.size}:
        stated, real = (f"{width}x{height} px" for width, height in (sizes[0], source.size))
        raise InputError(f"{path}: is for pictures of {stated}, those of {source.path} have {real}")
    if source.cut != WHOLE:
        keypoints = filter_numbers(keypoints, {frame.number for frame in source})
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
    if last >= frames or np.min(keypoints.frame_numbers, initial=0) < 0:
        raise InputError(f"{path}: has frames up to {last}, {source.path} has {frames}, counted from 0")


def _detect(
    source: Source, request: PosesRequest, models: Models, on_progress: OnProgress, folder: Path | None
) -> Observed:
    detected = detect_in(
        source,
        None if source.kind == "arrays" else folder,
        detector=models.detector,
        track=request.track,
        redetect=request.redetect,
        on_frame=lambda done: on_progress("detect", done, source.count),
    )
    follows = source.sequence and request.track
    return Observed(keypoints=detected.keypoints, detected=detected, follows=follows)
