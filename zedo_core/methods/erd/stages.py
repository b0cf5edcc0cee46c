"""Training of all networks: the lifter, then the regressors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from zedo_core.data.mixture import Mixture
from zedo_core.data.pairs import Pairs
from zedo_core.methods.erd.regressors import DescentOptions, train_regressors
from zedo_core.methods.erd.training import LifterOptions, LifterTask
from zedo_core.methods.erd.weights import ErdWeights
from zedo_core.train.record import TrainProgress, write_record
from zedo_core.train.training import train

OnRow = Callable[[str, TrainProgress], None]


def train_erd(
    mixture: Mixture,
    out: Path,
    lifter: LifterOptions,
    descent: DescentOptions,
    *,
    device: torch.device,
    pairs: Pairs | None = None,
    start: ErdWeights | None = None,
    sources: Sequence[dict[str, Any]] = (),
    resume: bool = False,
    save_every_s: float = 120.0,
    on_row: OnRow = lambda stage, progress: None,
    on_step: Callable[[int], None] = lambda step: None,
) -> dict[str, Any]:
    """Train a lifter and its regressors, write weights, config, log, curves and record into `out`; return the record.

    `pairs` are the user's own, beside the projections of `mixture`.
    The lifter starts from that of `start`, or from random weights. `sources` goes into the record. `on_row` receives
    the name of the network in training with each row of its log, `on_step` the number of steps done of `steps_of`. For
    the other arguments see `zedo_core.train.training.train`.
    """
    tasks: list[LifterTask] = []

    def make(on: torch.device) -> LifterTask:
        tasks.append(LifterTask.from_mixture(mixture, lifter, on, pairs=pairs, start=start, sources=sources))
        return tasks[0]

    def on_lifter(row: TrainProgress) -> None:
        on_row("lifter", row)

    def on_regressor(number: int, row: TrainProgress) -> None:
        on_row(f"regressor {number}", row)

    record = train(
        make, out, lifter, device=device, resume=resume, save_every_s=save_every_s, on_row=on_lifter, on_step=on_step
    )
    result = train_regressors(
        tasks[0],
        out,
        descent,
        device=device,
        resume=resume,
        save_every_s=save_every_s,
        on_row=on_regressor,
        on_step=lambda step: on_step(lifter.steps + step),
    )
    if result:
        record |= {"descent": result}
        write_record(out, record)
    return record


def steps_of(lifter: LifterOptions, descent: DescentOptions) -> int:
    """The steps of all networks together."""
    return lifter.steps + descent.regressors * descent.steps
