"""One training run: what changes from step to step, so that it can be saved and gone on with as if unbroken."""

from __future__ import annotations

import json
import math
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Generator, Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from zedo_core.data.mixture import Mixture
from zedo_core.diffusion.sde import SubVP
from zedo_core.errors import WeightsError
from zedo_core.methods.zedo.checkpoint import Prior
from zedo_core.nets.score_mlp import ScoreMLP, ScoreMLPConfig
from zedo_core.storage.files import written_whole
from zedo_core.train.augment import PoseSource
from zedo_core.train.options import SIZES, TrainOptions
from zedo_core.train.ranks import Ranks

STATE_FILE = "training.pt"
_FORMAT = "zedo-training-2"
_POSES_A_TIME = 4  # that share a time in a batch; a step with one for each takes a third longer


def score_matching_loss(
    net: ScoreMLP, sde: SubVP, poses: Float[Tensor, "b j 3"], t: Float[Tensor, " n"], noise: Float[Tensor, "b j 3"]
) -> Float[Tensor, ""]:
    """|| std score + z ||^2, the mean over all coordinates; with score = -net / std it is || z - net ||^2.

    The times may be fewer than the poses: each then holds for as many of them as come next to each other.
    """
    each = -(-len(poses) // len(t))
    rows = net.time_rows(t).repeat_interleave(each, dim=0)[: len(poses)]
    t = t.repeat_interleave(each)[: len(poses), None, None]
    return (net(sde.mean(t) * poses + sde.std(t) * noise, rows) - noise).square().mean()


def sample_times(count: int, options: TrainOptions, generator: Generator, device: torch.device) -> Float[Tensor, " n"]:
    """Times in (0, 1], a share of them below `small_t_end`."""
    u = torch.rand(count, generator=generator, device=device)
    small = torch.rand(count, generator=generator, device=device) < options.small_t
    return torch.where(small, u * options.small_t_end, u).clamp_min(1e-3)


class Objective(nn.Module):
    """The loss as a module, which is what DistributedDataParallel takes."""

    def __init__(self, net: ScoreMLP) -> None:
        super().__init__()
        self.net = net

    def forward(self, poses: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        return score_matching_loss(self.net, SubVP(), poses, t, noise)


@dataclass
class Run:
    """Everything that changes while training, and what it is trained on.

    The random numbers of a step follow from the seed, the process and the step, so none of their state is kept.
    """

    source: PoseSource
    options: TrainOptions
    ranks: Ranks
    data_sha256: str
    begun: dict[str, str] | None  # name and SHA-256 of the weights that it began with
    objective: nn.Module
    net: ScoreMLP
    average: AveragedModel
    optimizer: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler
    generator: Generator
    losses: Tensor  # their sum since the last row of the log
    summed: int = 0
    step: int = 0
    seconds: dict[str, float] = field(default_factory=lambda: {"total": 0.0, "checks": 0.0, "saves": 0.0})
    resumed: int = 0
    since: float = field(default_factory=time.monotonic)  # up to when the total is counted

    @classmethod
    def start(
        cls,
        mixture: Mixture,
        options: TrainOptions,
        ranks: Ranks,
        device: torch.device,
        digest: str,
        start: Prior | None = None,
    ) -> Run:
        """A run at step 0, with the weights of `start` or random ones; `digest` is of all the data, for `restore`."""
        sizes = ScoreMLPConfig(
            joints=len(mixture.skeleton),
            dropout=options.dropout,
            **{size: getattr(options, size) for size in SIZES},
        )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(options.seed)
            net = ScoreMLP(sizes)
        net = net.to(device).train()
        if start is not None:
            net.load_state_dict(start.net.state_dict())
        fused = device.type in ("cpu", "cuda")
        optimizer = torch.optim.Adam(net.parameters(), lr=options.learning_rate, fused=fused)
        objective: nn.Module = Objective(net)
        return cls(
            source=PoseSource.of(mixture, options.augment, device, options.seed),
            options=options,
            ranks=ranks,
            data_sha256=digest,
            begun={"name": start.name, "sha256": start.sha256} if start else None,
            objective=DistributedDataParallel(objective) if ranks.world > 1 else objective,
            net=net,
            average=AveragedModel(net, multi_avg_fn=get_ema_multi_avg_fn(options.ema)),
            optimizer=optimizer,
            schedule=torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate(step, options)),
            generator=Generator(device),
            losses=torch.zeros((), device=device),
        )

    @property
    def averaged(self) -> ScoreMLP:
        """The network with the averaged weights."""
        assert isinstance(self.average.module, ScoreMLP)
        return self.average.module

    def advance(self) -> None:
        """One step; nothing leaves the device."""
        o, device = self.options, self.source.device
        seed = step_seed(o.seed, self.ranks.rank, self.step)
        self.generator.manual_seed(seed)
        if o.dropout:
            torch.manual_seed(seed)  # it takes torch's own numbers
        poses = self.source.draw(o.batch, self.generator)
        t = sample_times(-(-o.batch // _POSES_A_TIME), o, self.generator, device)
        noise = torch.randn(poses.shape, generator=self.generator, device=device)
        with torch.autocast(device.type, torch.bfloat16, enabled=o.precision == "bf16"):
            loss = self.objective(poses, t, noise)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), o.clip)
        self.optimizer.step()
        self.schedule.step()
        self.average.update_parameters(self.net)
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
        """Bring the total of the seconds up to now."""
        now = time.monotonic()
        self.seconds["total"] += now - self.since
        self.since = now

    def save(self, out: Path, history: list[list[Any]]) -> None:
        """Write the state, with the rows of the log."""
        self.count_time()
        state = {
            "format": _FORMAT,
            **self._identity(),
            "step": self.step,
            "losses": self.losses,
            "summed": self.summed,
            "seconds": self.seconds,
            "resumed": self.resumed,
            "history": history,
            "net": self.net.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
        }
        with written_whole(out / STATE_FILE) as partial:
            torch.save(state, partial)

    def restore(self, out: Path) -> list[list[Any]]:
        """Go on from a state, and return the rows of its log; WeightsError when there is none or it does not fit."""
        path = out / STATE_FILE
        state = _read_state(path)
        for name, own in self._identity().items():
            if state.get(name) != own:
                raise WeightsError(f"{path}: was trained with other {name}; resume with the same ones or start again")
        try:
            self.net.load_state_dict(state["net"])
            self.average.load_state_dict(state["average"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.schedule.load_state_dict(state["schedule"])
            self.losses.copy_(state["losses"])
            self.step, self.summed, self.seconds = state["step"], state["summed"], state["seconds"]
            self.resumed = state["resumed"] + 1
            return state["history"]
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise WeightsError(
                f"{path}: the state is damaged ({type(error).__name__}); start again without --resume"
            ) from None

    def _identity(self) -> dict[str, Any]:
        """What a resumed run has to have in common with the one that was stopped."""
        options = json.dumps(asdict(self.options), sort_keys=True)
        return {
            "options": options,
            "data": self.data_sha256,
            "starting weights": self.begun["sha256"] if self.begun else None,
            "processes": self.ranks.world,
        }


def step_seed(seed: int, rank: int, step: int) -> int:
    """A seed of the random numbers of one step in one process."""
    return int(np.random.SeedSequence((seed, rank, step)).generate_state(1, np.uint32)[0])


def rate(step: int, options: TrainOptions) -> float:
    """Factor on the learning rate: warm-up, then a cosine down to 1 %."""
    if step < options.warmup:
        return (step + 1) / options.warmup
    along = (step - options.warmup) / max(1, options.steps - options.warmup)
    return 0.01 + 0.99 * 0.5 * (1.0 + math.cos(math.pi * min(along, 1.0)))


def _read_state(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise WeightsError(f"{path}: nothing to resume; start without --resume")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for damaged files
        kind = type(error).__name__
        raise WeightsError(f"{path}: the state is damaged ({kind}); start again without --resume") from None
    if not isinstance(state, dict) or state.get("format") != _FORMAT:
        raise WeightsError(f"{path}: the state is of another version of zedo; start again without --resume")
    return state
