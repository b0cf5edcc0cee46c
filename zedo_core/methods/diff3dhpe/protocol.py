"""The paper's protocol: training on Human3.6M or MPI-INF-3DHP with the data set's own keypoints."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Generator, Tensor, nn

from zedo_core.data import Samples, load_samples
from zedo_core.data._h36m_files import describe, files_with_fields
from zedo_core.errors import FormatError, InputError
from zedo_core.methods.diff3dhpe.calibration import calibrate
from zedo_core.methods.diff3dhpe.denoiser import Denoiser
from zedo_core.methods.diff3dhpe.features import FEATURES
from zedo_core.methods.diff3dhpe.loss import PAPER_LOSS, LossOptions
from zedo_core.methods.diff3dhpe.recorded import RecordedWindows
from zedo_core.methods.diff3dhpe.training import LOSS_WINDOWS, DenoiserTask, Objective, noised_batch
from zedo_core.methods.diff3dhpe.validation import SequenceCheck
from zedo_core.methods.diff3dhpe.weights import save_weights
from zedo_core.nets.mixste import PAPER, MixSTE, MixSTEConfig
from zedo_core.skeleton import H36M17
from zedo_core.skeleton.files import skeleton_json
from zedo_core.train.options import LoopOptions
from zedo_core.train.sequences import SequenceOptions

EPOCHS = 200


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """A data set and its keypoints, with the frames of a window in the paper."""

    dataset: str
    input: str  # `gt` or `detected`
    detector: str = ""  # part of the name of its files
    frames: int = 243


PROTOCOLS = {
    "h36m-gt": Protocol(dataset="h36m", input="gt"),
    "h36m-cpn": Protocol(dataset="h36m", input="detected", detector="cpn"),
    "h36m-sh": Protocol(dataset="h36m", input="detected", detector="sh"),
    "3dhp-gt": Protocol(dataset="3dhp", input="gt", frames=27),
}


@dataclass(frozen=True, kw_only=True)
class ProtocolOptions(LoopOptions):
    """Settings of the paper: batches of 64 windows, Adam at 4e-4 times 0.99 after each of 200 epochs, mirroring.

    In an epoch as many windows are drawn as fill the data once. The averaged weights (`ema`) are ours.
    """

    batch: int = 64
    learning_rate: float = 4e-4
    warmup: int = 0
    ema: float = 0.998
    net: MixSTEConfig = PAPER
    loss: LossOptions = PAPER_LOSS
    flip: float = 0.5
    check_windows: int = 200  # of the test subjects, lifted to draw the curves

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (0 <= self.flip <= 1 and self.check_windows >= 1):
            raise InputError("expected flip from 0 to 1 and at least 1 check window")

    def decay(self, progress: float) -> float:
        """Factor on the learning rate: 0.99 after each epoch, evenly."""
        return 0.99 ** (EPOCHS * progress)


def get_protocol(name: str) -> Protocol:
    """The protocol `name`; InputError when there is none."""
    if name not in PROTOCOLS:
        raise InputError(f"no protocol '{name}'; expected one of {', '.join(PROTOCOLS)}")
    return PROTOCOLS[name]


def load_splits(protocol: Protocol, root: Path) -> tuple[Samples, Samples]:
    """The training and the test samples; FormatError for missing files, or files without the detector's keypoints."""
    if protocol.dataset == "3dhp" and root.is_file():
        raise FormatError(f"{root}: expected the folder with both splits of MPI-INF-3DHP, found a file")
    path = _with_detections(root, protocol.detector) if protocol.detector else root
    training, test = (load_samples(protocol.dataset, path, split, protocol.input) for split in ("train", "test"))
    return training.drop_nonfinite(), test.drop_nonfinite()


def steps_of(samples: Samples, frames: int, batch: int) -> int:
    """The steps of all epochs."""
    return EPOCHS * math.ceil(len(samples) / (frames * batch))


def _with_detections(root: Path, detector: str) -> Path:
    """The file with the detector's keypoints; the folder itself for forms that hold those of the hourglass alone."""
    files = files_with_fields(root, "positions_2d")
    own = [path for path in files if detector in path.stem.lower().split("_")]
    if len(own) == 1:
        return own[0]
    if detector == "sh" and not files:
        return root
    raise FormatError(
        f"{root}: expected one npz of keypoints with '{detector}' in its name, such as data_2d_h36m_"
        f"{'cpn_ft_h36m_dbb' if detector == 'cpn' else 'sh_ft_h36m'}.npz, found {describe(root)}"
    )


@dataclass(frozen=True)
class ProtocolTask:
    """Training task of a denoiser by the protocol."""

    errors: ClassVar[Mapping[str, str]] = {
        name: DenoiserTask.errors[name] for name in ("mpjpe_mm", "mpjpe_5_mm", "acceleration_mm")
    }
    errors_title: ClassVar[str] = "Windows of the test subjects, mm"

    name: str
    options: ProtocolOptions
    net: MixSTE
    training: RecordedWindows
    test: RecordedWindows
    data: Mapping[str, Any]  # what the record says of it

    @classmethod
    def from_samples(
        cls, name: str, training: Samples, test: Samples, options: ProtocolOptions, device: torch.device
    ) -> ProtocolTask:
        """The network with random weights by the seed."""
        config = replace(options.net, joints=len(H36M17), features=FEATURES)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(options.seed)
            net = MixSTE(config).to(device)
        windows = RecordedWindows.from_samples(training, config.frames, options.flip, device)
        data = {
            "sha256": _digest(training, test),
            "frames": len(training),
            "test_frames": len(test),
            "sequences": len(training.sequences),
        }
        own = RecordedWindows.from_samples(test, config.frames, 0.0, device)
        return cls(name, options, net, windows, own, data)

    @property
    def objective(self) -> nn.Module:
        """The loss as a module of what `batch` gives."""
        return Objective(self.net, self.options.loss)

    @property
    def identity(self) -> dict[str, str | None]:
        """The protocol and the data."""
        return {"protocol": self.name, "data": self.data["sha256"]}

    def batch(self, generator: Generator) -> tuple[Tensor, ...]:
        """Times, noise, and the fields of `Pairs`."""
        return noised_batch(self.training.draw(self.options.batch, generator), self.net.config, 0.0, generator)

    @torch.no_grad()
    def held_out_loss(self, net: MixSTE) -> float:
        """Loss on windows of the test subjects."""
        return float(Objective(net.eval(), self.options.loss)(*self._held_out))

    def measure(self, net: MixSTE) -> dict[str, float]:
        """Errors of lifting windows of the test subjects; nothing is chosen by them."""
        return self._check.errors(Denoiser(net.eval()).to(self._device))

    def save(self, net: MixSTE, out: Path) -> None:
        """Write the weights, named after their folder, for frames at the data set's rate."""
        hz = 1 / self.training.step_s
        rates = SequenceOptions(lowest_hz=hz, highest_hz=hz)
        known = calibrate(Denoiser(net.eval()).to(self._device), self._check)
        save_weights(out, net, H36M17, out.resolve().name, rates, known)

    def record(self) -> dict[str, Any]:
        """Facts about the data for the training record."""
        return {"protocol": self.name, "skeleton": skeleton_json(H36M17), "data": dict(self.data)}

    @property
    def _device(self) -> torch.device:
        return self.training.poses.device

    @cached_property
    def _check(self) -> SequenceCheck:
        o, config = self.options, self.net.config
        generator = Generator(self._device).manual_seed(o.seed)
        pairs = self.test.draw(o.check_windows, generator)
        shape = (o.check_windows, config.outputs, config.joints, 3)
        noise = torch.randn(shape, generator=generator, device=self._device)
        return SequenceCheck({"": pairs}, noise, H36M17.root)

    @cached_property
    def _held_out(self) -> tuple[Tensor, ...]:
        generator = Generator(self._device).manual_seed(self.options.seed + 1)
        return noised_batch(self.test.draw(LOSS_WINDOWS, generator), self.net.config, 0.0, generator)


def _digest(*splits: Samples) -> str:
    sha = hashlib.sha256()
    for samples in splits:
        for array in (samples.joints_cam, samples.xy, samples.confidence, samples.K, samples.sequence, samples.frame):
            sha.update(np.ascontiguousarray(array).tobytes())
    return sha.hexdigest()
