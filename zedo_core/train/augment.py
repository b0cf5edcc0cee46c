"""From motion capture to training poses in camera axes: rare ones more often, with limbs, bodies and cameras varied."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Generator, Tensor

from zedo_core.data.mixture import Mixture
from zedo_core.skeleton import Skeleton
from zedo_core.train.bodies import Bodies, plan_of, put_together, take_apart

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class AugmentOptions:
    """How training poses are varied. Shares are probabilities, angles in degrees (one standard deviation)."""

    flip: float = 0.5  # mirrored, left and right joints exchanged (paper 4.2)
    limb_exchange: float = 0.15  # each limb and the chest taken from another pose, in its own frame
    stature: float = 0.08  # standard deviation of the body's size
    lengths: float = 0.05  # standard deviation of each pair of bones
    root_tilt: float = 0.2  # turned about a horizontal axis by up to 90 degrees
    rotation: float = 0.05  # turned in any direction (paper 4.2: 0.5 for use across domains)
    camera_pitch_deg: float = 15.0  # the camera looks up or down
    camera_roll_deg: float = 5.0
    rarity: float = 0.5  # 0 draws frames as they come, 1 draws every kind of pose as often as any other


@dataclass(frozen=True)
class PoseSource:
    """Draws augmented poses in camera axes; everything stays on one device. `ladder` is the sum of the frames' weights
    up to each frame, the last one 1."""

    bodies: Bodies
    ladder: Float[Tensor, " n"]
    options: AugmentOptions

    @classmethod
    def of(cls, mixture: Mixture, options: AugmentOptions, device: torch.device, seed: int = 0) -> PoseSource:
        """Take the motion capture apart once and weigh its frames by data set and rarity."""
        skeleton = mixture.skeleton
        bodies = take_apart(torch.from_numpy(mixture.positions).to(device), skeleton)
        weights = torch.from_numpy(frame_weights(mixture, options.rarity, seed))
        exact = torch.float32 if device.type == "mps" else torch.float64
        return cls(bodies, weights.cumsum(0).to(device, exact), possible(options, skeleton))

    @property
    def device(self) -> torch.device:
        """Where the poses are."""
        return self.ladder.device

    def draw(self, count: int, generator: Generator) -> Float[Tensor, "b j 3"]:
        """`count` poses relative to the root, in metres, camera axes."""
        o, device = self.options, self.device
        at = torch.rand(2 * count, generator=generator, device=device, dtype=self.ladder.dtype) * self.ladder[-1]
        rows = torch.searchsorted(self.ladder, at, right=True).clamp_max(len(self.bodies) - 1)
        bodies, donors = self.bodies.take(rows[:count]), self.bodies.take(rows[count:])
        bodies = exchange_limbs(bodies, donors, o.limb_exchange, generator)
        bodies = vary_lengths(bodies, o.stature, o.lengths, generator)
        poses = flip(put_together(bodies), _chance(count, o.flip, generator, device), bodies.plan.skeleton)
        return poses @ self._rotations(count, generator).mT

    def _rotations(self, count: int, generator: Generator) -> Float[Tensor, "b 3 3"]:
        """World (y up) to camera axes: a turned and sometimes tilted body before a tilted camera."""
        o, device = self.options, self.device
        heading = about("y", _uniform(count, -math.pi, math.pi, generator, device))
        tilt = _uniform(count, -math.pi / 2, math.pi / 2, generator, device)
        tilt = tilt * _chance(count, o.root_tilt, generator, device)
        turned = about("y", _uniform(count, -math.pi, math.pi, generator, device)) @ about("x", tilt) @ heading
        free = random_rotations(count, generator, device)
        turned = torch.where(_chance(count, o.rotation, generator, device)[:, None, None].bool(), free, turned)
        pitch = _normal(count, o.camera_pitch_deg, generator, device)
        roll = _normal(count, o.camera_roll_deg, generator, device)
        return about("z", roll) @ about("x", math.pi + pitch) @ turned


def possible(options: AugmentOptions, skeleton: Skeleton) -> AugmentOptions:
    """The options without what the joint set does not allow; what is turned off is logged."""
    if options.limb_exchange and not plan_of(skeleton).limbs:
        _log.warning("joint set %s has no left and right limbs on a trunk: limbs are not exchanged", skeleton.name)
        options = replace(options, limb_exchange=0.0)
    if options.flip and skeleton.mirror == tuple(range(len(skeleton))):
        _log.warning("joint set %s has no left and right joints: poses are not mirrored", skeleton.name)
        options = replace(options, flip=0.0)
    return options


def exchange_limbs(bodies: Bodies, donors: Bodies, share: float, generator: Generator) -> Bodies:
    """Each limb, and each part of the trunk but the first with all that it holds, comes from the donor by `share`.

    A limb keeps its place in its own frame (an arm in the chest's, a leg in the pelvis'), so the
    joint angles are ones that a person took.
    """
    masks = bodies.plan.limb_masks(bodies.bones.device)
    chosen = _chance((len(bodies), len(masks) + bodies.others.shape[1]), share, generator, bodies.bones.device)
    from_donor = (chosen[:, : len(masks)] @ masks).clamp_max(1.0)[..., None]
    others = torch.where(chosen[:, len(masks) :, None, None].bool(), donors.others, bodies.others)
    return replace(bodies, others=others, bones=torch.lerp(bodies.bones, donors.bones, from_donor))


def vary_lengths(bodies: Bodies, stature: float, lengths: float, generator: Generator) -> Bodies:
    """Bodies of other sizes and proportions; left and right stay alike."""
    device, count, groups = bodies.bones.device, len(bodies), bodies.plan.length_groups
    whole = 1.0 + stature * torch.randn(count, 1, generator=generator, device=device)
    part = 1.0 + lengths * torch.randn(count, len(groups), generator=generator, device=device)
    factors = whole.clamp(0.6, 1.4) * part.clamp(0.8, 1.2)
    return replace(bodies, bones=bodies.bones * factors[:, torch.tensor(groups, device=device), None])


def flip(poses: Float[Tensor, "b j 3"], chosen: Float[Tensor, " b"], skeleton: Skeleton) -> Float[Tensor, "b j 3"]:
    """Mirror the poses where `chosen` is 1, with left and right joints exchanged."""
    mirrored = poses[:, list(skeleton.mirror)] * torch.tensor([-1.0, 1.0, 1.0], device=poses.device)
    return torch.where(chosen[:, None, None].bool(), mirrored, poses)


def frame_weights(mixture: Mixture, rarity: float, seed: int) -> Float[ndarray, " n"]:
    """Weight of every frame, in all 1: that of its data set, shared out among its frames.

    Kinds of pose (K-means of upright, centred poses) are evened out by `rarity`.
    """
    weights = np.ones(len(mixture)) if rarity == 0 else _rarity_weights(mixture, rarity, seed)
    shares = np.array(mixture.weights) / np.sum(mixture.weights)
    totals = np.bincount(mixture.part, weights, len(shares))
    return weights * (shares / np.where(totals > 0, totals, 1.0))[mixture.part]


def _rarity_weights(mixture: Mixture, rarity: float, seed: int) -> Float[ndarray, " n"]:
    from sklearn.cluster import MiniBatchKMeans

    bodies = take_apart(torch.from_numpy(mixture.positions), mixture.skeleton)
    left = bodies.frame[:, :, 0]
    facing = torch.atan2(left[:, 2], left[:, 0])
    features = (put_together(bodies) @ about("y", facing).mT).flatten(1).numpy()
    kinds = min(256, len(mixture))
    labels = MiniBatchKMeans(kinds, random_state=seed, n_init="auto", batch_size=4096).fit_predict(features)
    return np.bincount(labels, minlength=kinds)[labels].astype(np.float64) ** -rarity


def about(axis: str, angle: Float[Tensor, " b"]) -> Float[Tensor, "b 3 3"]:
    """Rotation matrices about a coordinate axis, angles in radians."""
    c, s = angle.cos(), angle.sin()
    zero, one = torch.zeros_like(angle), torch.ones_like(angle)
    rows = {
        "x": (one, zero, zero, zero, c, -s, zero, s, c),
        "y": (c, zero, s, zero, one, zero, -s, zero, c),
        "z": (c, -s, zero, s, c, zero, zero, zero, one),
    }[axis]
    return torch.stack(rows, dim=-1).unflatten(-1, (3, 3))


def random_rotations(count: int, generator: Generator, device: torch.device) -> Float[Tensor, "b 3 3"]:
    """Rotations spread evenly over all directions (unit quaternions from a normal distribution)."""
    import roma

    quaternion = torch.randn(count, 4, generator=generator, device=device)
    return roma.unitquat_to_rotmat(torch.nn.functional.normalize(quaternion, dim=-1))


def _chance(shape: int | tuple[int, ...], share: float, generator: Generator, device: torch.device) -> Tensor:
    return (torch.rand(shape, generator=generator, device=device) < share).float()


def _uniform(count: int, low: float, high: float, generator: Generator, device: torch.device) -> Tensor:
    return low + (high - low) * torch.rand(count, generator=generator, device=device)


def _normal(count: int, deg: float, generator: Generator, device: torch.device) -> Tensor:
    return math.radians(deg) * torch.randn(count, generator=generator, device=device)
