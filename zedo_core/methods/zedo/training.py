"""Training of the pose prior: score matching under the sub-VP SDE (paper section 4.2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Generator, Tensor, nn

from zedo_core.data.mixture import Mixture, hold_out
from zedo_core.diffusion.sde import SubVP
from zedo_core.errors import InputError
from zedo_core.methods.zedo.prior import Prior, save_prior
from zedo_core.methods.zedo.score_matching import sample_times, score_matching_loss
from zedo_core.methods.zedo.validation import LossCheck, TaskCheck
from zedo_core.nets.score_mlp import ScoreMLP, ScoreMLPConfig
from zedo_core.skeleton.files import skeleton_json
from zedo_core.train.augment import AugmentOptions, PoseSource
from zedo_core.train.options import LoopOptions
from zedo_core.train.record import TrainProgress, data_record
from zedo_core.train.training import train

SIZES = ("width", "blocks", "time_width")  # options that are also in the network's config
_POSES_PER_TIME = 4  # poses in a batch that share a diffusion time; with one each, a step takes a third longer


@dataclass(frozen=True, kw_only=True)
class TrainOptions(LoopOptions):
    """Settings of the prior's training."""

    width: int = 512  # width of the hidden layers, a multiple of 32
    blocks: int = 2  # residual blocks
    time_width: int = 256  # width of the time embedding
    dropout: float = 0.0  # 0.25 in the paper; 0 was better with augmented data
    small_t: float = 0.7  # fraction of the samples with t below `small_t_end`, since inference uses t <= 0.1
    small_t_end: float = 0.15
    held_out: float = 0.06  # fraction of the sequences held out for validation, drawn by the seed
    check_poses: int = 200  # held-out poses that are lifted for validation
    augment: AugmentOptions = field(default_factory=AugmentOptions)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.width % 32 or self.width < 64:  # with 32, every group of the normalisation would have one value
            raise InputError(f"expected a width that is a multiple of 32 and at least 64, got {self.width}")
        if min(self.blocks, self.check_poses) < 1 or self.time_width % 2 or self.time_width < 4:
            raise InputError("expected at least 1 block, at least 1 check pose and an even time width of at least 4")
        if not (0 <= self.dropout < 1 and 0 <= self.held_out < 1 and 0 <= self.small_t <= 1):
            raise InputError("expected dropout and held_out from 0 to below 1 and small_t from 0 to 1")
        if not 0.001 < self.small_t_end <= 1:
            raise InputError(f"expected small_t_end above 0.001 and up to 1, got {self.small_t_end:g}")


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

    Training starts from the weights of `start` (InputError if sizes or joints differ), or from random ones. `sources`
    goes into the record; for the other arguments see `zedo_core.train.training.train`.
    """
    if start is not None:
        _check_start(start, options, mixture)
    make = partial(PriorTask.from_mixture, mixture, options, start=start, sources=sources)
    return train(
        make, out, options, device=device, resume=resume, save_every_s=save_every_s, on_row=on_row, on_step=on_step
    )


@dataclass(frozen=True)
class PriorTask:
    """Training task of a score network: predicting the noise in poses drawn from motion capture."""

    errors: ClassVar[Mapping[str, str]] = {
        "mpjpe_1_mm": "MPJPE, chosen",
        "pa_mpjpe_1_mm": "PA-MPJPE, chosen",
        "mpjpe_10_mm": "MPJPE, best of 10",
        "pa_mpjpe_10_mm": "PA-MPJPE, best of 10",
    }
    errors_title: ClassVar[str] = "Held-out poses lifted under random cameras, mm"

    options: TrainOptions
    net: ScoreMLP
    source: PoseSource
    training_data: Mixture
    held_out_data: Mixture
    data_sha256: str  # of both together
    start: Prior | None
    sources: Sequence[dict[str, Any]]

    @classmethod
    def from_mixture(
        cls,
        mixture: Mixture,
        options: TrainOptions,
        device: torch.device,
        *,
        start: Prior | None = None,
        sources: Sequence[dict[str, Any]] = (),
    ) -> PriorTask:
        """Split the data and initialise the network with the weights of `start`, or randomly by the seed."""
        sizes = ScoreMLPConfig(
            joints=len(mixture.skeleton),
            dropout=options.dropout,
            **{size: getattr(options, size) for size in SIZES},
        )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(options.seed)
            net = ScoreMLP(sizes).to(device)
        if start is not None:
            net.load_state_dict(start.net.state_dict())
        training_data, held_out_data = hold_out(mixture, options.held_out, options.seed)
        source = PoseSource.from_mixture(training_data, options.augment, device, options.seed)
        return cls(options, net, source, training_data, held_out_data, mixture.sha256, start, sources)

    @property
    def objective(self) -> nn.Module:
        """The loss as a module of poses, times and noise."""
        return _Objective(self.net)

    @property
    def identity(self) -> dict[str, str | None]:
        """The data and the weights that training started from."""
        return {"data": self.data_sha256, "starting weights": self.start.sha256 if self.start else None}

    def on(self, training_data: Mixture) -> PriorTask:
        """The same task that draws from other motion capture."""
        o, device = self.options, self.source.device
        return replace(self, source=PoseSource.from_mixture(training_data, o.augment, device, o.seed))

    def batch(self, generator: Generator) -> tuple[Tensor, ...]:
        """Poses, diffusion times that several poses share, and noise."""
        poses = self.source.draw(self.options.batch, generator)
        t = sample_times(
            -(-self.options.batch // _POSES_PER_TIME),
            self.options.small_t,
            self.options.small_t_end,
            generator,
            self.source.device,
        )
        return poses, t, torch.randn(poses.shape, generator=generator, device=self.source.device)

    def held_out_loss(self, net: ScoreMLP) -> float:
        """Loss on held-out poses at the diffusion times of inference."""
        return self._loss_check.loss(net)

    def measure(self, net: ScoreMLP) -> dict[str, float]:
        """Errors of lifting held-out poses."""
        return self._task_check.errors(net)

    def save(self, net: ScoreMLP, out: Path) -> None:
        """Write the prior, named after its folder."""
        save_prior(out, net, SubVP(), self.training_data.skeleton, out.resolve().name)

    def record(self) -> dict[str, Any]:
        """Facts about the data and the starting weights for the training record."""
        return {
            "augment_used": asdict(self.source.options),
            "skeleton": skeleton_json(self.training_data.skeleton),
            "start": {"name": self.start.name, "sha256": self.start.sha256} if self.start else None,
            "data": data_record(self.training_data, self.held_out_data, self.data_sha256, self.sources),
        }

    @cached_property
    def _loss_check(self) -> LossCheck:
        return LossCheck.from_mixture(self.held_out_data, self.options.augment, self.options.seed, self.source.device)

    @cached_property
    def _task_check(self) -> TaskCheck:
        o = self.options
        return TaskCheck.from_mixtures(
            self.training_data, self.held_out_data, o.check_poses, o.augment.rarity, o.seed, self.source.device
        )


class _Objective(nn.Module):
    def __init__(self, net: ScoreMLP) -> None:
        super().__init__()
        self.net = net

    def forward(self, poses: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        return score_matching_loss(self.net, SubVP(), poses, t, noise)


def _check_start(start: Prior, options: TrainOptions, mixture: Mixture) -> None:
    """InputError unless the weights match the options and the joints of the data."""
    for name in SIZES:
        expected, given = getattr(start.net.config, name), getattr(options, name)
        if given != expected:
            raise InputError(
                f"{start.name}: expected a {name} of {expected} as in these weights, got {given}; leave the option out"
            )
    if start.skeleton != mixture.skeleton:
        raise InputError(
            f"{start.name}: expected data in its joints {start.skeleton.name}, got {mixture.skeleton.name}; "
            "train without these weights, or choose their joint set"
        )
