"""Training of the residual regressors, one after the other, each with all networks before it fixed (ERD section 3)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Generator, Tensor, nn

from zedo_core.data.mixture import Mixture
from zedo_core.errors import InputError
from zedo_core.methods.erd.calibration import calibrate
from zedo_core.methods.erd.curve import draw_descent
from zedo_core.methods.erd.descent import FEATURES, Descent
from zedo_core.methods.erd.features import View
from zedo_core.methods.erd.pairs import Batch
from zedo_core.methods.erd.training import LifterTask
from zedo_core.methods.erd.weights import load_weights, save_weights
from zedo_core.nets.residual import ResidualRegressor
from zedo_core.train.loop import STATE_FILE
from zedo_core.train.options import LoopOptions
from zedo_core.train.ranks import Ranks
from zedo_core.train.record import TrainProgress
from zedo_core.train.training import train
from zedo_core.weights.network import load_network, read_tensors, save_network

_STEM = "regressor"


@dataclass(frozen=True, kw_only=True)
class DescentOptions(LoopOptions):
    """Settings of the regressors' training; `steps` and the rest apply to each of them."""

    steps: int = 2000
    warmup: int = 100
    ema: float = 0.99
    regressors: int = 10  # number trained; those after the one with the smallest held-out error are left out
    features: str = "delta"  # what they see, see `descent.FEATURES`
    width: int = 256  # of their hidden layers
    # Train and measure with the root joint's true place instead of the one that fits best, as in the paper's tables.
    # Lifting does not know it.
    root_known: bool = False
    check_every: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.regressors <= 100:
            raise InputError(f"expected 1 to 100 regressors, got {self.regressors}; the lifter is trained before them")
        if self.features not in FEATURES:
            raise InputError(f"expected features among {', '.join(FEATURES)}, got '{self.features}'")
        if self.width < 1 or self.batch < 2:
            raise InputError(f"expected a width from 1 and at least 2 poses, got {self.width} and {self.batch}")


def train_regressors(
    lifter: LifterTask,
    out: Path,
    options: DescentOptions,
    *,
    device: torch.device,
    resume: bool = False,
    save_every_s: float = 120.0,
    on_row: Callable[[int, TrainProgress], None] = lambda number, progress: None,
    on_step: Callable[[int], None] = lambda step: None,
) -> dict[str, Any]:
    """Train regressors for the lifter in `out`, and replace its weights there by those of both, calibrated.

    Each has its state and its record in a folder of its own in `out`; `on_row` also receives its number, `on_step` the
    steps of all of them. Returns the errors of P_0 to P_K on held-out and on training poses, which are also drawn, and
    the K that was kept; nothing in processes that do not write.
    """
    for number in range(1, options.regressors + 1):
        folder = _folder(out, number)
        train(
            partial(RegressorTask.after, lifter, out, options, number),
            folder,
            options,
            device=device,
            resume=resume and (folder / STATE_FILE).is_file(),
            save_every_s=save_every_s,
            on_row=partial(on_row, number),
            on_step=lambda step, number=number: on_step((number - 1) * options.steps + step),
        )
    if not Ranks.from_environment().is_main:
        return {}
    net = load_networks(out, options, options.regressors, device)
    errors, training = (
        check.errors_of_descent(net, root_known=options.root_known) for check in (lifter.check, lifter.training_check)
    )
    draw_descent(out, training, errors)
    best = best_count(errors, noisy=lifter.options.noise.strength > 0 or lifter.held_out_pairs is not None)
    net.regressors = net.regressors[:best]
    calibration = calibrate(net, lifter.check, lifter.skeleton)
    save_weights(out, net, lifter.skeleton, out.resolve().name, calibration)
    return {"errors": errors, "training_errors": training, "regressors": best}


def best_count(errors: Sequence[Mapping[str, float]], *, noisy: bool) -> int:
    """The number of regressors with the least held-out error: with exact keypoints, and `noisy` ones if trained on."""
    kinds = ("mpjpe_mm", "mpjpe_noisy_mm") if noisy else ("mpjpe_mm",)
    return min(range(len(errors)), key=lambda k: sum(errors[k][kind] for kind in kinds))


def load_networks(out: Path, options: DescentOptions, count: int, device: torch.device) -> Descent:
    """The lifter and the first `count` regressors in `out`, where `train_regressors` trained them."""
    net = Descent(load_weights(out, device).net.lifter, options.features, 0, options.width)
    for number in range(1, count + 1):
        file = _folder(out, number) / f"{_STEM}.safetensors"
        net.regressors.append(load_network(file, net.new_regressor, read_tensors(file), device))
    return net.eval()


def _folder(out: Path, number: int) -> Path:
    return out / f"{_STEM}-{number:02d}"


@dataclass(frozen=True)
class RegressorTask:
    """Training task of the next regressor: the error that the mean pose still has."""

    errors: ClassVar[Mapping[str, str]] = LifterTask.errors
    errors_title: ClassVar[str] = LifterTask.errors_title

    net: ResidualRegressor
    fixed: Descent
    lifter: LifterTask
    options: DescentOptions
    number: int

    @classmethod
    def after(
        cls, lifter: LifterTask, out: Path, options: DescentOptions, number: int, device: torch.device
    ) -> RegressorTask:
        """The task of regressor `number`, after the networks in `out`."""
        fixed = load_networks(out, options, number - 1, device)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(options.seed + number)
            net = fixed.new_regressor().to(device)
        return cls(net, fixed, lifter, options, number)

    @property
    def objective(self) -> nn.Module:
        """The loss as a module of inputs, poses and what they are corrected to."""
        return _Objective(self.net)

    @property
    def identity(self) -> dict[str, str | None]:
        """The data, and the number of the regressor."""
        return self.lifter.identity | {"regressor": str(self.number)}

    @property
    def training_data(self) -> Mixture:
        """What the lifter's task draws from."""
        return self.lifter.training_data

    def on(self, training_data: Mixture) -> RegressorTask:
        """The same task that draws from other motion capture."""
        return replace(self, lifter=self.lifter.on(training_data))

    def batch(self, generator: Generator) -> tuple[Tensor, ...]:
        """Inputs of the regressor, mean poses so far, and true poses, in turned axes."""
        return self._prepared(self.lifter.pairs.draw(self.options.batch, generator))

    @torch.no_grad()
    def held_out_loss(self, net: ResidualRegressor) -> float:
        """Loss on held-out poses with the noise of training."""
        return float(_Objective(net.eval())(*self._prepared(self.lifter.held_out)))

    def measure(self, net: ResidualRegressor) -> dict[str, float]:
        """Errors of lifting held-out poses with this regressor as the last."""
        extended = Descent(self.fixed.lifter, self.fixed.features, 0, self.fixed.width)
        extended.regressors = nn.ModuleList([*self.fixed.regressors, net])
        return self.lifter.check.errors(extended.eval(), root_known=self.options.root_known)

    def save(self, net: ResidualRegressor, out: Path) -> None:
        """Write the regressor."""
        save_network(out, _STEM, net, {})

    def record(self) -> dict[str, Any]:
        """Facts about the data for the training record."""
        return self.lifter.record()

    @torch.no_grad()
    def _prepared(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        view = View.from_observations(batch.observed)
        root = batch.root @ view.R.mT if self.options.root_known else None
        current = self.fixed(view, root)[1][-1]
        return self.fixed.inputs(view, current, root), current, batch.pose @ view.R.mT


class _Objective(nn.Module):
    def __init__(self, net: ResidualRegressor) -> None:
        super().__init__()
        self.net = net

    def forward(self, inputs: Tensor, current: Tensor, target: Tensor) -> Tensor:
        return (current + self.net(inputs).view_as(current) - target).norm(dim=-1).mean()
