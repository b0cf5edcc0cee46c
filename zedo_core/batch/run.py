"""A run: what is to be done, an engine that does it, and what came out."""

from __future__ import annotations

import json
import logging
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace

from zedo_core.batch import target
from zedo_core.batch.clips import Clip, find_clips
from zedo_core.batch.cost import Cost, cost_of
from zedo_core.batch.job import STAGES, Failure, Job, Outcome, Step, digest_of
from zedo_core.batch.lease import held
from zedo_core.batch.local import run_here, run_in_processes
from zedo_core.batch.workers import one_thread
from zedo_core.errors import InputError, OutputError
from zedo_core.pipeline.models import Models, check_request
from zedo_core.pipeline.observe import OnProgress
from zedo_core.pipeline.request import PosesRequest
from zedo_core.storage.places import joined, placed, write_bytes
from zedo_core.version import __version__

ENGINES = ("local", "ray")
_log = logging.getLogger(__name__)

OnOutcome = Callable[[Outcome, "Tally"], None]


@dataclass(frozen=True, kw_only=True)
class BatchRequest:
    """What `zedo batch` is asked. `poses` says how clips are lifted; its input is replaced."""

    sources: tuple[str, ...]
    out: str  # folder or address
    poses: PosesRequest
    formats: tuple[str, ...] = ()  # files beside the tables, as of `zedo infer`; `overlay` is one of them
    engine: str = "local"
    workers: int | None = None  # processes; None for one a core, or one a GPU
    limit: int | None = None  # clips to be done in this run
    shard: tuple[int, int] = (1, 1)  # part I of N of the clips


@dataclass(frozen=True, kw_only=True)
class Tally:
    """What is done of a run so far, and how much there is: clips, frames and bytes."""

    clips: int
    of_clips: int
    frames: int
    bytes: int
    of_bytes: int


@dataclass(frozen=True, kw_only=True)
class BatchReport:
    """What a run did. `found` clips were named, `present` had their result; seconds per stage are of all workers.

    `decode` runs beside `detect`, whose seconds contain the waiting for it.
    """

    version: str
    engine: str
    workers: int | None
    found: int
    present: int
    done: int
    failed: int
    left: int
    frames: int
    poses: int
    start_s: float
    wall_s: float
    seconds: dict[str, float]
    failures: tuple[Failure, ...]
    table: str | None
    out: str


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is to be done: the clips of this part, how many of them have their result, and the steps."""

    job: Job
    found: int
    present: int
    left: int
    steps: tuple[Step, ...]


def plan(request: BatchRequest) -> Plan:
    """Find the clips and what is to be done. InputError for what cannot be, before anything is."""
    check_request(request.poses)
    target.check_formats(request.formats)
    if request.engine not in ENGINES:
        raise InputError(f"expected the engine {' or '.join(ENGINES)}, got '{request.engine}'")
    part, parts = request.shard
    if not 1 <= part <= parts:
        raise InputError(f"expected a part I/N with I from 1 to N, got {part}/{parts}")
    out = placed(request.out)
    clips = find_clips(request.sources, out)[part - 1 :: parts]
    with one_thread():
        digest = digest_of(request.poses, Models(replace(request.poses, device="cpu")))
    job = Job(request=request.poses, out=out, formats=request.formats, digest=digest)
    known = target.known_results(out, clips)
    steps = tuple(_steps(clips, known, job))
    limited = steps if request.limit is None else steps[: request.limit]
    return Plan(
        job=job,
        found=len(clips),
        present=len(clips) - len(steps),
        left=len(steps) - len(limited),
        steps=limited,
    )


def dry_run(request: BatchRequest) -> tuple[Plan, Cost]:
    """What a run would do, and what that would take."""
    planned = plan(request)
    return planned, cost_of(planned.job, [step.clip for step in planned.steps], _workers(request, planned))


def run_batch(
    request: BatchRequest,
    on_outcome: OnOutcome = lambda outcome, tally: None,
    on_progress: OnProgress = lambda stage, done, total: None,
) -> BatchReport:
    """Do what is to be done; a clip that fails is in the report and in a table, and does not end the run.

    `on_outcome` is called with each clip that is done, `on_progress` with the stages of a clip where one is done at a
    time. OutputError when the target cannot be written or another run has it; what is done stays done.
    """
    begun = time.perf_counter()
    planned = plan(request)
    job = planned.job
    with held(job.out, *request.shard):
        target.prepare(job.out)
        failed_before = target.failed_names(job.out)
        tally = _Tally(planned)
        for outcome in _outcomes(request, planned, on_progress):
            tally.add(outcome, time.perf_counter() - begun)
            for note in outcome.notes:
                _log.warning("%s", note)
            if outcome.failure is not None:
                if outcome.failure.fatal:
                    raise OutputError(outcome.failure.line)
                target.note_failure(job.out, outcome.clip, outcome.failure)
            elif outcome.clip.name in failed_before:
                target.forget_failure(job.out, outcome.clip.name)
            on_outcome(outcome, tally.now)
        table = target.write_failures(job.out) if tally.failures or failed_before else None
        report = tally.report(request, planned, time.perf_counter() - begun, table)
        write_bytes(joined(job.out, _run_name(request)), json.dumps(asdict(report), indent=2).encode())
    return report


def _steps(clips: Sequence[Clip], known: dict[str, target.Known], job: Job) -> Iterator[Step]:
    """The clips that have no result of this job, and those that may have changed."""
    for clip in clips:
        there = known.get(clip.name)
        if there is None or not there.is_of(job):
            yield Step(clip=clip)
        elif not there.is_same(clip):
            yield Step(clip=clip, known=there.sha256)


def _outcomes(request: BatchRequest, planned: Plan, on_progress: OnProgress) -> Iterator[Outcome]:
    if not planned.steps:
        return iter(())
    if request.engine == "ray":
        from zedo_core.batch.ray import run_on_ray

        return run_on_ray(planned.job, planned.steps, request.workers)
    workers = _workers(request, planned)
    if workers == 1:
        return run_here(planned.job, planned.steps, on_progress)
    return run_in_processes(planned.job, planned.steps, workers)


def _workers(request: BatchRequest, planned: Plan) -> int:
    """How many clips are done at a time on this machine: one where there is a GPU, else one a core."""
    if request.workers is not None:
        return request.workers
    import torch

    on_gpu = request.poses.device not in ("auto", "cpu") or (
        request.poses.device == "auto" and torch.cuda.is_available()
    )
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(1 if on_gpu else cores, len(planned.steps)))


def _run_name(request: BatchRequest) -> str:
    part, parts = request.shard
    return "run.json" if parts == 1 else f"run-{part}-of-{parts}.json"


class _Tally:
    """Counts of what is done."""

    def __init__(self, planned: Plan) -> None:
        self.failures: list[Failure] = []
        self._planned, self._seconds = planned, Counter[str]()
        self._clips = self._same = self._frames = self._poses = self._bytes = 0
        self._of_bytes = sum(step.clip.size for step in planned.steps)
        self._start_s = 0.0

    def add(self, outcome: Outcome, now_s: float) -> None:
        """Count a clip."""
        if self._clips == 0:
            self._start_s = max(0.0, now_s - sum(outcome.seconds.get(s, 0.0) for s in STAGES if s != "decode"))
        self._clips += 1
        self._same += outcome.same
        self._frames += outcome.frames
        self._poses += outcome.poses
        self._bytes += outcome.clip.size
        self._seconds.update(dict(outcome.seconds))
        if outcome.failure is not None:
            self.failures.append(outcome.failure)

    @property
    def now(self) -> Tally:
        """What is done so far."""
        return Tally(
            clips=self._clips,
            of_clips=len(self._planned.steps),
            frames=self._frames,
            bytes=self._bytes,
            of_bytes=self._of_bytes,
        )

    def report(self, request: BatchRequest, planned: Plan, wall_s: float, table: str | None) -> BatchReport:
        """The report at the end."""
        return BatchReport(
            version=__version__,
            engine=request.engine,
            workers=request.workers,
            found=planned.found,
            present=planned.present + self._same,
            done=self._clips - self._same - len(self.failures),
            failed=len(self.failures),
            left=planned.left,
            frames=self._frames,
            poses=self._poses,
            start_s=round(self._start_s, 3),
            wall_s=round(wall_s, 3),
            seconds={stage: round(self._seconds[stage], 3) for stage in STAGES},
            failures=tuple(self.failures),
            table=table,
            out=planned.job.out,
        )
