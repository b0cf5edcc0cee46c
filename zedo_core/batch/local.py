"""The engine of one machine: clips one after another in this process, or each in one of several processes."""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool

from zedo_core.batch.job import Failure, Job, Outcome, Step
from zedo_core.batch.stages import Stages
from zedo_core.batch.workers import DIED, Worker, one_thread
from zedo_core.pipeline.observe import OnProgress

_worker: Worker | None = None  # of a process


def run_here(job: Job, steps: Iterable[Step], on_progress: OnProgress) -> Iterator[Outcome]:
    """One clip after another in this process."""
    with one_thread():
        stages = Stages(job, on_progress=on_progress)
        for step in steps:
            yield stages.whole(step)


def run_in_processes(job: Job, steps: Iterable[Step], workers: int) -> Iterator[Outcome]:
    """Clips in several processes, as they are done.

    When a process dies, the clips that were in work are done again one by one, so that the one that kills is found.
    """
    waiting, suspects = iter(steps), deque[Step]()
    while True:
        alone = bool(suspects)
        lost: list[Step] = []
        pool = _pool(job, 1 if alone else workers)
        try:
            # as many clips in work as there are workers, and one more that waits
            yield from _worked(pool, _drained(suspects) if alone else waiting, 1 if alone else workers + 1, lost)
        finally:
            pool.shutdown(cancel_futures=True)
        if alone:
            for step in lost:
                yield Outcome(clip=step.clip, failure=Failure(source=step.clip.source, stage="worker", line=DIED))
        elif lost:
            suspects.extend(lost)
        else:
            return


def _pool(job: Job, workers: int) -> ProcessPoolExecutor:
    context = multiprocessing.get_context("spawn")  # a fork of a process with threads may lock up
    return ProcessPoolExecutor(workers, mp_context=context, initializer=_begin, initargs=(job,))


def _drained(steps: deque[Step]) -> Iterator[Step]:
    while steps:
        yield steps.popleft()


def _worked(pool: ProcessPoolExecutor, steps: Iterator[Step], most: int, lost: list[Step]) -> Iterator[Outcome]:
    """What became of the steps, until all are done or a process dies; then `lost` has those that were in work."""
    at_work: dict[Future[Outcome], Step] = {}
    while not lost:
        while len(at_work) < most and (step := next(steps, None)) is not None:
            try:
                at_work[pool.submit(_whole, step)] = step
            except BrokenProcessPool:
                lost.append(step)
                break
        if not at_work:
            return
        for future in wait(at_work, return_when=FIRST_COMPLETED).done:
            step = at_work.pop(future)
            try:
                yield future.result()
            except BrokenProcessPool:
                lost.append(step)
    lost.extend(at_work.values())


def _begin(job: Job) -> None:
    global _worker
    _worker = Worker(job)


def _whole(step: Step) -> Outcome:
    assert _worker is not None
    return _worker.whole(step)
