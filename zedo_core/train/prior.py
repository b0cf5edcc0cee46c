"""Training of the pose prior: score matching under the sub-VP SDE (paper section 4.2)."""

from __future__ import annotations

import csv
import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, astuple, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Generator, Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from zedo_core.checkpoint import save_prior
from zedo_core.data.mocap import Motions
from zedo_core.diffusion.sde import SubVP
from zedo_core.errors import InputError, WeightsError
from zedo_core.files import written_whole
from zedo_core.nets.score_mlp import ScoreMLP, ScoreMLPConfig
from zedo_core.skeleton import H36M17
from zedo_core.train.augment import AugmentOptions, PoseSource

STATE_FILE, RECORD_FILE, LOG_FILE = "training.pt", "training.json", "training.csv"


@dataclass(frozen=True, kw_only=True)
class TrainOptions:
    """How the prior is trained."""

    width: int = 512  # of the hidden layers, a multiple of 32
    blocks: int = 2  # residual blocks
    time_width: int = 256  # of the time embedding
    dropout: float = 0.0  # 0.25 in the paper; 0 was better with augmented data
    batch: int = 512  # poses a step
    steps: int = 20_000
    learning_rate: float = 1e-3  # at the top of the schedule: warm-up, then cosine to 1 %
    warmup: int = 500  # steps
    clip: float = 1.0  # largest norm of the gradient
    ema: float = 0.9995  # decay of the averaged weights, which are the ones that are saved
    small_t: float = 0.7  # share of the samples with t below `small_t_end`: inference uses t <= 0.1 only
    small_t_end: float = 0.15
    held_out: float = 0.06  # share of the sequences kept for the validation loss, drawn by the seed
    seed: int = 0
    augment: AugmentOptions = field(default_factory=AugmentOptions)

    def __post_init__(self) -> None:
        if self.width % 32 or self.width < 64:  # with 32, every group of the normalisation would hold one value
            raise InputError(f"expected a width that is a multiple of 32, from 64, got {self.width}")
        if min(self.blocks, self.batch, self.steps) < 1 or self.time_width % 2 or self.time_width < 4:
            raise InputError("expected at least 1 block, 1 pose a batch, 1 step and an even time width from 4")


@dataclass(frozen=True)
class TrainProgress:
    """What training reports: steps done, of how many, smoothed loss, loss of the averaged weights on held-out poses."""

    step: int
    steps: int
    loss: float
    validation: float


def train_prior(
    motions: Motions,
    out: Path,
    options: TrainOptions,
    *,
    device: torch.device,
    data_hash: str = "",
    resume: bool = False,
    save_every_s: float = 120.0,
    on_step: Callable[[TrainProgress], None] = lambda progress: None,
) -> dict[str, Any]:
    """Train a prior, write weights, config and record into `out`, and return the record.

    The state is saved every `save_every_s` seconds; `resume` goes on from it, step for step as an
    unbroken run would. WeightsError when there is nothing to resume or its options differ.
    """
    kept, held = hold_out(motions, options.held_out, options.seed)
    run = _Run.start(kept, options, device)
    history = run.restore(out) if resume else []
    check = _Validation.of(held, options, device)
    started = saved = time.monotonic()
    while run.step < options.steps:
        loss = run.advance()
        if run.step % 250 == 0 or run.step == options.steps:
            history.append(TrainProgress(run.step, options.steps, float(loss), check.loss(run.averaged)))
            on_step(history[-1])
        if time.monotonic() - saved > save_every_s:
            run.save(out, history)
            saved = time.monotonic()
    run.save(out, history)
    record = {
        "options": asdict(options),
        "data": {
            "sha256": data_hash,
            "frames": len(kept),
            "held_out_frames": len(held),
            "sequences": len(motions.names),
        },
        "versions": {"torch": torch.__version__},
        "device": str(device),
        "seconds": round(time.monotonic() - started, 1),
        "validation_loss": history[-1].validation if history else None,
    }
    _write_results(out, run, record, history)
    return record


def hold_out(motions: Motions, share: float, seed: int) -> tuple[Motions, Motions]:
    """Frames to train on, and those of a random `share` of the sequences (at least one, unless there is only one)."""
    count = len(motions.names)
    held = np.random.default_rng(seed).permutation(count)[: max(1, round(share * count))] if count > 1 else [0]
    is_held = np.isin(motions.sequence, held)
    kept = ~is_held if count > 1 else is_held
    return motions.take(np.flatnonzero(kept)), motions.take(np.flatnonzero(is_held))


def score_matching_loss(
    net: ScoreMLP, sde: SubVP, poses: Float[Tensor, "b j 3"], t: Float[Tensor, " b"], noise: Float[Tensor, "b j 3"]
) -> Float[Tensor, ""]:
    """|| std score + z ||^2, the mean over all coordinates; with score = -net / std it is || z - net ||^2."""
    mean, std = sde.mean(t)[:, None, None], sde.std(t)[:, None, None]
    return (net(mean * poses + std * noise, net.time_rows(t)) - noise).square().mean()


def sample_times(count: int, options: TrainOptions, generator: Generator, device: torch.device) -> Float[Tensor, " b"]:
    """Times in (0, 1], a share of them below `small_t_end`."""
    u = torch.rand(count, generator=generator, device=device)
    small = torch.rand(count, generator=generator, device=device) < options.small_t
    return torch.where(small, u * options.small_t_end, u).clamp_min(1e-3)


@dataclass
class _Run:
    """Everything that changes while training, so that it can be saved and restored as one."""

    source: PoseSource
    options: TrainOptions
    net: ScoreMLP
    average: AveragedModel
    optimizer: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler
    generator: Generator
    step: int = 0

    @classmethod
    def start(cls, motions: Motions, options: TrainOptions, device: torch.device) -> _Run:
        torch.manual_seed(options.seed)
        sizes = ScoreMLPConfig(
            joints=len(H36M17),
            width=options.width,
            time_width=options.time_width,
            blocks=options.blocks,
            dropout=options.dropout,
        )
        net = ScoreMLP(sizes).to(device).train()
        average = AveragedModel(net, multi_avg_fn=get_ema_multi_avg_fn(options.ema))
        optimizer = torch.optim.Adam(net.parameters(), lr=options.learning_rate)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step, options))
        source = PoseSource.from_motions(motions, options.augment, device, options.seed)
        generator = Generator(device).manual_seed(options.seed)
        return cls(source, options, net, average, optimizer, schedule, generator)

    @property
    def averaged(self) -> ScoreMLP:
        """The network with the averaged weights."""
        assert isinstance(self.average.module, ScoreMLP)
        return self.average.module

    def advance(self) -> Tensor:
        """One step; the loss stays on the device."""
        o, device = self.options, self.source.weights.device
        poses = self.source.draw(o.batch, self.generator)
        t = sample_times(o.batch, o, self.generator, device)
        noise = torch.randn(poses.shape, generator=self.generator, device=device)
        loss = score_matching_loss(self.net, SubVP(), poses, t, noise)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), o.clip)
        self.optimizer.step()
        self.schedule.step()
        self.average.update_parameters(self.net)
        self.step += 1
        return loss.detach()

    def save(self, out: Path, history: list[TrainProgress]) -> None:
        state = {
            "options": json.dumps(asdict(self.options), sort_keys=True),
            "step": self.step,
            "history": [list(astuple(row)) for row in history],
            "net": self.net.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "generator": self.generator.get_state(),
            "dropout": torch.get_rng_state(),
        }
        with written_whole(out / STATE_FILE) as partial:
            torch.save(state, partial)

    def restore(self, out: Path) -> list[TrainProgress]:
        path = out / STATE_FILE
        if not path.is_file():
            raise WeightsError(f"{path}: nothing to resume; start without --resume")
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:  # torch raises many kinds for damaged files
            kind = type(error).__name__
            raise WeightsError(f"{path}: the state is damaged ({kind}); start again without --resume") from None
        if state["options"] != json.dumps(asdict(self.options), sort_keys=True):
            raise WeightsError(f"{path}: was trained with other options; resume with the same ones or start again")
        self.net.load_state_dict(state["net"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.generator.set_state(state["generator"])
        torch.set_rng_state(state["dropout"])
        self.step = state["step"]
        return [TrainProgress(*row) for row in state["history"]]


@dataclass(frozen=True)
class _Validation:
    """Fixed held-out poses, times and noise: the same question at every check."""

    poses: Float[Tensor, "b j 3"]
    t: Float[Tensor, " b"]
    noise: Float[Tensor, "b j 3"]

    @classmethod
    def of(cls, motions: Motions, options: TrainOptions, device: torch.device, count: int = 2048) -> _Validation:
        plain = replace(options.augment, limb_exchange=0.0, rarity=0.0, rotation=0.0, root_tilt=0.0)
        generator = Generator(device).manual_seed(options.seed + 1)
        poses = PoseSource.from_motions(motions, plain, device).draw(count, generator)
        noise = torch.randn(poses.shape, generator=generator, device=device)
        return cls(poses, torch.linspace(0.01, 0.1, count, device=device), noise)

    @torch.no_grad()
    def loss(self, net: ScoreMLP) -> float:
        net.eval()
        return float(score_matching_loss(net, SubVP(), self.poses, self.t, self.noise))


def _rate(step: int, options: TrainOptions) -> float:
    if step < options.warmup:
        return (step + 1) / options.warmup
    along = (step - options.warmup) / max(1, options.steps - options.warmup)
    return 0.01 + 0.99 * 0.5 * (1.0 + math.cos(math.pi * min(along, 1.0)))


def _write_results(out: Path, run: _Run, record: dict[str, Any], history: list[TrainProgress]) -> None:
    save_prior(out, run.averaged, SubVP(), H36M17, out.resolve().name)
    with written_whole(out / RECORD_FILE) as partial:
        partial.write_text(json.dumps(record, indent=2) + "\n")
    with written_whole(out / LOG_FILE) as partial, open(partial, "w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow([column.name for column in fields(TrainProgress)])
        rows.writerows(astuple(row) for row in history)
