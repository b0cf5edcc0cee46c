"""The pipeline as functions: pictures, videos, arrays of frames or keypoints in, keypoints and poses out."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

from jaxtyping import Float
from numpy import ndarray

from zedo_core.camera import Camera, CameraChoice
from zedo_core.detection.store import detect_in
from zedo_core.errors import InputError
from zedo_core.pipeline.models import Models, check_request
from zedo_core.pipeline.observe import OnProgress, open_input
from zedo_core.pipeline.request import InferRequest, PosesRequest, Settings
from zedo_core.pipeline.run import Clock, infer_poses, lifted
from zedo_core.source import open_arrays, open_source
from zedo_core.source.arrays import Images
from zedo_core.types import Keypoints, Poses

_NOBODY_LISTENS: OnProgress = lambda stage, done, total: None  # noqa: E731
_ARRAYS = Path("frames")


def detect(
    images: str | Path | Images,
    *,
    fps: float | None = None,
    on_progress: OnProgress = _NOBODY_LISTENS,
    **settings: Any,
) -> Keypoints:
    """The people of a picture, a video, a folder of pictures, or of RGB frames in memory, followed from frame to frame.

    `fps` is the rate of frames in memory. `settings` are `detector` (a name or path), `track` and `device`; see
    `Settings` for their defaults. InputError for what holds no pictures, WeightsError for a detector that cannot be
    read.
    """
    chosen = _made(Settings, settings)
    source = open_source(images) if isinstance(images, str | Path) else open_arrays(images, fps)
    return detect_in(
        source,
        None,
        detector=Models(chosen).detector,
        track=chosen.track,
        on_frame=lambda done: on_progress("detect", done, source.count),
    ).keypoints


def infer(
    images: str | Path | Images,
    *,
    camera: Camera | Float[ndarray, "3 3"] | str | Path | None = None,
    fov: float | None = None,
    fps: float | None = None,
    out: str | Path | None = None,
    on_progress: OnProgress = _NOBODY_LISTENS,
    **options: Any,
) -> Poses:
    """The poses of the people in a picture, a video, a folder, a keypoint file, or in RGB frames in memory.

    `camera` is a Camera, a matrix K or a calibration file, `fov` the horizontal field of view in degrees; without both,
    EXIF data or a guess tell the focal length. `fps` is the rate of frames in memory. `options` are fields of
    `InferRequest`, such as `hypotheses`, `detector`, `method`, `motion` and `heights`, with its defaults. Files are
    written into the folder `out` only; see `zedo infer`. InputError for an unknown option; for the others see
    `zedo_core.pipeline.run.infer`.
    """
    path = Path(images) if isinstance(images, str | Path) else _ARRAYS
    options = {"input": path, "camera": camera_choice(camera, fov), **options}
    request = _made(PosesRequest, options) if out is None else _made(InferRequest, options | {"out": Path(out)})
    check_request(request)
    models = Models(request)
    source = open_input(request) if isinstance(images, str | Path) else open_arrays(images, fps)
    if isinstance(request, InferRequest):
        return infer_poses(request, on_progress, models=models, source=source)[0]
    return lifted(request, source, models, on_progress, Clock())[0]


def camera_choice(camera: Any, fov: float | None) -> CameraChoice:
    """What is known of the camera, from the arguments of `infer`."""
    if isinstance(camera, str | Path):
        return CameraChoice(file=Path(camera), fov_deg=fov)
    if camera is not None and not isinstance(camera, Camera):
        camera = Camera.from_matrix(camera)
    return CameraChoice(camera=camera, fov_deg=fov)


def _made(kind: Any, options: dict[str, Any]) -> Any:
    """A request out of options; InputError for one that it does not have."""
    known = [field.name for field in fields(kind)]
    for name in options:
        if name not in known:
            raise InputError(f"unknown option '{name}'; expected some of {', '.join(known)}")
    return kind(**options)
