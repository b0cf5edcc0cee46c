"""Poses taken apart into two frames and local bones, so that limbs can be exchanged and lengths varied."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from zedo_core.skeleton import H36M17

_ROOT = H36M17.index("pelvis")
_CHEST = tuple(
    joint
    for joint in H36M17.joints
    if joint in ("thorax", "neck_nose", "head_top") or joint.endswith(("shoulder", "elbow", "wrist"))
)
LIMBS: tuple[tuple[str, ...], ...] = (
    *(tuple(f"{side}_{part}" for part in ("shoulder", "elbow", "wrist")) for side in ("left", "right")),
    *(tuple(f"{side}_{part}" for part in ("hip", "knee", "ankle")) for side in ("left", "right")),
)
# Bones that share one length factor: what is longer on the left is longer on the right.
LENGTH_GROUPS: tuple[tuple[str, ...], ...] = (
    *(tuple(f"{side}_{part}" for side in ("left", "right")) for part in ("hip", "knee", "ankle")),
    *(tuple(f"{side}_{part}" for side in ("left", "right")) for part in ("shoulder", "elbow", "wrist")),
    ("spine",),
    ("thorax",),
    ("neck_nose",),
    ("head_top",),
)


@dataclass(frozen=True)
class Bodies:
    """Poses as a pelvis frame in the world, a chest frame in the pelvis frame, and bones in their frame.

    The columns of a frame are its axes: to the left, up, and forwards. `bones[:, j]` leads from the
    parent of joint j to j, in metres.
    """

    pelvis: Float[Tensor, "b 3 3"]
    chest: Float[Tensor, "b 3 3"]
    bones: Float[Tensor, "b 17 3"]

    def __len__(self) -> int:
        return len(self.pelvis)

    def take(self, rows: Tensor) -> Bodies:
        """Some of the bodies, by position."""
        return Bodies(self.pelvis[rows], self.chest[rows], self.bones[rows])


def take_apart(positions: Float[Tensor, "b 17 3"]) -> Bodies:
    """Joint positions (any translation) to frames and bones."""
    joint = H36M17.index
    pelvis = _frame(positions, joint("left_hip"), joint("right_hip"), joint("pelvis"), joint("spine"))
    chest = _frame(positions, joint("left_shoulder"), joint("right_shoulder"), joint("spine"), joint("thorax"))
    parents = torch.tensor([max(parent, 0) for parent in H36M17.parents], device=positions.device)
    bones_world = positions - positions[:, parents]
    frames = _frame_of_bone(pelvis, chest)
    return Bodies(pelvis, pelvis.mT @ chest, torch.einsum("bjxk,bjx->bjk", frames, bones_world))


def put_together(bodies: Bodies) -> Float[Tensor, "b 17 3"]:
    """Joint positions relative to the pelvis."""
    frames = _frame_of_bone(bodies.pelvis, bodies.pelvis @ bodies.chest)
    bones_world = torch.einsum("bjxk,bjk->bjx", frames, bodies.bones)
    return torch.einsum("ij,bjx->bix", _paths(bones_world.device, bones_world.dtype), bones_world)


def limb_masks(device: torch.device) -> Float[Tensor, "limbs 17"]:
    """One row per limb: 1 at its joints."""
    masks = torch.zeros(len(LIMBS), len(H36M17), device=device)
    for row, joints in zip(masks, LIMBS, strict=True):
        row[H36M17.indices(joints)] = 1.0
    return masks


def length_groups(device: torch.device) -> Tensor:
    """The length group of every bone (17,); the root has the last, unused one."""
    groups = torch.full((len(H36M17),), len(LENGTH_GROUPS), device=device)
    for number, joints in enumerate(LENGTH_GROUPS):
        groups[H36M17.indices(joints)] = number
    return groups


def _frame(positions: Tensor, left: int, right: int, low: int, high: int) -> Float[Tensor, "b 3 3"]:
    across = F.normalize(positions[:, left] - positions[:, right], dim=-1)
    up = positions[:, high] - positions[:, low]
    up = F.normalize(up - (up * across).sum(-1, keepdim=True) * across, dim=-1)
    return torch.stack([across, up, torch.linalg.cross(across, up)], dim=-1)


def _frame_of_bone(pelvis: Tensor, chest: Tensor) -> Float[Tensor, "b 17 3 3"]:
    in_chest = torch.tensor([joint in _CHEST for joint in H36M17.joints], device=pelvis.device)
    return torch.where(in_chest[:, None, None], chest[:, None], pelvis[:, None])


def _paths(device: torch.device, dtype: torch.dtype) -> Float[Tensor, "17 17"]:
    """Row i has a 1 for every bone on the way from the root to joint i."""
    paths = torch.zeros(len(H36M17), len(H36M17), device=device, dtype=dtype)
    for joint in range(len(H36M17)):
        link = joint
        while link != _ROOT:
            paths[joint, link] = 1.0
            link = H36M17.parents[link]
    return paths
