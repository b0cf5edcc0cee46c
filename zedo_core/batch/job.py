"""What is done to every clip of a run, and what becomes of one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from zedo_core.batch.clips import Clip
from zedo_core.camera import Camera
from zedo_core.pipeline.models import Models
from zedo_core.pipeline.observe import Observed
from zedo_core.pipeline.request import PosesRequest
from zedo_core.storage.files import sha256_of
from zedo_core.types import Poses
from zedo_core.version import __version__

# The stages, in order. Each but `read` and `decode`, which feed `detect`, is an operator of the Ray engine.
STAGES = ("read", "decode", "detect", "lift", "motion", "export")
OVERLAY = "overlay"  # among the formats: the video of `zedo infer`


@dataclass(frozen=True, kw_only=True)
class Job:
    """How clips are lifted, where results go, and which files are written beside the tables.

    `request` is that of `zedo infer`; its input is replaced. `digest` is a hash of everything that results depend on
    but the clip.
    """

    request: PosesRequest
    out: str
    formats: tuple[str, ...] = ()
    digest: str = ""


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A clip that has no result: in which stage it failed, and why, in one line."""

    source: str
    stage: str
    line: str
    fatal: bool = False  # the target cannot be written, so no other clip has a chance


@dataclass(frozen=True, kw_only=True)
class Step:
    """A clip on its way through the stages: what is known of it so far, and the seconds that each stage took.

    `known` is the SHA-256 of the content of the result that is there, with the same options; `same` tells that the clip
    still has it, so that nothing is to be done. `content` holds the bytes of a clip that is no file.
    """

    clip: Clip
    known: str = ""
    content: bytes | None = field(default=None, repr=False)
    sha256: str = ""
    same: bool = False
    observed: Observed | None = None
    cameras: tuple[Camera, ...] = ()
    poses: Poses | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    worker: str = ""  # host and process that detected
    failure: Failure | None = None


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a clip: its counts, or a failure; `same` where the result that was there is still right."""

    clip: Clip
    same: bool = False
    frames: int = 0
    people: int = 0
    poses: int = 0
    seconds: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    worker: str = ""
    failure: Failure | None = None

    @classmethod
    def from_step(cls, step: Step) -> Outcome:
        """What is to be known of a clip that went through all stages."""
        poses = step.poses
        return cls(
            clip=step.clip,
            same=step.same,
            frames=0 if poses is None else len(poses.frame_numbers),
            people=0 if poses is None else len(poses.track_ids),
            poses=0 if poses is None else len(poses),
            seconds=step.seconds,
            notes=step.notes,
            worker=step.worker,
            failure=step.failure,
        )


def digest_of(request: PosesRequest, models: Models) -> str:
    """SHA-256 of what results depend on: options, weights, detector, camera file and version. Loads the lifter."""
    lifter, detector = models.lifter, models.detector
    camera = request.camera.file if request.camera else None
    options = asdict(replace(request, input=Path(), device="", weights=None, detector=""))
    values: dict[str, Any] = {
        "version": __version__,
        "options": options,
        "lifter": [lifter.name, lifter.weights_sha256, dict(lifter.settings)],
        "detector": [detector.name, [sha256_of(path) for path in detector.files]],
        "camera": None if camera is None else sha256_of(camera),
    }
    return sha256(json.dumps(values, sort_keys=True, default=str).encode()).hexdigest()
