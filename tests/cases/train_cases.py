"""Cases for tests of training: poses of one rig, and options for quick training."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from zedo_core.data.mixture import Mixture
from zedo_core.data.mocap import Motions
from zedo_core.methods.zedo.training import TrainOptions
from zedo_core.skeleton import H36M17, Skeleton
from zedo_core.train.augment import AugmentOptions

CPU = torch.device("cpu")
TINY = TrainOptions(width=64, time_width=8, blocks=1, batch=16, steps=20, warmup=5, dropout=0.1, check_every=0)
# A standing person: y up, facing positive z, so that the left is at positive x.
STANDING = {
    "pelvis": (0, 1, 0),
    "hip": (0.13, 1, 0),
    "knee": (0.14, 0.55, 0.02),
    "ankle": (0.15, 0.1, 0),
    "spine": (0, 1.25, 0),
    "thorax": (0, 1.5, 0),
    "neck_nose": (0, 1.6, 0.08),
    "head_top": (0, 1.75, 0.02),
    "shoulder": (0.16, 1.46, 0),
    "elbow": (0.2, 1.2, 0.01),
    "wrist": (0.22, 0.95, 0.05),
}


def standing() -> Tensor:
    rows = []
    for joint in H36M17.joints:
        x, y, z = STANDING[joint.removeprefix("left_").removeprefix("right_")]
        rows.append((-x if joint.startswith("right_") else x, y, z))
    return torch.tensor(rows, dtype=torch.float32)


def synthetic_poses(count: int, seed: int = 0) -> Tensor:
    """Poses of one rig with randomly rotated bones, headings and positions."""
    generator = torch.Generator().manual_seed(seed)
    bones = standing() - standing()[[max(parent, 0) for parent in H36M17.parents]]
    bend = torch.linalg.matrix_exp(_skew(0.25 * torch.randn(count, 17, 3, generator=generator)))
    bend[:, H36M17.indices(("left_hip", "right_hip", "spine"))] = torch.eye(3)
    heading = torch.linalg.matrix_exp(_skew(torch.tensor([0, 3.0, 0]) * torch.randn(count, 1, 3, generator=generator)))
    bones = (heading @ bend @ bones[..., None])[..., 0]
    positions = torch.zeros(count, 17, 3)
    for joint, parent in sorted(enumerate(H36M17.parents), key=lambda pair: _depth(pair[0])):
        positions[:, joint] = bones[:, joint] + (positions[:, parent] if parent >= 0 else 0)
    return positions + torch.randn(count, 1, 3, generator=generator)


def _depth(joint: int) -> int:
    parent = H36M17.parents[joint]
    return 0 if parent < 0 else 1 + _depth(parent)


def _skew(v: Tensor) -> Tensor:
    x, y, z = v.unbind(-1)
    o = torch.zeros_like(x)
    return torch.stack([o, -z, y, z, o, -x, -y, x, o], dim=-1).unflatten(-1, (3, 3))


def synthetic_motions(count: int = 60) -> Motions:
    return Motions(
        positions=synthetic_poses(count).numpy(),
        sequence=np.arange(count) // 20,
        names=("a", "b", "c"),
        sources=("own",) * 3,
        fps=(30.0,) * 3,
    )


def synthetic_mixture(count: int = 60) -> Mixture:
    """The motions as a mixture for training."""
    return Mixture.from_parts([synthetic_motions(count)])


def lengths(poses: Tensor) -> Tensor:
    """Bone lengths (b, bones) in metres."""
    child, parent = zip(*H36M17.edges, strict=True)
    return (poses[:, list(child)] - poses[:, list(parent)]).norm(dim=-1)


def unvaried(**options: float) -> AugmentOptions:
    """No augmentation except by the given options."""
    zeros = {field.name: 0.0 for field in dataclasses.fields(AugmentOptions)}
    return AugmentOptions(**(zeros | options))


# A custom joint set: other names, no prefixes for the sides, and a root at the neck.
OWN = {
    "name": "own-8",
    "joints": ["neck", "head", "shoulder.L", "hand.L", "shoulder.R", "hand.R", "elbow.L", "elbow.R"],
    "parents": [None, "neck", "neck", "elbow.L", "neck", "elbow.R", "shoulder.L", "shoulder.R"],
    "symmetric": [["shoulder.L", "shoulder.R"], ["elbow.L", "elbow.R"], ["hand.L", "hand.R"]],
}


def own_file(folder: Path, **changed: object) -> Path:
    """Write the JSON of the custom joint set."""
    path = folder / "own.json"
    path.write_text(json.dumps(OWN | changed))
    return path


def own_motions(skeleton: Skeleton, count: int = 60) -> Motions:
    """The synthetic motions in a custom joint set."""
    names = {"neck": "thorax", "head": "head_top", "hand.L": "left_wrist", "hand.R": "right_wrist"}
    sides = {"L": "left", "R": "right"}
    names |= {f"{part}.{end}": f"{side}_{part}" for part in ("shoulder", "elbow") for end, side in sides.items()}
    source = synthetic_motions(count)
    joints = [H36M17.index(names[joint]) for joint in skeleton.joints]
    return dataclasses.replace(source, positions=source.positions[:, joints], skeleton=skeleton)
