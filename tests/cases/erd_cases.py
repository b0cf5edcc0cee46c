"""Cases for tests of ERD: tiny options, and weights that are trained for a moment."""

from __future__ import annotations

from pathlib import Path

import torch

from zedo_core.methods.calibration import Calibration
from zedo_core.methods.erd.descent import Descent
from zedo_core.methods.erd.regressors import DescentOptions
from zedo_core.methods.erd.training import LifterOptions
from zedo_core.methods.erd.weights import save_weights
from zedo_core.nets.lifter import Lifter2D, LifterConfig
from zedo_core.skeleton import H36M17, Skeleton

SIZES = LifterConfig(width=16, blocks=1, modes=3)
TINY = LifterOptions(lifter=SIZES, batch=8, steps=6, warmup=2, check_every=0, check_poses=5)
TINY_DESCENT = DescentOptions(batch=8, steps=4, warmup=1, regressors=2, width=8)


def tiny_net(skeleton: Skeleton = H36M17, features: str = "delta", count: int = 1, seed: int = 0) -> Descent:
    """Networks with random weights, of which the regressors correct something."""
    torch.manual_seed(seed)
    config = LifterConfig(joints=len(skeleton), width=16, blocks=1, modes=3)
    net = Descent(Lifter2D(config, skeleton.edges), features, count, 8)
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    return net.eval().requires_grad_(False)


def tiny_weights(folder: Path, skeleton: Skeleton = H36M17) -> Path:
    """A folder with random weights."""
    save_weights(folder, tiny_net(skeleton), skeleton, "tiny", Calibration(), half=False)
    return folder
