"""One training run: the state that changes from step to step, which can be saved and resumed exactly."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from zedo_core.errors import WeightsError
from zedo_core.storage.files import atomic_write
from zedo_core.train.options import LoopOptions
from zedo_core.train.ranks import Ranks
from zedo_core.train.record import TrainProgress
from zedo_core.train.stream import Blocks
from zedo_core.train.task import Task

STATE_FILE = "training.pt"
_FORMAT = "zedo-training-3"


@dataclass
class Run:
    """The state of a training run.

    The random numbers of a step depend only on the seed, the process and the step, so no generator state is saved.
    """

    task: Task
    options: LoopOptions
    ranks: Ranks
    objective: nn.Module
    average: AveragedModel
    optimizer: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler
    generator: Generator
    blocks: Blocks
    losses: Tensor  # sum since the last row of the log
    summed: int = 0  # number of losses in the sum
    step: int = 0
    seconds: dict[str, float] = field(default_factory=lambda: {"total": 0.0, "checks": 0.0, "saves": 0.0})
    resumed: int = 0  # how often the run was resumed
    since: float = field(default_factory=time.monotonic)  # time up to which the total is counted

    @classmethod
    def start(cls, task: Task, options: LoopOptions, ranks: Ranks) -> Run:
        """A new run, on the device of the task's network."""
        net, device = task.net.train(), next(task.net.parameters()).device
        fused = device.type in ("cpu", "cuda")
        optimizer = torch.optim.Adam(net.parameters(), lr=options.learning_rate, fused=fused)
        return cls(
            task=task,
            options=options,
            ranks=ranks,
            objective=DistributedDataParallel(task.objective) if ranks.world > 1 else task.objective,
            # With the statistics of batch normalisation: those of other weights do not fit.
            average=AveragedModel(net, multi_avg_fn=get_ema_multi_avg_fn(options.ema), use_buffers=True),
            optimizer=optimizer,
            schedule=torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate_factor(step, options)),
            generator=Generator(device),
            blocks=Blocks(task, ranks, options.steps),
            losses=torch.zeros((), device=device),
        )

    @property
    def device(self) -> torch.device:
        """Device of the run."""
        return self.losses.device

    @property
    def averaged(self) -> nn.Module:
        """The network with the averaged weights."""
        return self.average.module

    def advance(self) -> None:
        """Take one step; nothing leaves the device."""
        o, net, task = self.options, self.task.net, self.blocks.at(self.step)
        seed = step_seed(o.seed, self.ranks.rank, self.step)
        self.generator.manual_seed(seed)
        torch.manual_seed(seed)  # dropout uses torch's global generator
        batch = task.batch(self.generator)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=o.precision == "bf16"):
            loss = self.objective(*batch)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), o.clip)
        self.optimizer.step()
        self.schedule.step()
        self.average.update_parameters(net)
        self.losses += loss.detach()
        self.summed += 1
        self.step += 1

    def mean_loss(self) -> float:
        """The mean loss since the last call."""
        mean = float(self.losses) / max(1, self.summed)
        self.losses.zero_()
        self.summed = 0
        return mean

    def count_time(self) -> None:
        """Update the total of the seconds."""
        now = time.monotonic()
        self.seconds["total"] += now - self.since
        self.since = now

    def save(self, out: Path, history: list[TrainProgress]) -> None:
        """Write the state and the rows of the log."""
        self.count_time()
        state = {
            "format": _FORMAT,
            **self._identity(),
            "step": self.step,
            "losses": self.losses,
            "summed": self.summed,
            "seconds": self.seconds,
            "resumed": self.resumed,
            "history": [asdict(row) for row in history],
            "net": self.task.net.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
        }
        with atomic_write(out / STATE_FILE) as partial:
            torch.save(state, partial)

    def restore(self, out: Path) -> list[TrainProgress]:
        """Resume from a saved state and return the rows of its log; WeightsError when it is missing or does not fit."""
        path = out / STATE_FILE
        state = _read_state(path)
        for name, value in self._identity().items():
            if state.get(name) != value:
                raise WeightsError(f"{path}: was trained with other {name}; resume with the same or start again")
        try:
            self.task.net.load_state_dict(state["net"])
            self.average.load_state_dict(state["average"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.schedule.load_state_dict(state["schedule"])
            self.losses.copy_(state["losses"])
            self.step, self.summed, self.seconds = state["step"], state["summed"], state["seconds"]
            self.resumed = state["resumed"] + 1
            return [TrainProgress(**row) for row in state["history"]]
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise WeightsError(
                f"{path}: the state is damaged ({type(error).__name__}); start again without --resume"
            ) from None

    def _identity(self) -> dict[str, Any]:
        """Properties that have to be the same when a run is resumed."""
        options = json.dumps(asdict(self.options), sort_keys=True)
        return {"options": options, **self.task.identity, "processes": self.ranks.world}


def step_seed(seed: int, rank: int, step: int) -> int:
    """The seed of the random numbers of one step in one process."""
    return int(np.random.SeedSequence((seed, rank, step)).generate_state(1, np.uint32)[0])


def rate_factor(step: int, options: LoopOptions) -> float:
    """Factor on the learning rate: linear warm-up, then the decay of the options."""
    if step < options.warmup:
        return (step + 1) / options.warmup
    progress = (step - options.warmup) / max(1, options.steps - options.warmup)
    return options.decay(min(progress, 1.0))


def _read_state(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise WeightsError(f"{path}: nothing to resume; start without --resume")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds of exceptions for damaged files
        kind = type(error).__name__
        raise WeightsError(f"{path}: the state is damaged ({kind}); start again without --resume") from None
    if not isinstance(state, dict) or state.get("format") != _FORMAT:
        raise WeightsError(f"{path}: the state is from another version of zedo; start again without --resume")
    return state
