"""Poses taken apart into frames and local bones, so that limbs can be exchanged and lengths varied.

What the parts of a body are is read off its joint set: a girdle is a pair of left and right joints on one joint of the
trunk from which limbs of three joints or more hang (hips, shoulders). Each girdle has a frame of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache, cached_property

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from zedo_core.skeleton import Skeleton

_LIMB = 3  # joints that hang from a girdle on either side, at least


@dataclass(frozen=True)
class Girdle:
    """A frame of the body: across from the right joint to the left one, up from the middle of `low` to that of `high`.

    All are positions of joints. Bones that end in `joints` are held in this frame.
    """

    left: int
    right: int
    low: tuple[int, ...]
    high: tuple[int, ...]
    limbs: tuple[tuple[int, ...], tuple[int, ...]]
    joints: frozenset[int]


@dataclass(frozen=True)
class Plan:
    """How bodies of a joint set come apart; the first girdle holds all that no other does."""

    skeleton: Skeleton
    girdles: tuple[Girdle, ...]

    @cached_property
    def limbs(self) -> tuple[tuple[int, ...], ...]:
        """The joints of every limb."""
        return tuple(limb for girdle in self.girdles for limb in girdle.limbs)

    @cached_property
    def frame_of(self) -> tuple[int, ...]:
        """The girdle in whose frame the bone that ends in each joint is held."""
        owner = [0] * len(self.skeleton)
        for number, girdle in enumerate(self.girdles):
            for joint in girdle.joints if number else ():
                owner[joint] = number
        return tuple(owner)

    @cached_property
    def length_groups(self) -> tuple[int, ...]:
        """The group of every bone: what is longer on the left is longer on the right; the root has a number too."""
        return tuple(min(joint, other) for joint, other in enumerate(self.skeleton.mirror))

    def limb_masks(self, device: torch.device) -> Float[Tensor, "limbs j"]:
        """One row per limb: 1 at its joints."""
        masks = torch.zeros(len(self.limbs), len(self.skeleton), device=device)
        for row, joints in zip(masks, self.limbs, strict=True):
            row[list(joints)] = 1.0
        return masks

    def paths(self, device: torch.device, dtype: torch.dtype) -> Float[Tensor, "j j"]:
        """Row i has a 1 for every bone on the way from the root to joint i."""
        paths = torch.zeros(len(self.skeleton), len(self.skeleton), device=device, dtype=dtype)
        for joint in range(len(self.skeleton)):
            link = joint
            while link != self.skeleton.root:
                paths[joint, link] = 1.0
                link = self.skeleton.parents[link]
        return paths


@cache
def plan_of(skeleton: Skeleton) -> Plan:
    """The girdles of a joint set; InputError when its bones form no tree."""
    root, mirror, parents = skeleton.root, skeleton.mirror, skeleton.parents
    pairs = [
        (left, mirror[left])
        for left in range(len(skeleton))
        if skeleton.side(left) == "left" and parents[left] == parents[mirror[left]] >= 0
    ]
    pairs = [pair for pair in pairs if min(len(_below(skeleton, joint)) for joint in pair) >= _LIMB]
    pairs.sort(key=lambda pair: (_depth(skeleton, pair[0]), min(pair)))
    at_root = [pair for pair in pairs if parents[pair[0]] == root]
    girdles = []
    for left, right in pairs:
        hub = parents[left]
        limbs = (_below(skeleton, left), _below(skeleton, right))
        trunk = _trunk(skeleton, hub, at_root)
        if trunk is not None:
            joints = {*_below(skeleton, hub)} if hub != root else {*limbs[0], *limbs[1]}
            girdles.append(Girdle(left, right, *trunk, limbs, frozenset(joints)))
    return Plan(skeleton, tuple(girdles))


def _trunk(
    skeleton: Skeleton, hub: int, at_root: list[tuple[int, int]]
) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
    """From where to where the body extends at a girdle's hub: between girdles, or along the spine; None if unknown."""
    if hub != skeleton.root:
        return (skeleton.parents[hub],), (hub,)
    if len(at_root) > 1:
        return at_root[0], at_root[1]
    spine = [
        joint
        for joint, parent in enumerate(skeleton.parents)
        if parent == hub and skeleton.side(joint) == "centre" and len(_below(skeleton, joint)) > 1
    ]
    return ((hub,), (spine[0],)) if spine else None


def _below(skeleton: Skeleton, joint: int) -> tuple[int, ...]:
    """A joint and all that hangs from it."""
    children = [child for child, parent in enumerate(skeleton.parents) if parent == joint]
    return (joint, *(below for child in children for below in _below(skeleton, child)))


def _depth(skeleton: Skeleton, joint: int) -> int:
    parent = skeleton.parents[joint]
    return 0 if parent < 0 else 1 + _depth(skeleton, parent)


@dataclass(frozen=True)
class Bodies:
    """Poses as a frame in the world, the frames of the other girdles in that one, and bones in their frame.

    The columns of a frame are its axes: to the left, up, and forwards. `bones[:, j]` leads from the
    parent of joint j to j, in metres. A joint set without girdles has the world's axes as its one frame.
    """

    plan: Plan
    frame: Float[Tensor, "b 3 3"]
    others: Float[Tensor, "b g 3 3"]
    bones: Float[Tensor, "b j 3"]

    def __len__(self) -> int:
        return len(self.frame)

    def take(self, rows: Int[Tensor, " m"]) -> Bodies:
        """Some of the bodies, by position."""
        return replace(self, frame=self.frame[rows], others=self.others[rows], bones=self.bones[rows])


def take_apart(positions: Float[Tensor, "b j 3"], skeleton: Skeleton) -> Bodies:
    """Joint positions (any translation) to frames and bones."""
    plan = plan_of(skeleton)
    first, *rest = [_frame(positions, girdle) for girdle in plan.girdles] or [_world(positions)]
    others = torch.stack([first.mT @ frame for frame in (first, *rest)], dim=1)[:, 1:]
    parents = torch.tensor([max(parent, 0) for parent in skeleton.parents], device=positions.device)
    bones_world = positions - positions[:, parents]
    bones_world[:, skeleton.root] = 0.0
    frames = _frame_of_bone(plan, first, others)
    return Bodies(plan, first, others, torch.einsum("bjxk,bjx->bjk", frames, bones_world))


def put_together(bodies: Bodies) -> Float[Tensor, "b j 3"]:
    """Joint positions relative to the root."""
    frames = _frame_of_bone(bodies.plan, bodies.frame, bodies.others)
    bones_world = torch.einsum("bjxk,bjk->bjx", frames, bodies.bones)
    return torch.einsum("ij,bjx->bix", bodies.plan.paths(bones_world.device, bones_world.dtype), bones_world)


def _frame(positions: Float[Tensor, "b j 3"], girdle: Girdle) -> Float[Tensor, "b 3 3"]:
    """The frame of a girdle; the world's axes where its joints lie in one line."""
    across = F.normalize(positions[:, girdle.left] - positions[:, girdle.right], dim=-1)
    up = positions[:, list(girdle.high)].mean(1) - positions[:, list(girdle.low)].mean(1)
    up = F.normalize(up - (up * across).sum(-1, keepdim=True) * across, dim=-1)
    frame = torch.stack([across, up, torch.linalg.cross(across, up)], dim=-1)
    sound = frame[..., 2].norm(dim=-1) > 0.5
    return torch.where(sound[:, None, None], frame, _world(positions))


def _world(positions: Tensor) -> Float[Tensor, "b 3 3"]:
    return torch.eye(3, dtype=positions.dtype, device=positions.device).expand(len(positions), 3, 3)


def _frame_of_bone(
    plan: Plan, frame: Float[Tensor, "b 3 3"], others: Float[Tensor, "b g 3 3"]
) -> Float[Tensor, "b j 3 3"]:
    frames = torch.cat([frame[:, None], frame[:, None] @ others], dim=1)
    return frames[:, torch.tensor(plan.frame_of, device=frame.device)]
