"""What every worker process sets up: one thread of computation, and warnings that go back with the clip.

With one thread the results do not depend on the number of cores, and clips are what runs in parallel.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

from zedo_core.batch.job import Job, Outcome, Step
from zedo_core.batch.stages import Stages

DIED = "the process that worked on it died (a crash, or killed for want of memory), twice"


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute in one thread: torch now, onnxruntime in the models that are loaded within."""
    import torch

    threads, variable = torch.get_num_threads(), os.environ.get("OMP_NUM_THREADS")
    torch.set_num_threads(1)
    os.environ["OMP_NUM_THREADS"] = "1"
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        if variable is None:
            del os.environ["OMP_NUM_THREADS"]
        else:
            os.environ["OMP_NUM_THREADS"] = variable


class Worker:
    """The stages in a process of their own; the warnings of a clip are in its step."""

    def __init__(self, job: Job) -> None:
        import torch

        torch.set_num_threads(1)
        os.environ["OMP_NUM_THREADS"] = "1"
        self._notes: list[str] = []
        logger = logging.getLogger("zedo_core")
        logger.handlers, logger.propagate = [_Notes(self._notes)], False
        self._stages = Stages(job)

    def __call__(self, stage: str, step: Step) -> Step:
        """The step after a stage."""
        self._notes.clear()
        done: Step = getattr(self._stages, stage)(step)
        return replace(done, notes=(*done.notes, *self._notes))

    def whole(self, step: Step) -> Outcome:
        """All stages of a clip."""
        for stage in ("detect", "lift", "motion", "export"):
            step = self(stage, step)
        return Outcome.from_step(step)


class _Notes(logging.Handler):
    def __init__(self, notes: list[str]) -> None:
        super().__init__(logging.WARNING)
        self.emit = partial(_note, notes)  # type: ignore[method-assign]


def _note(notes: list[str], record: logging.LogRecord) -> None:
    notes.append(record.getMessage())
