"""One clip through the stages of `zedo infer`, each a function from step to step that never raises."""

from __future__ import annotations

import logging
import os
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from zedo_core.batch import target
from zedo_core.batch.job import OVERLAY, Failure, Job, Outcome, Step
from zedo_core.errors import InputError, OutputError, ZedoError
from zedo_core.export.parquet import as_table
from zedo_core.pipeline.models import Models
from zedo_core.pipeline.observe import OnProgress, cameras_of, observe, open_input
from zedo_core.pipeline.request import InferRequest
from zedo_core.pipeline.run import draw_results, write_results
from zedo_core.pipeline.stages import hypotheses_of, motion_of, with_focal
from zedo_core.source import Source
from zedo_core.storage.files import sha256_of
from zedo_core.storage.places import fetched
from zedo_core.types import Frame

_log = logging.getLogger(__name__)


class Stages:
    """The stages for all clips of a job; networks are loaded when they are first needed, once."""

    def __init__(
        self, job: Job, models: Models | None = None, on_progress: OnProgress = lambda stage, done, total: None
    ) -> None:
        self._job, self._on_progress = job, on_progress
        self._models = models or Models(job.request)

    def whole(self, step: Step) -> Outcome:
        """All stages of a clip, one after another."""
        return Outcome.from_step(self.export(self.motion(self.lift(self.detect(step)))))

    def detect(self, step: Step) -> Step:
        """Read, decode and detect: a few frames are in memory at a time. `same` if its result is there already."""
        step = replace(step, worker=f"{socket.gethostname()}:{os.getpid()}")
        with ExitStack() as opened:
            paths: list[Path] = []

            def read(step: Step) -> Step:
                paths.append(opened.enter_context(_as_file(step)))
                digest = sha256_of(paths[0])
                return replace(step, sha256=digest, same=digest == step.known)

            step = _guarded(step, "read", read)
            return _guarded(step, "detect", lambda step: self._detected(step, paths[0]), *paths)

    def lift(self, step: Step) -> Step:
        """Hypotheses of the people in all frames of a clip, which are one batch of their own.

        Rows of other clips in it would change the last bits of its poses.
        """
        return _guarded(step, "lift", self._lifted)

    def motion(self, step: Step) -> Step:
        """What the frames of a track know of each other."""
        return _guarded(step, "motion", self._moved)

    def export(self, step: Step) -> Step:
        """Write the files that are wanted, then the table, with which the clip is done."""
        return _guarded(step, "export", self._exported)

    def _detected(self, step: Step, path: Path) -> Step:
        request = replace(self._job.request, input=path)
        decoding: list[float] = []
        try:
            source = open_input(request)
            observed = observe(request, source and _timed(source, decoding), self._models, self._on_progress)
        except InputError as error:  # what the detector has to say is of another kind
            return replace(step, failure=_failure(step, "decode", error, path))
        seconds = dict(step.seconds) | ({"decode": sum(decoding)} if source else {})
        return replace(
            step, observed=observed, cameras=cameras_of(request, observed.keypoints, source), seconds=seconds
        )

    def _lifted(self, step: Step) -> Step:
        assert step.observed is not None
        request, keypoints, lifter = self._job.request, step.observed.keypoints, self._models.lifter
        cameras = step.cameras
        if request.focal == "estimate":
            cameras = with_focal(request, keypoints, cameras, lifter, self._on_progress)
        return replace(step, poses=hypotheses_of(request, keypoints, cameras, lifter, self._on_progress))

    def _moved(self, step: Step) -> Step:
        assert step.observed is not None and step.poses is not None
        return replace(step, poses=motion_of(self._job.request, step.poses, step.observed))

    def _exported(self, step: Step) -> Step:
        assert step.observed is not None and step.poses is not None
        if self._job.formats:
            self._write_files(step)
        about = target.about(step, self._job)
        table = as_table(step.poses, step.observed.keypoints, step.clip.source, about)
        target.write_result(self._job.out, step.clip, table)
        return step

    def _write_files(self, step: Step) -> None:
        """The files of `zedo infer` in a folder of the clip."""
        assert step.observed is not None and step.poses is not None
        job = self._job
        with target.files_folder(job.out, step.clip) as folder:
            formats = tuple(name for name in job.formats if name != OVERLAY)
            request = InferRequest(
                **vars(replace(job.request, input=Path(step.clip.source))), out=folder, formats=formats
            )
            write_results(request, step.poses, step.observed, None)
            if OVERLAY in job.formats:
                with fetched(step.clip.source) as path:
                    source = open_input(replace(request, input=path))
                    draw_results(request, step.poses, step.observed.keypoints, source, self._on_progress)


@contextmanager
def _as_file(step: Step) -> Iterator[Path]:
    """The clip as a local file; see `fetched`."""
    if step.content is None:
        with fetched(step.clip.source) as path:
            yield path
        return
    with tempfile.TemporaryDirectory(prefix="zedo-") as folder:
        path = Path(folder) / (Path(step.clip.source).name or "clip")
        path.write_bytes(step.content)
        yield path


def _guarded(step: Step, stage: str, function: Callable[[Step], Step], path: Path | None = None) -> Step:
    """The step after a stage, with the time it took, or with the reason why it failed."""
    if step.failure is not None or step.same:
        return step
    start = time.perf_counter()
    try:
        done = function(step)
    except Exception as error:  # a fault of ours in one clip is no reason to lose the others
        _log.debug("%s: %s", step.clip.source, stage, exc_info=True)
        done = replace(step, failure=_failure(step, stage, error, path))
    took = time.perf_counter() - start
    return replace(done, seconds={**done.seconds, stage: done.seconds.get(stage, 0.0) + took})


def _failure(step: Step, stage: str, error: BaseException, path: Path | None = None) -> Failure:
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        line = "out of memory; try fewer hypotheses or shorter clips"
    elif isinstance(error, ZedoError):
        line = str(error)
    elif isinstance(error, OSError):
        line = f"{step.clip.source}: {error.strerror or error}"
    else:
        line = f"unexpected {type(error).__name__}: {error}"
    if path is not None:
        line = line.replace(str(path), step.clip.source)
    fatal = stage == "export" and isinstance(error, OutputError)
    return Failure(source=step.clip.source, stage=stage, line=" ".join(line.split()), fatal=fatal)


def _timed(source: Source, seconds: list[float]) -> Source:
    """The same source, which notes how long each of its frames took to read."""

    def read() -> Iterator[Frame]:
        frames = iter(source)
        while True:
            start = time.perf_counter()
            frame = next(frames, None)
            seconds.append(time.perf_counter() - start)
            if frame is None:
                return
            yield frame

    return replace(source, read=read)
