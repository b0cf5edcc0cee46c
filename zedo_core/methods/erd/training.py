"""The training task of the lifting network: poses seen by random cameras, with noise like that of detectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Generator, Tensor, nn

from zedo_core.data.mixture import Mixture, hold_out
from zedo_core.data.pairs import Pairs
from zedo_core.errors import InputError
from zedo_core.methods.calibration import Calibration
from zedo_core.methods.erd.descent import Descent
from zedo_core.methods.erd.loss import lifting_loss
from zedo_core.methods.erd.pairs import Batch, PairSource, fit_components, view_of
from zedo_core.methods.erd.validation import Known, LiftingCheck
from zedo_core.methods.erd.weights import ErdWeights, save_weights
from zedo_core.nets.lifter import Lifter2D, LifterConfig
from zedo_core.skeleton import Skeleton
from zedo_core.skeleton.files import skeleton_json
from zedo_core.train.augment import AugmentOptions, PoseSource
from zedo_core.train.noise import TRAINING, NoiseOptions
from zedo_core.train.options import LoopOptions
from zedo_core.train.record import data_record
from zedo_core.train.views import ViewOptions

_LOSS_POSES = 2048
_STATURE = 0.05  # relative deviation of body size in validation, as by `random_views`


@dataclass(frozen=True, kw_only=True)
class LifterOptions(LoopOptions):
    """Settings of the lifter's training."""

    lifter: LifterConfig = field(default_factory=LifterConfig)  # its number of joints is that of the data
    likelihood: float = 0.05  # weight of the mixture's likelihood; the rest of the loss is the mean pose's error
    noise: NoiseOptions = TRAINING
    views: ViewOptions = field(default_factory=ViewOptions)
    augment: AugmentOptions = field(default_factory=AugmentOptions)
    held_out: float = 0.06  # fraction of the sequences held out for validation, drawn by the seed
    check_poses: int = 1000  # held-out poses that are lifted for validation

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (0 <= self.held_out < 1 and self.likelihood >= 0 and self.check_poses >= 1):
            raise InputError("expected held_out from 0 to below 1, likelihood from 0 and at least 1 check pose")
        if self.batch < 2:
            raise InputError(f"expected at least 2 poses per batch, got {self.batch}")


@dataclass(frozen=True)
class LifterTask:
    """Training task of a lifting network."""

    errors: ClassVar[Mapping[str, str]] = {
        "mpjpe_mm": "MPJPE, exact",
        "pa_mpjpe_mm": "PA-MPJPE, exact",
        "mpjpe_noisy_mm": "MPJPE, detector noise",
        "pa_mpjpe_noisy_mm": "PA-MPJPE, detector noise",
    }
    errors_title: ClassVar[str] = "Held-out poses lifted under random cameras, mm"

    options: LifterOptions
    net: Lifter2D
    pairs: PairSource
    training_data: Mixture
    held_out_data: Mixture
    held_out_pairs: Pairs | None
    data_sha256: str  # of both together
    pairs_sha256: str | None  # likewise
    start: ErdWeights | None
    sources: Sequence[dict[str, Any]]

    @classmethod
    def from_mixture(
        cls,
        mixture: Mixture,
        options: LifterOptions,
        device: torch.device,
        *,
        pairs: Pairs | None = None,
        start: ErdWeights | None = None,
        sources: Sequence[dict[str, Any]] = (),
    ) -> LifterTask:
        """Split the data and initialise the network with the weights of `start`, or randomly by the seed.

        `pairs` are the user's own, beside the projections of `mixture`. InputError if sizes or joints differ from those
        of `start`.
        """
        config = replace(options.lifter, joints=len(mixture.skeleton))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(options.seed)
            net = Lifter2D(config, mixture.skeleton.edges).to(device)
        if start is not None:
            if start.net.lifter.config != config or start.skeleton != mixture.skeleton:
                raise InputError(
                    f"{start.name}: expected a network with the sizes of these weights for {start.skeleton.name}, got "
                    f"other options or data in {mixture.skeleton.name}"
                )
            net.load_state_dict(start.net.lifter.state_dict())
        training_data, held_out_data = hold_out(mixture, options.held_out, options.seed)
        own, held_out_pairs = pairs.hold_out(options.held_out, options.seed) if pairs else (None, None)
        source = _source(training_data, own, options, device)
        if config.components and start is None:
            fit_components(net, source, len(training_data), options.seed)
        return cls(
            options,
            net,
            source,
            training_data,
            held_out_data,
            held_out_pairs,
            mixture.sha256,
            pairs.sha256 if pairs else None,
            start,
            sources,
        )

    @property
    def skeleton(self) -> Skeleton:
        """The joint set."""
        return self.training_data.skeleton

    @property
    def objective(self) -> nn.Module:
        """The loss as a module of the values of a `Batch`."""
        return _Objective(self.net, self.options.likelihood, self.skeleton.root)

    @property
    def identity(self) -> dict[str, str | None]:
        """The data and the weights that training started from."""
        start = self.start.sha256 if self.start else None
        return {"data": self.data_sha256, "pairs": self.pairs_sha256, "starting weights": start}

    def on(self, training_data: Mixture) -> LifterTask:
        """The same task that draws from other motion capture beside the same pairs."""
        o, source = self.options, self.pairs.source
        projected = PoseSource.from_mixture(training_data, o.augment, source.device, o.seed)
        return replace(self, pairs=replace(self.pairs, source=projected))

    def batch(self, generator: Generator) -> tuple[Tensor, ...]:
        """Poses, slopes, confidences and roots."""
        return self.pairs.draw(self.options.batch, generator)

    @torch.no_grad()
    def held_out_loss(self, net: Lifter2D) -> float:
        """Loss on held-out poses with the noise of training."""
        return float(_Objective(net.eval(), self.options.likelihood, self.skeleton.root)(*self.held_out))

    def measure(self, net: Lifter2D) -> dict[str, float]:
        """Errors of lifting held-out poses."""
        return self.check.errors(Descent(net.eval()))

    def save(self, net: Lifter2D, out: Path) -> None:
        """Write the weights, named after their folder."""
        save_weights(out, Descent(net), self.skeleton, out.resolve().name, Calibration())

    def record(self) -> dict[str, Any]:
        """Facts about the data for the training record."""
        return {
            "augment_used": asdict(self.pairs.source.options),
            "skeleton": skeleton_json(self.skeleton),
            "start": {"name": self.start.name, "sha256": self.start.sha256} if self.start else None,
            "data": data_record(self.training_data, self.held_out_data, self.data_sha256, self.sources),
            "pairs": {
                "sha256": self.pairs_sha256,
                "frames": len(self.pairs.recorded.cumulative),
                "held_out_frames": len(self.held_out_pairs),
                "share": self.pairs.share,
            }
            if self.pairs.recorded is not None and self.held_out_pairs is not None
            else None,
        }

    @cached_property
    def check(self) -> LiftingCheck:
        """Held-out poses to lift; if there are pairs, those with noise are held-out pairs."""
        check, o = self.check_of(self.held_out_data), self.options
        if self.held_out_pairs is None:
            return check
        device = self.pairs.source.device
        return replace(check, noisy=Known.from_pairs(self.held_out_pairs, o.check_poses, self.skeleton, o.seed, device))

    @cached_property
    def training_check(self) -> LiftingCheck:
        """As many training poses to lift."""
        return self.check_of(self.training_data)

    def check_of(self, data: Mixture) -> LiftingCheck:
        """As many poses under random cameras, or under those of the options, in the heading and size that varies."""
        o, device = self.options, self.pairs.source.device
        if not o.views.cameras:
            return LiftingCheck.from_motions(data.motions, o.check_poses, o.seed, device)
        plain = AugmentOptions(**dict.fromkeys(vars(o.augment), 0.0) | {"stature": _STATURE})
        source = PairSource.from_mixture(
            data, None, device, augment=plain, noise=NoiseOptions(), views=o.views, seed=o.seed
        )
        return LiftingCheck.from_source(source, o.check_poses, o.seed, self.skeleton.root)

    @cached_property
    def held_out(self) -> Batch:
        """Held-out pairs with the noise of training."""
        device = self.pairs.source.device
        source = _source(self.held_out_data, self.held_out_pairs, self.options, device)
        return source.draw(_LOSS_POSES, Generator(device).manual_seed(self.options.seed + 1))


def _source(mixture: Mixture, pairs: Pairs | None, options: LifterOptions, device: torch.device) -> PairSource:
    o = options
    return PairSource.from_mixture(mixture, pairs, device, augment=o.augment, noise=o.noise, views=o.views, seed=o.seed)


class _Objective(nn.Module):
    def __init__(self, net: Lifter2D, likelihood: float, root: int) -> None:
        super().__init__()
        self.net, self.likelihood, self.root = net, likelihood, root

    def forward(self, poses: Tensor, slopes: Tensor, confidence: Tensor, root: Tensor) -> Tensor:
        view = view_of(slopes, confidence)
        return lifting_loss(self.net(view.local, view.whole), poses @ view.R.mT, self.likelihood, self.root)
