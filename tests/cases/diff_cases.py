"""Cases for tests of Diff3DHPE: tiny options, weights that are random, and rows of people who walk past."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

import zedo_core as zedo
from zedo_core.methods.calibration import Calibration
from zedo_core.methods.diff3dhpe.lifter import DiffLifter
from zedo_core.methods.diff3dhpe.options import DiffOptions
from zedo_core.methods.diff3dhpe.training import DenoiserOptions
from zedo_core.methods.diff3dhpe.weights import load_weights, save_weights
from zedo_core.nets.mixste import MixSTE, MixSTEConfig
from zedo_core.skeleton import H36M17, Skeleton
from zedo_core.train.sequences import SequenceOptions
from zedo_core.types import Keypoints

SIZES = MixSTEConfig(frames=9, width=8, depth=1, heads=2, time_width=8)
TINY = DenoiserOptions(net=SIZES, batch=4, steps=6, warmup=2, check_every=0, check_windows=3)
CAMERA = zedo.Camera.from_fov(60, (1000, 1000))


def tiny_net(form: str = "seq2seq", joints: int = 17, seed: int = 0) -> MixSTE:
    """A network with random weights that depend on everything."""
    torch.manual_seed(seed)
    config = MixSTEConfig(frames=9, joints=joints, width=8, depth=1, heads=2, time_width=8, form=form)
    net = MixSTE(config)
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return net.eval().requires_grad_(False)


def tiny_weights(folder: Path, form: str = "seq2seq", skeleton: Skeleton = H36M17) -> Path:
    """A folder with random weights, without a guide."""
    net = tiny_net(form, len(skeleton))
    save_weights(folder, net, skeleton, "tiny", SequenceOptions(), Calibration(), half=False)
    return folder


def tiny_lifter(folder: Path, form: str = "seq2seq", **options: object) -> DiffLifter:
    """A lifter with random weights."""
    loaded = load_weights(tiny_weights(folder, form))
    return DiffLifter(loaded, None, DiffOptions(**options), torch.device("cpu"))  # type: ignore[arg-type]


def walking(times_s: np.ndarray, track: np.ndarray | None = None) -> Keypoints:
    """Rows of people at these times: bodies that swing and move across the picture of `CAMERA`."""
    from train_cases import standing

    body = standing().numpy() * (1, -1, 1)  # y down
    swing = 0.1 * np.sin(3 * times_s[:, None, None] + np.arange(17)[:, None])
    points = (
        body + swing * (1.0, 0.2, 0.5) + np.stack([0.5 * times_s % 2 - 1, 0 * times_s + 1, 0 * times_s + 4], 1)[:, None]
    )
    track = np.zeros(len(times_s), int) if track is None else track
    every = np.unique(times_s)
    return Keypoints(
        frame=np.searchsorted(every, times_s),
        track=track,
        xy=CAMERA.project(points),
        confidence=np.ones((len(times_s), 17)),
        skeleton=H36M17,
        frame_numbers=np.arange(len(every)),
        times_s=every,
    )
