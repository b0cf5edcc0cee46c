"""Stages that kill their process, for tests of the Ray engine, whose processes import this by name."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

from zedo_core.batch.job import Job, Step
from zedo_core.batch.ray import Operator

MARKS = "marks"  # in the target: then each kills once


class Deadly(Operator):
    """The stages, of which detection kills its process at c1, and lifting at c2."""

    def __init__(self, job: Job, *arguments: Any) -> None:
        super().__init__(job, *arguments)
        real: Any = self._worker
        marks = Path(job.out, MARKS)

        def work(stage: str, step: Step) -> Step:
            if (stage, Path(step.clip.source).name) in (("detect", "c1.mp4"), ("lift", "c2.mp4")):
                mark = marks / stage
                if not mark.exists():
                    if marks.is_dir():
                        mark.touch()
                    os.kill(os.getpid(), signal.SIGKILL)
            return real(stage, step)

        self._worker: Any = work
