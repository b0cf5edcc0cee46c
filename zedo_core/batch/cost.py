"""What a run would take: frames by looking into some of the clips, seconds by the rates of the stages."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from zedo_core.batch.clips import Clip
from zedo_core.batch.job import STAGES, Job
from zedo_core.errors import ZedoError
from zedo_core.source.videos import probe
from zedo_core.storage.places import joined, names_in, read_bytes, reading

_LOOKED_INTO = 40  # clips; the others are taken to have as many frames in a byte
# Milliseconds of one core for a frame with one person, by movenet, with 10 hypotheses; see docs/batch.md. `detect`
# contains the decoding.
RATES_MS: dict[str, float] = {"read": 0.0, "decode": 9.8, "detect": 61.8, "motion": 0.9, "export": 0.2}
LIFT_MS: dict[str, float] = {"zedo": 9.6, "erd": 1.0}


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Bytes of the clips, frames and seconds of video in them, and how long that takes; None where nothing tells.

    `seconds` are of one core by stage, `wall_s` is that of all workers; `basis` says where the rates are from.
    """

    clips: int
    bytes: int
    frames: int | None
    video_s: float | None
    seconds: dict[str, float] | None
    wall_s: float | None
    workers: int
    basis: str


def cost_of(job: Job, clips: Sequence[Clip], workers: int) -> Cost:
    """What these clips would take."""
    size = sum(clip.size for clip in clips)
    frames, video_s = _extent(clips)
    rates, basis = _rates(job)
    seconds = {stage: round(frames * rates[stage], 1) for stage in STAGES} if frames and rates else None
    at_once = None if seconds is None else (sum(seconds.values()) - seconds["decode"]) / workers
    return Cost(
        clips=len(clips),
        bytes=size,
        frames=frames,
        video_s=video_s,
        seconds=seconds,
        wall_s=at_once,
        workers=workers,
        basis=basis,
    )


def _extent(clips: Sequence[Clip]) -> tuple[int | None, float | None]:
    """Frames and seconds of the clips, from the headers of some of them."""
    step = max(1, -(-len(clips) // _LOOKED_INTO))
    looked = [(clip.size, *found) for clip in clips[::step] if (found := _probed(clip)) is not None]
    size = sum(one[0] for one in looked)
    if not size:
        return None, None
    share = sum(clip.size for clip in clips) / size
    return round(share * sum(one[1] for one in looked)), round(share * sum(one[2] for one in looked), 1)


def _probed(clip: Clip) -> tuple[int, float] | None:
    try:
        with reading(clip.source) as file:
            return probe(file)
    except (ZedoError, OSError):
        return None


def _rates(job: Job) -> tuple[dict[str, float] | None, str]:
    """Seconds of each stage for a frame: of earlier runs on the target, or of docs/batch.md; None for other methods."""
    seconds, frames = Counter[str](), 0
    for name in names_in(job.out):
        if name.startswith("run") and name.endswith(".json"):
            report = json.loads(read_bytes(joined(job.out, name)) or b"{}")
            seconds.update(report.get("seconds", {}))
            frames += report.get("frames", 0)
    if frames:
        return {stage: seconds[stage] / frames for stage in STAGES}, "rates of the runs before on this target"
    if job.request.method not in LIFT_MS:
        return None, f"no rates of {job.request.method} before a run"
    rates = {**RATES_MS, "lift": LIFT_MS[job.request.method]}
    return {stage: rates[stage] / 1000 for stage in STAGES}, "rates of one core in docs/batch.md, one person a frame"
