"""The networks of a run, each loaded once, and the checks that come before that."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from zedo_core.detection import Detector, check_detector, load_detector
from zedo_core.errors import InputError
from zedo_core.keypoints.filters import check_people
from zedo_core.lifting import load_lifter
from zedo_core.methods import Lifter, get_method
from zedo_core.methods.protocol import check_hypotheses
from zedo_core.motions.height import check_heights
from zedo_core.motions.motion import check_motion
from zedo_core.motions.select import check_choice
from zedo_core.motions.tracks import check_fill
from zedo_core.motions.upright import parse_up
from zedo_core.nets.device import check_device, find_device
from zedo_core.pipeline.request import FOCAL_WAYS, GROUNDS, SIDES, PosesRequest, Settings


@dataclass(frozen=True)
class Models:
    """The networks that settings name, for as many inputs as they are given to."""

    settings: Settings

    @cached_property
    def lifter(self) -> Lifter:
        """The lifter; InputError, WeightsError or DeviceError when something is missing."""
        s = self.settings
        return load_lifter(s.weights, method=s.method, device=s.device, preset=s.preset, iterations=s.iterations)

    @cached_property
    def detector(self) -> Detector:
        """The detector; WeightsError when it is not here."""
        return load_detector(self.settings.detector, str(find_device(self.settings.device)))


def check_settings(settings: Settings) -> None:
    """InputError, CameraError, WeightsError or DeviceError for names and files that are none; needs no torch."""
    get_method(settings.method).check(settings.preset, settings.weights)
    check_device(settings.device)
    if settings.camera is not None:
        settings.camera.check()


def check_request(request: PosesRequest) -> None:
    """InputError or WeightsError for what can be told before anything is loaded or opened; see `check_settings`."""
    check_settings(request)
    if request.keypoints is None:
        check_detector(request.detector)
    check_hypotheses(request.hypotheses, get_method(request.method).most_hypotheses)
    if request.focal not in FOCAL_WAYS:
        raise InputError(f"expected a focal length by {' or '.join(FOCAL_WAYS)}, got '{request.focal}'")
    if request.sides not in SIDES:
        raise InputError(f"expected sides to {' or '.join(SIDES)}, got '{request.sides}'")
    if request.ground not in GROUNDS:
        raise InputError(f"expected the ground to be {', '.join(GROUNDS)}, got '{request.ground}'")
    if request.segments is not None and request.heights is not None:
        raise InputError("expected --height or --body, got both; a body has its height")
    if request.segments is not None and request.motion != "full":
        raise InputError(f"--body: expected the motion 'full', got '{request.motion}', which keeps no bones")
    check_choice(request.choice)
    check_motion(request.motion)
    check_fill(request.fill_s)
    if request.heights is not None:
        check_heights(request.heights)
    if request.up is not None:
        parse_up(request.up)
    check_people(request.person, request.max_people)
