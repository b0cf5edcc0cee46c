"""Training from the first or the last saved step to the files of the finished run."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from zedo_core.train.loop import STATE_FILE, Run
from zedo_core.train.options import LoopOptions
from zedo_core.train.ranks import Ranks, process_group
from zedo_core.train.record import TrainProgress, code_sha256, draw_curves, versions, write_log, write_record
from zedo_core.train.task import Task

_LOG_EVERY = 250  # steps

OnRow = Callable[[TrainProgress], None]
OnStep = Callable[[int], None]


def train(
    make: Callable[[torch.device], Task],
    out: Path,
    options: LoopOptions,
    *,
    device: torch.device,
    resume: bool = False,
    save_every_s: float = 120.0,
    on_row: OnRow = lambda progress: None,
    on_step: OnStep = lambda step: None,
) -> dict[str, Any]:
    """Train the task that `make` creates on a device, write weights, log, curves and record, and return the record.

    The state is saved every `save_every_s` seconds; `resume` continues from it exactly as if the run had not been
    interrupted. Under torchrun all processes take part, each with its own data, and the first one writes. `on_row`
    receives every row of the log, `on_step` the number of steps done. WeightsError when there is nothing to resume, or
    options or data differ.
    """
    ranks = Ranks.from_environment()
    with process_group(ranks, device) as own_device:
        run = Run.start(make(own_device), options, ranks)
        history = run.restore(out) if resume else []
        if ranks.is_main:
            _remove_partial(out)
        _train(run, out, history, save_every_s, on_row, on_step)
        record = _record(run, history)
        if ranks.is_main:
            run.task.save(run.averaged, out)
            write_record(out, record)
        return record


def _train(
    run: Run, out: Path, history: list[TrainProgress], save_every_s: float, on_row: OnRow, on_step: OnStep
) -> None:
    """Take all remaining steps; the main process measures, saves and reports."""
    o, is_main = run.options, run.ranks.is_main
    saved = time.monotonic()
    while run.step < o.steps:
        run.advance()
        on_step(run.step)
        last = run.step == o.steps
        checks = o.check_every > 0 and (last or run.step % o.check_every == 0)
        if is_main and (last or checks or run.step % _LOG_EVERY == 0):
            history.append(_row(run, checks))
            on_row(history[-1])
        if is_main and (last or time.monotonic() - saved > save_every_s):
            _save(run, out, history)
            saved = time.monotonic()


def _row(run: Run, checks: bool) -> TrainProgress:
    with _timed(run, "checks"):
        return TrainProgress(
            step=run.step,
            steps=run.options.steps,
            loss=run.mean_loss(),
            validation=run.task.held_out_loss(run.averaged),
            task=run.task.measure(run.averaged) if checks else None,
        )


def _save(run: Run, out: Path, history: list[TrainProgress]) -> None:
    with _timed(run, "saves"):
        run.save(out, history)
        write_log(out, history, run.task.errors)
        if history:
            draw_curves(out, history, run.task.errors, run.task.errors_title)


@contextmanager
def _timed(run: Run, part: str) -> Iterator[None]:
    """Add the duration of the block to a part of the run's time."""
    started = time.monotonic()
    try:
        yield
    finally:
        run.seconds[part] += time.monotonic() - started


def _remove_partial(out: Path) -> None:
    """Remove partly written states of killed processes."""
    stem, suffix = Path(STATE_FILE).stem, Path(STATE_FILE).suffix
    for path in out.glob(f".{stem}-*{suffix}"):
        path.unlink(missing_ok=True)


def _record(run: Run, history: Sequence[TrainProgress]) -> dict[str, Any]:
    last = history[-1] if history else None
    run.count_time()
    return {
        "options": asdict(run.options),
        **run.task.record(),
        "seed": run.options.seed,
        "versions": versions(),
        "code_sha256": code_sha256(type(run.task)),
        "device": str(run.device),
        "processes": run.ranks.world,
        "seconds": {name: round(value, 1) for name, value in run.seconds.items()},
        "resumed": run.resumed,
        "result": asdict(last) if last else None,
    }
