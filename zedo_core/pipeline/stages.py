"""The stages between keypoints and motion, each for one input, as `infer` runs them one after another and `batch` on
many machines."""

from __future__ import annotations

import logging

from zedo_core.camera import Camera
from zedo_core.errors import InputError
from zedo_core.lifting import lift
from zedo_core.methods import BonesLifter, Lifter, get_method
from zedo_core.motions.motion import motion
from zedo_core.motions.segments import bone_lengths_of
from zedo_core.pipeline.observe import Observed, OnProgress
from zedo_core.pipeline.request import PosesRequest
from zedo_core.types import Keypoints, Poses

_log = logging.getLogger(__name__)

_MUCH_GB = 2.0


def with_focal(
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


def hypotheses_of(
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
        lifter=_with_bones(request, keypoints, lifter),
        on_progress=lambda done, total: on_progress("lift", done, total),
    )


def _with_bones(request: PosesRequest, keypoints: Keypoints, lifter: Lifter) -> Lifter:
    """The lifter, with the measured bones of the people if it makes use of them."""
    if request.segments is None or not isinstance(lifter, BonesLifter):
        return lifter
    tracks = keypoints.track_ids.tolist()
    return lifter.with_bones(bone_lengths_of(request.segments, tracks, lifter.skeleton))


def motion_of(request: PosesRequest, poses: Poses, observed: Observed) -> Poses:
    """What the frames of a track know of each other, as the request wants it."""
    return motion(
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
