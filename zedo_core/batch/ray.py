"""The engine of many machines: Ray Data, whose operators are the stages; the only module that imports ray.

Detection and lifting are actors, which hold the networks; motion and export are tasks. Between them travels one row a
clip, so that a track stays whole; Ray's streaming keeps as many in memory as there is room for.
"""

from __future__ import annotations

import logging
import os
import pickle
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from zedo_core.batch.job import Failure, Job, Outcome, Step
from zedo_core.batch.workers import DIED, Worker
from zedo_core.errors import DeviceError, MissingExtraError

# Shares of a core, by the time that stages take; together those of a worker are one, so that all fit at once.
_CORES = {"detect": 0.5, "lift": 0.3, "motion": 0.1, "export": 0.1}
_GPUS = {"detect": 0.5, "lift": 0.5}  # of a worker with a GPU
_ATTEMPTS = 2  # at a stage of a clip: Ray itself does again for ever what killed its process
_BLOCKS = 10_000  # most of the pieces that Ray keeps count of, each a clip or, of more clips, several
_ACTORS = ("detect", "lift")


def run_on_ray(job: Job, steps: Sequence[Step], workers: int | None) -> Iterator[Outcome]:
    """What became of each clip, in the order in which they are done; the cluster is that of RAY_ADDRESS, or begun here.

    MissingExtraError without ray.
    """
    ray = require()
    with cluster(ray, workers), _patient(ray):
        rows = [{"step": pickle.dumps(step)} for step in steps]
        dataset = ray.data.from_items(rows, override_num_blocks=min(len(rows), _BLOCKS))
        lost = {step.clip.name: step for step in steps}
        for batch in with_stages(dataset, job, workers).iter_batches(batch_size=None, batch_format="pyarrow"):
            for row in batch["step"].to_pylist():
                outcome: Outcome = pickle.loads(row)
                if lost.pop(outcome.clip.name, None) is not None:
                    yield outcome
        for step in lost.values():
            yield Outcome(clip=step.clip, failure=Failure(source=step.clip.source, stage="worker", line=DIED))


def with_stages(dataset: Any, job: Job, workers: int | None, last: type[Operator] | None = None) -> Any:
    """A Ray Dataset of steps through all stages, to outcomes, or to what `last` makes of steps after `motion`."""
    ray = require()
    cores, gpus = _size(job)
    count = workers or max(1, gpus or cores)
    attempts = ray.remote(num_cpus=0)(_Attempts).remote()
    for stage in _CORES:
        options: dict[str, Any] = {"num_cpus": _CORES[stage], "batch_size": 1, "batch_format": "pyarrow"}
        options["concurrency"] = (1, count) if stage == "lift" else count
        if stage in _ACTORS:
            options |= {"num_gpus": _GPUS[stage]} if gpus else {}
            dataset = dataset.map_batches(Operator, fn_constructor_args=(job, stage, attempts), **options)
        else:
            kind = last if last is not None and stage == "export" else Operator
            given = {"kind": kind, "job": job, "stage": stage, "attempts": attempts}
            dataset = dataset.map_batches(task, fn_kwargs=given, **options)
    return dataset


class Operator:
    """A stage as Ray calls it: tables of one pickled step in, of one pickled step or outcome out."""

    def __init__(self, job: Job, stage: str, attempts: Any) -> None:
        self._worker, self._stage, self._attempts = Worker(job), stage, attempts

    def __call__(self, table: Any) -> Any:
        """The table after the stage."""
        import pyarrow as pa

        steps = [self._done(pickle.loads(row)) for row in table["step"].to_pylist()]
        results = [Outcome.from_step(step) if self._stage == "export" else step for step in steps]
        return pa.table({"step": pa.array([pickle.dumps(result) for result in results], pa.large_binary())})

    def _done(self, step: Step) -> Step:
        if require().get(self._attempts.begin.remote(self._stage, step.clip.name)) > _ATTEMPTS:
            return replace(step, failure=Failure(source=step.clip.source, stage=self._stage, line=DIED))
        return self._worker(self._stage, step)


class _Attempts:
    """How often each stage of a clip was begun; a process of its own, which those that die do not take along."""

    def __init__(self) -> None:
        self._begun = Counter[tuple[str, str]]()

    def begin(self, stage: str, name: str) -> int:
        """Count, and say how often it was begun, this time included."""
        self._begun[stage, name] += 1
        return self._begun[stage, name]


def task(table: Any, kind: type[Operator], job: Job, stage: str, attempts: Any) -> Any:
    """A stage without networks, for a table of one step."""
    return kind(job, stage, attempts)(table)


def require() -> Any:
    """The package; MissingExtraError without it."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # it writes to stderr
    os.environ.setdefault("RAY_worker_niceness", "0")  # that of this process; Ray's own would let others go first
    try:
        import ray
        import ray.data
    except ImportError:
        raise MissingExtraError.of("Ray", "ray", "ray") from None
    return ray


@contextmanager
def cluster(ray: Any, workers: int | None) -> Iterator[None]:
    """The cluster that is there, or one of this machine for as long as the run."""
    if ray.is_initialized():
        yield
        return
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.CRITICAL}
    logging.getLogger("ray").setLevel(logging.CRITICAL)
    try:
        with _silent():
            if os.environ.get("RAY_ADDRESS"):
                ray.init(**quiet)
            else:
                ray.init(address="local", num_cpus=workers, include_dashboard=False, **quiet)
    except (ConnectionError, RuntimeError, ValueError) as error:
        reason = (str(error).strip().splitlines() or [""])[0]
        raise DeviceError(f"Ray: expected a cluster that can be used, got '{reason}'; check RAY_ADDRESS") from None
    try:
        yield
    finally:
        ray.shutdown()


@contextmanager
def _silent() -> Iterator[None]:
    """Nothing on stderr, to which Ray's C++ writes that it was told to write nothing."""
    kept = os.dup(2)
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nothing)


@contextmanager
def _patient(ray: Any) -> Iterator[None]:
    """Ray Data without bars, and going on when the process of a clip died too often."""
    context = ray.data.DataContext.get_current()
    before = (context.max_errored_blocks, context.enable_progress_bars)
    logger = logging.getLogger("ray.data")
    level = logger.level
    context.max_errored_blocks, context.enable_progress_bars = -1, False
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        context.max_errored_blocks, context.enable_progress_bars = before
        logger.setLevel(level)


def _size(job: Job) -> tuple[int, int]:
    """Cores and GPUs of the cluster; no GPUs where the job is to run on the CPU."""
    resources = require().cluster_resources()
    return int(resources.get("CPU", 1)), 0 if job.request.device == "cpu" else int(resources.get("GPU", 0))
