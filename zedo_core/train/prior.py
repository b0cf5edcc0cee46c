"""Training of the pose prior: score matching under the sub-VP SDE (paper section 4.2)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from zedo_core.data.mixture import Mixture, hold_out
from zedo_core.diffusion.sde import SubVP
from zedo_core.errors import InputError
from zedo_core.methods.zedo.checkpoint import Prior, save_prior
from zedo_core.skeleton.files import skeleton_json
from zedo_core.train.loop import STATE_FILE, Run
from zedo_core.train.options import SIZES, TrainOptions
from zedo_core.train.ranks import Ranks, joined
from zedo_core.train.record import (
    TrainProgress,
    code_sha256,
    draw_curves,
    of_rows,
    to_rows,
    versions,
    write_log,
    write_record,
)
from zedo_core.train.validation import LossCheck, TaskCheck

__all__ = ["TrainOptions", "TrainProgress", "train_prior"]

_LOG_EVERY = 250  # steps


def train_prior(
    mixture: Mixture,
    out: Path,
    options: TrainOptions,
    *,
    device: torch.device,
    start: Prior | None = None,
    sources: Sequence[dict[str, Any]] = (),
    resume: bool = False,
    save_every_s: float = 120.0,
    on_row: Callable[[TrainProgress], None] = lambda progress: None,
    on_step: Callable[[int], None] = lambda step: None,
) -> dict[str, Any]:
    """Train a prior, write weights, config, log, curves and record into `out`, and return the record.

    It begins with the weights of `start` (InputError where sizes or joints differ), random ones without.
    The state is saved every `save_every_s` seconds; `resume` goes on from it, step for step as an
    unbroken run would. Under torchrun all processes take part, each with poses of its own, and the first
    writes. `sources` goes into the record. `on_row` gets every row of the log, `on_step` the number of
    steps done. WeightsError when there is nothing to resume, or it is of other options or data.
    """
    if start is not None:
        _check_start(start, options, mixture)
    ranks = Ranks.of_environment()
    with joined(ranks, device) as own_device:
        kept, held = hold_out(mixture, options.held_out, options.seed)
        run = Run.start(kept, options, ranks, own_device, mixture.sha256, start)
        history = of_rows(run.restore(out)) if resume else []
        if ranks.leads:
            _clear(out)
        _train(run, kept, held, out, history, save_every_s, on_row, on_step)
        record = _record(run, mixture, kept, held, history, sources)
        if ranks.leads:
            save_prior(out, run.averaged, SubVP(), mixture.skeleton, out.resolve().name)
            write_record(out, record)
        return record


def _check_start(start: Prior, options: TrainOptions, mixture: Mixture) -> None:
    """InputError unless the weights fit the options and the joints of the data."""
    for name in SIZES:
        expected, given = getattr(start.net.config, name), getattr(options, name)
        if given != expected:
            raise InputError(
                f"{start.name}: expected a {name} of {expected} as in these weights, got {given}; leave it out"
            )
    if start.skeleton != mixture.skeleton:
        raise InputError(
            f"{start.name}: expected data in its joints {start.skeleton.name}, got {mixture.skeleton.name}; "
            "start without these weights, or give its joint set"
        )


def _train(
    run: Run,
    kept: Mixture,
    held: Mixture,
    out: Path,
    history: list[TrainProgress],
    save_every_s: float,
    on_row: Callable[[TrainProgress], None],
    on_step: Callable[[int], None],
) -> None:
    """All steps that are left; the first process measures, saves and tells."""
    o, device, leads = run.options, run.source.device, run.ranks.leads
    loss = LossCheck.of(held, o, device) if leads else None
    task = TaskCheck.of(kept, held, o, device) if leads and o.check_every else None
    saved = time.monotonic()
    while run.step < o.steps:
        run.advance()
        on_step(run.step)
        last = run.step == o.steps
        checks = task is not None and (last or run.step % o.check_every == 0)
        if loss is not None and (last or checks or run.step % _LOG_EVERY == 0):
            with _timed(run, "checks"):
                errors = task.errors(run.averaged) if task and checks else None
                row = TrainProgress(run.step, o.steps, run.mean_loss(), loss.loss(run.averaged), errors)
            history.append(row)
            on_row(row)
        if leads and (last or time.monotonic() - saved > save_every_s):
            _save(run, out, history)
            saved = time.monotonic()


def _save(run: Run, out: Path, history: list[TrainProgress]) -> None:
    with _timed(run, "saves"):
        run.save(out, to_rows(history))
        write_log(out, history)
        if history:
            draw_curves(out, history)


@contextmanager
def _timed(run: Run, part: str) -> Iterator[None]:
    """Add the seconds of the block to a part of the run's time."""
    started = time.monotonic()
    try:
        yield
    finally:
        run.seconds[part] += time.monotonic() - started


def _clear(out: Path) -> None:
    """Remove what a killed process left half written."""
    stem, suffix = Path(STATE_FILE).stem, Path(STATE_FILE).suffix
    for path in out.glob(f".{stem}-*{suffix}"):
        path.unlink(missing_ok=True)


def _record(
    run: Run,
    mixture: Mixture,
    kept: Mixture,
    held: Mixture,
    history: Sequence[TrainProgress],
    sources: Sequence[dict[str, Any]],
) -> dict[str, Any]:
    last = history[-1] if history else None
    run.count_time()
    return {
        "options": asdict(run.options),
        "augment_used": asdict(run.source.options),
        "skeleton": skeleton_json(mixture.skeleton),
        "start": run.begun,
        "data": {
            "sha256": run.data_sha256,
            "frames": len(kept),
            "held_out_frames": len(held),
            "sequences": len(mixture.motions.names),
            "sources": list(sources),
        },
        "seed": run.options.seed,
        "versions": versions(),
        "code_sha256": code_sha256(),
        "device": str(run.source.device),
        "processes": run.ranks.world,
        "seconds": {name: round(value, 1) for name, value in run.seconds.items()},
        "resumed": run.resumed,
        "result": asdict(last) if last else None,
    }
