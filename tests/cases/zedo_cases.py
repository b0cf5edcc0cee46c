"""Cases for tests of ZeDO: random scenes, and a lifter with a tiny random network."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy import ndarray
from torch import Tensor

from zedo_core.diffusion.sde import SubVP
from zedo_core.methods.zedo import ZedoOptions
from zedo_core.methods.zedo.lifter import ZedoLifter
from zedo_core.methods.zedo.options import MAX_HYPOTHESES
from zedo_core.methods.zedo.prior import Prior
from zedo_core.nets.score_mlp import ScoreMLP, ScoreMLPConfig
from zedo_core.skeleton import H36M17

J = len(H36M17)
ROOT = H36M17.index("pelvis")
# A pose of the geometry tests: joints about half a metre from the root, 1 to 8 m before the camera.
SMALL = ZedoOptions(iterations=4, step=0.01, headings=8, tilts_deg=(0.0, 15.0), initial_poses=6, candidates=3)


def scene(seed: int, rows: int = 3) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Random poses, translations, the slopes of the exact rays, and weights, in float64."""
    rng = np.random.default_rng(seed)
    pose = torch.from_numpy(rng.normal(0, 0.3, (rows, J, 3)))
    T = torch.from_numpy(rng.uniform((-1, -1, 3), (1, 1, 8), (rows, 1, 3)))
    placed = pose + T
    slopes = placed[..., :2] / placed[..., 2:]
    return pose, T, slopes, torch.from_numpy(rng.uniform(0.05, 1, (rows, J)))


def tiny_prior() -> Prior:
    """A prior with a random network, the same in every call."""
    torch.manual_seed(0)
    net = ScoreMLP(ScoreMLPConfig(width=64, time_width=8, blocks=1)).eval().requires_grad_(False)
    return Prior(net=net, sde=SubVP(), skeleton=H36M17, name="tiny", sha256="0" * 64)


def tiny_lifter(**changed: Any) -> ZedoLifter:
    """A quick lifter with random initial poses and changed options."""
    rng = np.random.default_rng(0)
    poses = rng.normal(0, 0.3, (MAX_HYPOTHESES, J, 3)).astype(np.float32)
    poses -= poses[:, ROOT : ROOT + 1]
    sets = {3: poses[:3], 8: poses[:8], MAX_HYPOTHESES: poses}
    return ZedoLifter.from_prior(tiny_prior(), sets, replace(SMALL, **changed), torch.device("cpu"))


def people(rows: int, seed: int = 0, focal_px: float = 1000.0) -> tuple[ndarray, ndarray, ndarray]:
    """Pixels, confidences and K of random people."""
    _, _, slopes, confidence = scene(seed, rows)
    K = np.tile(np.array([[focal_px, 0, 500], [0, focal_px, 400], [0, 0, 1]], float), (rows, 1, 1))
    return slopes.numpy() * focal_px + K[:, None, :2, 2], confidence.numpy(), K
