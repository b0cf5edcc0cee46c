"""Poses decomposed into frames and local bones, so that limbs can be exchanged and lengths varied.

The parts of a body follow from its joint set: a girdle is a pair of left and right joints with the same parent on the
trunk, each the start of a limb of three joints or more (hips, shoulders). Each girdle has its own frame.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache, cached_property

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from zedo_core.nets.constants import constant, indices
from zedo_core.skeleton import Skeleton

_MIN_LIMB_JOINTS = 3  # joints of a limb


@dataclass(frozen=True)
class Girdle:
    """A frame of the body: across from the right joint to the left, up from the centre of `low` to that of `high`.

    All fields are indices of joints. Bones that end in `joints` are stored in this frame.
    """

    left: int
    right: int
    low: tuple[int, ...]
    high: tuple[int, ...]
    limbs: tuple[tuple[int, ...], tuple[int, ...]]
    joints: frozenset[int]


@dataclass(frozen=True)
class Plan:
    """The decomposition of a joint set; bones that belong to no other girdle belong to the first."""

    skeleton: Skeleton
    girdles: tuple[Girdle, ...]

    @cached_property
    def limbs(self) -> tuple[tuple[int, ...], ...]:
        """The joints of every limb."""
        return tuple(limb for girdle in self.girdles for limb in girdle.limbs)

    @cached_property
    def frame_of(self) -> tuple[int, ...]:
        """Index of the girdle in whose frame the bone to each joint is stored."""
        owner = [0] * len(self.skeleton)
        for number, girdle in enumerate(self.girdles):
            for joint in girdle.joints if number else ():
                owner[joint] = number
        return tuple(owner)

    @cached_property
    def length_groups(self) -> tuple[int, ...]:
        """The group of the bone to each joint: left and right bones vary together. The root has a group too."""
        return tuple(min(joint, other) for joint, other in enumerate(self.skeleton.mirror))

    def limb_masks(self, device: torch.device) -> Float[Tensor, "limbs j"]:
        """One row per limb: 1 at its joints."""
        if not self.limbs:
            return torch.zeros(0, len(self.skeleton), device=device)
        rows = (tuple(float(joint in limb) for joint in range(len(self.skeleton))) for limb in self.limbs)
        return constant(tuple(rows), device)

    def paths(self, device: torch.device, dtype: torch.dtype) -> Float[Tensor, "j j"]:
        """Row i has a 1 for every bone on the way from the root to joint i."""
        every = range(len(self.skeleton))
        trees = [_subtree(self.skeleton, joint) if joint != self.skeleton.root else () for joint in every]
        return constant(tuple(tuple(float(joint in tree) for tree in trees) for joint in every), device, dtype)


@cache
def plan_of(skeleton: Skeleton) -> Plan:
    """The plan of a joint set; InputError when its bones form no tree."""
    root, mirror, parents = skeleton.root, skeleton.mirror, skeleton.parents
    pairs = [
        (left, mirror[left])
        for left in range(len(skeleton))
        if skeleton.side(left) == "left" and parents[left] == parents[mirror[left]] >= 0
    ]
    pairs = [pair for pair in pairs if min(len(_subtree(skeleton, joint)) for joint in pair) >= _MIN_LIMB_JOINTS]
    pairs.sort(key=lambda pair: (_depth(skeleton, pair[0]), min(pair)))
    at_root = [pair for pair in pairs if parents[pair[0]] == root]
    girdles = []
    for left, right in pairs:
        parent = parents[left]
        limbs = (_subtree(skeleton, left), _subtree(skeleton, right))
        trunk = _trunk(skeleton, parent, at_root)
        if trunk is not None:
            joints = {*_subtree(skeleton, parent)} if parent != root else {*limbs[0], *limbs[1]}
            girdles.append(Girdle(left, right, *trunk, limbs, frozenset(joints)))
    return Plan(skeleton, tuple(girdles))


def _trunk(
    skeleton: Skeleton, girdle_parent: int, at_root: list[tuple[int, int]]
) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
    """`low` and `high` of the girdle on this joint: between two girdles, or along the spine; None if undetermined."""
    if girdle_parent != skeleton.root:
        return (skeleton.parents[girdle_parent],), (girdle_parent,)
    if len(at_root) > 1:
        return at_root[0], at_root[1]
    spine = [
        joint
        for joint, parent in enumerate(skeleton.parents)
        if parent == girdle_parent and skeleton.side(joint) == "centre" and len(_subtree(skeleton, joint)) > 1
    ]
    return ((girdle_parent,), (spine[0],)) if spine else None


def _subtree(skeleton: Skeleton, joint: int) -> tuple[int, ...]:
    """A joint and all its descendants."""
    children = [child for child, parent in enumerate(skeleton.parents) if parent == joint]
    return (joint, *(descendant for child in children for descendant in _subtree(skeleton, child)))


def _depth(skeleton: Skeleton, joint: int) -> int:
    parent = skeleton.parents[joint]
    return 0 if parent < 0 else 1 + _depth(skeleton, parent)


@dataclass(frozen=True)
class Bodies:
    """Poses as the first girdle's frame in the world, the other girdles' frames in that one, and bones in their frame.

    The columns of a frame are its axes: left, up and forwards. `bones[:, j]` is the vector from the parent of joint j
    to j, in metres. A joint set without girdles has a single frame with the world's axes.
    """

    plan: Plan
    frame: Float[Tensor, "b 3 3"]
    others: Float[Tensor, "b g 3 3"]
    bones: Float[Tensor, "b j 3"]

    def __len__(self) -> int:
        return len(self.frame)

    def take(self, rows: Int[Tensor, " m"]) -> Bodies:
        """A subset of the bodies, by index."""
        return replace(self, frame=self.frame[rows], others=self.others[rows], bones=self.bones[rows])


def take_apart(positions: Float[Tensor, "b j 3"], skeleton: Skeleton) -> Bodies:
    """Frames and bones from joint positions, which may have any translation."""
    plan = plan_of(skeleton)
    first, *rest = [_frame(positions, girdle) for girdle in plan.girdles] or [_world(positions)]
    others = torch.stack([first.mT @ frame for frame in (first, *rest)], dim=1)[:, 1:]
    parents = indices(tuple(max(parent, 0) for parent in skeleton.parents), positions.device)
    bones_world = positions - positions[:, parents]
    bones_world[:, skeleton.root] = 0.0
    frames = _frame_of_bone(plan, first, others)
    return Bodies(plan, first, others, torch.einsum("bjxk,bjx->bjk", frames, bones_world))


def put_together(bodies: Bodies) -> Float[Tensor, "b j 3"]:
    """Joint positions relative to the root, from frames and bones."""
    frames = _frame_of_bone(bodies.plan, bodies.frame, bodies.others)
    bones_world = torch.einsum("bjxk,bjk->bjx", frames, bodies.bones)
    return torch.einsum("ij,bjx->bix", bodies.plan.paths(bones_world.device, bones_world.dtype), bones_world)


def _frame(positions: Float[Tensor, "b j 3"], girdle: Girdle) -> Float[Tensor, "b 3 3"]:
    """The frame of a girdle; the world's axes if its joints are collinear."""
    across = F.normalize(positions[:, girdle.left] - positions[:, girdle.right], dim=-1)
    high, low = (positions[:, indices(joints, positions.device)].mean(1) for joints in (girdle.high, girdle.low))
    up = high - low
    up = F.normalize(up - (up * across).sum(-1, keepdim=True) * across, dim=-1)
    frame = torch.stack([across, up, torch.linalg.cross(across, up)], dim=-1)
    is_valid = frame[..., 2].norm(dim=-1) > 0.5
    return torch.where(is_valid[:, None, None], frame, _world(positions))


def _world(positions: Tensor) -> Float[Tensor, "b 3 3"]:
    return torch.eye(3, dtype=positions.dtype, device=positions.device).expand(len(positions), 3, 3)


def _frame_of_bone(
    plan: Plan, frame: Float[Tensor, "b 3 3"], others: Float[Tensor, "b g 3 3"]
) -> Float[Tensor, "b j 3 3"]:
    frames = torch.cat([frame[:, None], frame[:, None] @ others], dim=1)
    return frames[:, indices(plan.frame_of, frame.device)]
