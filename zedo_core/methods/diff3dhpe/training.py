"""The training task of the denoiser: sequences under random cameras, with errors like a detector's that last."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Generator, Tensor, nn

from zedo_core.data.mixture import Mixture, hold_out
from zedo_core.diffusion.ddim import clean_weight, noised
from zedo_core.errors import InputError
from zedo_core.methods.diff3dhpe.calibration import calibrate
from zedo_core.methods.diff3dhpe.denoiser import TIMES, Denoiser
from zedo_core.methods.diff3dhpe.features import BONE_FEATURES, FEATURES, GUIDE_FEATURES, UNIT_M
from zedo_core.methods.diff3dhpe.loss import LossOptions, denoising_loss
from zedo_core.methods.diff3dhpe.pairs import Pairs, PairSource
from zedo_core.methods.diff3dhpe.validation import SequenceCheck
from zedo_core.methods.diff3dhpe.weights import DiffWeights, save_weights
from zedo_core.methods.erd.weights import ErdWeights
from zedo_core.nets.mixste import MixSTE, MixSTEConfig
from zedo_core.skeleton import Skeleton
from zedo_core.skeleton.files import skeleton_json
from zedo_core.train.augment import AugmentOptions
from zedo_core.train.noise import TRAINING, DetectorNoise, NoiseOptions
from zedo_core.train.options import LoopOptions
from zedo_core.train.record import data_record
from zedo_core.train.sequences import SequenceOptions, SequenceSource
from zedo_core.train.views import ViewOptions

LOSS_WINDOWS = 64
SEQUENCE_NOISE = replace(TRAINING, clean=0.4)  # about half of the sequences have no or light errors


@dataclass(frozen=True, kw_only=True)
class DenoiserOptions(LoopOptions):
    """Settings of the denoiser's training."""

    batch: int = 32
    ema: float = 0.998
    net: MixSTEConfig = field(default_factory=MixSTEConfig)  # its number of joints is that of the data
    loss: LossOptions = field(default_factory=LossOptions)
    sequences: SequenceOptions = field(default_factory=SequenceOptions)
    noise: NoiseOptions = SEQUENCE_NOISE
    views: ViewOptions = field(default_factory=ViewOptions)
    augment: AugmentOptions = field(default_factory=lambda: AugmentOptions(limb_exchange=0.05))
    # Fraction of the samples in which lengths of bones are given to the network (PriorFormer); None for a network that
    # does not see them.
    bones: float | None = None
    pure: float = 0.3  # fraction of the samples at the last time, where every denoising starts: noise alone
    held_out: float = 0.06  # fraction of the sequences held out for validation, drawn by the seed
    check_windows: int = 100  # held-out windows that are lifted for validation

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.bones is not None and not 0 < self.bones <= 1:
            raise InputError(f"expected bones above 0 and up to 1, got {self.bones}")
        if not (0 <= self.held_out < 1 and 0 <= self.pure <= 1 and self.check_windows >= 1):
            raise InputError("expected held_out from 0 to below 1, pure from 0 to 1 and at least 1 check window")


@dataclass(frozen=True)
class DenoiserTask:
    """Training task of a denoiser."""

    errors: ClassVar[Mapping[str, str]] = {
        "mpjpe_mm": "MPJPE, exact, one pass",
        "mpjpe_5_mm": "MPJPE, exact, 5 steps",
        "mpjpe_noisy_mm": "MPJPE, detector noise, one pass",
        "mpjpe_5_noisy_mm": "MPJPE, detector noise, 5 steps",
        "mpjpe_bones_mm": "MPJPE, exact, one pass, bones known",
        "acceleration_mm": "acceleration, exact, one pass",
    }
    errors_title: ClassVar[str] = "Held-out sequences lifted under random cameras, mm"

    options: DenoiserOptions
    net: MixSTE
    pairs: PairSource
    training_data: Mixture
    held_out_data: Mixture
    data_sha256: str  # of both together
    start: DiffWeights | None
    erd: ErdWeights | None
    sources: Sequence[dict[str, Any]]

    @classmethod
    def from_mixture(
        cls,
        mixture: Mixture,
        options: DenoiserOptions,
        device: torch.device,
        *,
        start: DiffWeights | None = None,
        erd: ErdWeights | None = None,
        sources: Sequence[dict[str, Any]] = (),
    ) -> DenoiserTask:
        """Split the data and initialise the network with the weights of `start`, or randomly by the seed.

        `erd` gives the guide; without it there is none. InputError if sizes or joints differ from those of `start`, or
        joints from those of `erd`.
        """
        features = FEATURES + (GUIDE_FEATURES if erd else 0) + (BONE_FEATURES if options.bones is not None else 0)
        config = replace(options.net, joints=len(mixture.skeleton), features=features)
        if erd is not None and erd.skeleton != mixture.skeleton:
            raise InputError(
                f"{erd.name}: expected a guide for {mixture.skeleton.name}, found one for {erd.skeleton.name}; train "
                "one with 'zedo train erd', or train without"
            )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(options.seed)
            net = MixSTE(config).to(device)
        if start is not None:
            same = start.denoiser.net.config == config and start.bones == (options.bones is not None)
            if not same or start.skeleton != mixture.skeleton:
                raise InputError(
                    f"{start.name}: expected a network with the sizes of these weights for {start.skeleton.name}, got "
                    f"other options or data in {mixture.skeleton.name}"
                )
            net.load_state_dict(start.denoiser.net.state_dict())
        training_data, held_out_data = hold_out(mixture, options.held_out, options.seed)
        erd = erd.to(device) if erd else None
        pairs = _pairs(training_data, options, erd, device)
        return cls(options, net, pairs, training_data, held_out_data, mixture.sha256, start, erd, sources)

    @property
    def skeleton(self) -> Skeleton:
        """The joint set."""
        return self.training_data.skeleton

    @property
    def objective(self) -> nn.Module:
        """The loss as a module of what `batch` gives."""
        return Objective(self.net, self.options.loss)

    @property
    def identity(self) -> dict[str, str | None]:
        """The data, and the weights that training started from and that give the guide."""
        weights = {"starting weights": self.start, "weights of the guide": self.erd}
        return {"data": self.data_sha256, **{name: one.sha256 if one else None for name, one in weights.items()}}

    def on(self, training_data: Mixture) -> DenoiserTask:
        """The same task that draws from other motion capture."""
        return replace(self, pairs=_pairs(training_data, self.options, self.erd, self.pairs.source.device))

    def batch(self, generator: Generator) -> tuple[Tensor, ...]:
        """Times, noise, and the fields of `Pairs`."""
        o = self.options
        return noised_batch(self.pairs.draw(o.batch, generator), self.net.config, o.pure, generator)

    @torch.no_grad()
    def held_out_loss(self, net: MixSTE) -> float:
        """Loss on held-out sequences with the noise of training."""
        return float(Objective(net.eval(), self.options.loss)(*self.held_out))

    def measure(self, net: MixSTE) -> dict[str, float]:
        """Errors of lifting held-out sequences."""
        return self.check.errors(Denoiser(net.eval()).to(self.pairs.source.device))

    def save(self, net: MixSTE, out: Path) -> None:
        """Write the weights, named after their folder, with the calibration of their expected errors."""
        known = calibrate(Denoiser(net.eval()).to(self.pairs.source.device), self.check)
        name, o = out.resolve().name, self.options
        save_weights(out, net, self.skeleton, name, o.sequences, known, self.erd, bones=o.bones is not None)

    def record(self) -> dict[str, Any]:
        """Facts about the data for the training record."""
        return {
            "augment_used": asdict(self.pairs.source.augment),
            "skeleton": skeleton_json(self.skeleton),
            "start": {"name": self.start.name, "sha256": self.start.sha256} if self.start else None,
            "guide": {"name": self.erd.name, "sha256": self.erd.sha256} if self.erd else None,
            "data": data_record(self.training_data, self.held_out_data, self.data_sha256, self.sources),
        }

    @cached_property
    def check(self) -> SequenceCheck:
        """Held-out windows to lift."""
        o, device = self.options, self.pairs.source.device
        return SequenceCheck.from_mixture(
            self.held_out_data, self.net.config, o.sequences, self.erd, o.check_windows, o.seed, device,
            bones=o.bones is not None,
        )  # fmt: skip

    @cached_property
    def held_out(self) -> tuple[Tensor, ...]:
        """A held-out batch with the noise of training."""
        device = self.pairs.source.device
        generator = Generator(device).manual_seed(self.options.seed + 1)
        pairs = _pairs(self.held_out_data, self.options, self.erd, device).draw(LOSS_WINDOWS, generator)
        return noised_batch(pairs, self.net.config, self.options.pure, generator)


def _pairs(mixture: Mixture, options: DenoiserOptions, erd: ErdWeights | None, device: torch.device) -> PairSource:
    o = options
    source = SequenceSource.from_mixture(mixture, o.net.frames, o.sequences, o.augment, o.views, device, o.seed)
    return PairSource(source, DetectorNoise(o.noise, mixture.skeleton, device), erd, bones=o.bones)


def noised_batch(pairs: Pairs, config: MixSTEConfig, pure: float, generator: Generator) -> tuple[Tensor, ...]:
    """Times, a fraction `pure` of which are the last one, noise, and the fields of the pairs."""
    count, device = len(pairs.poses), pairs.poses.device
    times = torch.randint(1, TIMES + 1, (count,), generator=generator, device=device)
    is_pure = torch.rand(count, generator=generator, device=device) < pure
    noise = torch.randn((count, config.outputs, config.joints, 3), generator=generator, device=device)
    return torch.where(is_pure, TIMES, times), noise, *pairs[:5], *pairs.guide, *pairs.bones_m


class Objective(nn.Module):
    """The loss of a batch."""

    def __init__(self, net: MixSTE, options: LossOptions) -> None:
        super().__init__()
        self.denoiser, self.options = Denoiser(net).to(next(net.parameters()).device), options

    def forward(self, *values: Tensor) -> Tensor:
        """The loss of what `noised_batch` gives."""
        times, noise, *drawn = values
        guide = drawn[5:7] if len(drawn) > 6 else ()
        pairs = Pairs(*drawn[:5], tuple(guide), tuple(drawn[5 + len(guide) :]))  # type: ignore[arg-type]
        window = pairs.window
        truth, known = pairs.poses @ window.R[:, None].mT / UNIT_M, pairs.known
        if noise.shape[1] == 1:
            middle = [truth.shape[1] // 2]
            truth, known = truth[:, middle], known[:, middle]
        signal = self.denoiser.signal[times].float()
        found, log_scale = self.denoiser(noised(truth, signal, noise), window, times)
        weight = clean_weight(signal, self.options.most)
        return denoising_loss(UNIT_M * found, log_scale, UNIT_M * truth, known, weight, self.options)
