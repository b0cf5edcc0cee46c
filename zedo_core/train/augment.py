"""Training poses in camera axes from motion capture, with rare poses oversampled and bodies and cameras varied."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass, replace

import numpy as np
import roma
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Generator, Tensor

from zedo_core.data.mixture import Mixture
from zedo_core.nets.constants import constant, indices
from zedo_core.skeleton import Skeleton
from zedo_core.train.bodies import Bodies, plan_of, put_together, take_apart

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class AugmentOptions:
    """Augmentation of training poses."""

    flip: float = 0.5  # probability of mirroring, with left and right joints exchanged (paper 4.2)
    limb_exchange: float = 0.15  # probability that a limb or the chest comes from another pose, in its own frame
    stature: float = 0.08  # relative standard deviation of the body size
    lengths: float = 0.05  # relative standard deviation of the length of each pair of bones
    root_tilt: float = 0.2  # probability of a rotation about a horizontal axis by up to 90 degrees
    rotation: float = 0.05  # probability of a random rotation (paper 4.2: 0.5 for use across domains)
    camera_pitch_deg: float = 15.0  # standard deviation
    camera_roll_deg: float = 5.0  # standard deviation
    rarity: float = 0.5  # 0 draws all frames equally often, 1 all kinds of pose


@dataclass(frozen=True)
class PoseSource:
    """Draws augmented poses in camera axes; everything stays on one device. `cumulative` holds the cumulative weights
    of the frames, up to 1."""

    bodies: Bodies
    cumulative: Float[Tensor, " n"]
    options: AugmentOptions

    @classmethod
    def from_mixture(cls, mixture: Mixture, options: AugmentOptions, device: torch.device, seed: int = 0) -> PoseSource:
        """Take the motion capture apart once, and weight its frames by data set and rarity."""
        skeleton = mixture.skeleton
        bodies = take_apart(torch.from_numpy(mixture.positions).to(device), skeleton)
        weights = torch.from_numpy(frame_weights(mixture, options.rarity, seed))
        dtype = torch.float32 if device.type == "mps" else torch.float64
        return cls(bodies, weights.cumsum(0).to(device, dtype), without_unsupported(options, skeleton))

    @property
    def device(self) -> torch.device:
        """Device of the poses."""
        return self.cumulative.device

    def draw(
        self, count: int, generator: Generator, R_cam_from_up: Float[Tensor, "b 3 3"] | None = None
    ) -> Float[Tensor, "b j 3"]:
        """`count` poses relative to the root, in metres in camera axes.

        `R_cam_from_up` are the cameras, from axes with y up; those with NaN, and by default all, are random.
        """
        o, device, cumulative = self.options, self.device, self.cumulative
        u = torch.rand(2 * count, generator=generator, device=device, dtype=cumulative.dtype) * cumulative[-1]
        rows = torch.searchsorted(cumulative, u, right=True).clamp_max(len(self.bodies) - 1)
        bodies, donors = self.bodies.take(rows[:count]), self.bodies.take(rows[count:])
        bodies = exchange_limbs(bodies, donors, o.limb_exchange, generator)
        bodies = vary_lengths(bodies, o.stature, o.lengths, generator)
        poses = flip(put_together(bodies), _bernoulli(count, o.flip, generator, device), bodies.plan.skeleton)
        return poses @ views_from_world(count, o, generator, device, R_cam_from_up).mT


def views_from_world(
    count: int,
    options: AugmentOptions,
    generator: Generator,
    device: torch.device,
    known: Float[Tensor, "b 3 3"] | None = None,
) -> Float[Tensor, "b 3 3"]:
    """World (y up) to camera axes: a random heading, sometimes a tilt, and a camera with pitch and roll.

    `known` are cameras instead of random ones, except those with NaN.
    """
    o = options
    heading = _uniform(count, -math.pi, math.pi, generator, device)
    tilt = _uniform(count, -math.pi / 2, math.pi / 2, generator, device)
    tilt = tilt * _bernoulli(count, o.root_tilt, generator, device)
    tilt_direction = _uniform(count, -math.pi, math.pi, generator, device)
    upright = roma.euler_to_rotmat("YXY", [tilt_direction, tilt, heading])
    free = random_rotations(count, generator, device)
    body = torch.where(_bernoulli(count, o.rotation, generator, device)[:, None, None].bool(), free, upright)
    pitch = _normal(count, o.camera_pitch_deg, generator, device)
    roll = _normal(count, o.camera_roll_deg, generator, device)
    camera = roma.euler_to_rotmat("ZX", [roll, math.pi + pitch])
    return (camera if known is None else torch.where(known.isfinite(), known, camera)) @ body


def without_unsupported(options: AugmentOptions, skeleton: Skeleton) -> AugmentOptions:
    """The options without augmentations that the joint set does not support; a warning is logged for each."""
    if options.limb_exchange and not plan_of(skeleton).limbs:
        _log.warning("joint set %s has no left and right limbs on a trunk: limbs are not exchanged", skeleton.name)
        options = replace(options, limb_exchange=0.0)
    if options.flip and skeleton.mirror == tuple(range(len(skeleton))):
        _log.warning("joint set %s has no left and right joints: poses are not mirrored", skeleton.name)
        options = replace(options, flip=0.0)
    return options


def exchange_limbs(bodies: Bodies, donors: Bodies, probability: float, generator: Generator, each: int = 1) -> Bodies:
    """Replace each limb, and each girdle but the first with all its joints, by the donor's with `probability`.

    A limb keeps its pose in its own frame (an arm in the chest's, a leg in the pelvis'), so that the joint angles are
    ones of a real person. `each` bodies in a row, the frames of a sequence, are treated alike.
    """
    masks = bodies.plan.limb_masks(bodies.bones.device)
    shape = (len(bodies) // each, len(masks) + bodies.others.shape[1])
    chosen = _bernoulli(shape, probability, generator, bodies.bones.device).repeat_interleave(each, 0)
    from_donor = (chosen[:, : len(masks)] @ masks).clamp_max(1.0)[..., None]
    others = torch.where(chosen[:, len(masks) :, None, None].bool(), donors.others, bodies.others)
    return replace(bodies, others=others, bones=torch.lerp(bodies.bones, donors.bones, from_donor))


def vary_lengths(bodies: Bodies, stature: float, lengths: float, generator: Generator, each: int = 1) -> Bodies:
    """Vary body size and proportions; left and right bones keep equal lengths, and `each` bodies in a row are alike."""
    device, count, groups = bodies.bones.device, len(bodies) // each, bodies.plan.length_groups
    size = 1.0 + stature * torch.randn(count, 1, generator=generator, device=device)
    proportions = 1.0 + lengths * torch.randn(count, len(groups), generator=generator, device=device)
    factors = (size.clamp(0.6, 1.4) * proportions.clamp(0.8, 1.2)).repeat_interleave(each, 0)
    return replace(bodies, bones=bodies.bones * factors[:, indices(groups, device), None])


def flip(poses: Float[Tensor, "b j 3"], chosen: Float[Tensor, " b"], skeleton: Skeleton) -> Float[Tensor, "b j 3"]:
    """Mirror the poses where `chosen` is 1, with left and right joints exchanged."""
    mirrored = poses[:, indices(skeleton.mirror, poses.device)] * constant((-1.0, 1.0, 1.0), poses.device)
    return torch.where(chosen[:, None, None].bool(), mirrored, poses)


def frame_weights(mixture: Mixture, rarity: float, seed: int) -> Float[ndarray, " n"]:
    """Weight of every frame, with a sum of 1: the weight of each data set is divided among its frames.

    A larger `rarity` balances the kinds of pose (K-means clusters of upright poses relative to the root).
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
    features = (put_together(bodies) @ roma.euler_to_rotmat("Y", [facing]).mT).flatten(1).numpy()
    kinds = min(256, len(mixture))
    labels = MiniBatchKMeans(kinds, random_state=seed, n_init="auto", batch_size=4096).fit_predict(features)
    return np.bincount(labels, minlength=kinds)[labels].astype(np.float64) ** -rarity


def random_rotations(count: int, generator: Generator, device: torch.device) -> Float[Tensor, "b 3 3"]:
    """Uniformly distributed rotations (normalised quaternions from a normal distribution)."""
    quaternion = torch.randn(count, 4, generator=generator, device=device)
    return roma.unitquat_to_rotmat(torch.nn.functional.normalize(quaternion, dim=-1))


def _bernoulli(shape: int | tuple[int, ...], probability: float, generator: Generator, device: torch.device) -> Tensor:
    return (torch.rand(shape, generator=generator, device=device) < probability).float()


def _uniform(count: int, low: float, high: float, generator: Generator, device: torch.device) -> Tensor:
    return low + (high - low) * torch.rand(count, generator=generator, device=device)


def _normal(count: int, deg: float, generator: Generator, device: torch.device) -> Tensor:
    return math.radians(deg) * torch.randn(count, generator=generator, device=device)
