"""From motion capture to training poses in camera axes: rare ones more often, with limbs, bodies and cameras varied."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Generator, Tensor

from zedo_core.data.mocap import Motions
from zedo_core.skeleton import H36M17
from zedo_core.train.bodies import LENGTH_GROUPS, Bodies, length_groups, limb_masks, put_together, take_apart


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
    """Draws augmented poses in camera axes; everything stays on one device."""

    bodies: Bodies
    weights: Float[Tensor, " n"]
    options: AugmentOptions

    @classmethod
    def from_motions(cls, motions: Motions, options: AugmentOptions, device: torch.device, seed: int = 0) -> PoseSource:
        """Take the motion capture apart once and weigh its frames by rarity."""
        bodies = take_apart(torch.from_numpy(motions.positions).to(device))
        weights = frame_weights(motions, options.rarity, seed)
        return cls(bodies, torch.from_numpy(weights).to(device), options)

    def draw(self, count: int, generator: Generator) -> Float[Tensor, "b 17 3"]:
        """`count` poses relative to the pelvis, in metres, camera axes."""
        o, device = self.options, self.weights.device
        rows = torch.multinomial(self.weights, 2 * count, replacement=True, generator=generator)
        bodies, donors = self.bodies.take(rows[:count]), self.bodies.take(rows[count:])
        bodies = exchange_limbs(bodies, donors, o.limb_exchange, generator)
        bodies = vary_lengths(bodies, o.stature, o.lengths, generator)
        poses = flip(put_together(bodies), _chance(count, o.flip, generator, device))
        return poses @ self._rotations(count, generator).mT

    def _rotations(self, count: int, generator: Generator) -> Float[Tensor, "b 3 3"]:
        """World (y up) to camera axes: a turned and sometimes tilted body before a tilted camera."""
        o, device = self.options, self.weights.device
        heading = about("y", _uniform(count, -math.pi, math.pi, generator, device))
        tilt = _uniform(count, -math.pi / 2, math.pi / 2, generator, device)
        tilt = tilt * _chance(count, o.root_tilt, generator, device)
        turned = about("y", _uniform(count, -math.pi, math.pi, generator, device)) @ about("x", tilt) @ heading
        free = random_rotations(count, generator, device)
        turned = torch.where(_chance(count, o.rotation, generator, device)[:, None, None].bool(), free, turned)
        pitch = _normal(count, o.camera_pitch_deg, generator, device)
        roll = _normal(count, o.camera_roll_deg, generator, device)
        return about("z", roll) @ about("x", math.pi + pitch) @ turned


def exchange_limbs(bodies: Bodies, donors: Bodies, share: float, generator: Generator) -> Bodies:
    """Each limb, and the chest with the head, comes from the donor with probability `share`.

    A limb keeps its place in its own frame (an arm in the chest's, a leg in the pelvis'), so the
    joint angles are ones that a person took.
    """
    device = bodies.bones.device
    masks = limb_masks(device)
    chosen = _chance((len(bodies), len(masks) + 1), share, generator, device)
    from_donor = (chosen[:, :-1] @ masks)[..., None]
    chest = torch.where(chosen[:, -1, None, None].bool(), donors.chest, bodies.chest)
    return Bodies(bodies.pelvis, chest, torch.lerp(bodies.bones, donors.bones, from_donor))


def vary_lengths(bodies: Bodies, stature: float, lengths: float, generator: Generator) -> Bodies:
    """Bodies of other sizes and proportions; left and right stay alike."""
    device, count = bodies.bones.device, len(bodies)
    whole = 1.0 + stature * torch.randn(count, 1, generator=generator, device=device)
    part = 1.0 + lengths * torch.randn(count, len(LENGTH_GROUPS) + 1, generator=generator, device=device)
    factors = whole.clamp(0.6, 1.4) * part.clamp(0.8, 1.2)
    return Bodies(bodies.pelvis, bodies.chest, bodies.bones * factors[:, length_groups(device), None])


def flip(poses: Float[Tensor, "b 17 3"], chosen: Float[Tensor, " b"]) -> Float[Tensor, "b 17 3"]:
    """Mirror the poses where `chosen` is 1, with left and right joints exchanged."""
    mirrored = poses[:, list(H36M17.mirror)] * torch.tensor([-1.0, 1.0, 1.0], device=poses.device)
    return torch.where(chosen[:, None, None].bool(), mirrored, poses)


def frame_weights(motions: Motions, rarity: float, seed: int) -> Float[ndarray, " n"]:
    """Weight of every frame: kinds of pose (K-means of upright, centred poses) are evened out by `rarity`."""
    from sklearn.cluster import MiniBatchKMeans

    if rarity == 0:
        return np.full(len(motions), 1.0 / len(motions), np.float32)
    bodies = take_apart(torch.from_numpy(motions.positions))
    poses = put_together(bodies)
    facing = torch.atan2(bodies.pelvis[:, 2, 0], bodies.pelvis[:, 0, 0])
    features = (poses @ about("y", facing).mT).flatten(1).numpy()
    kinds = min(256, len(motions))
    labels = MiniBatchKMeans(kinds, random_state=seed, n_init="auto", batch_size=4096).fit_predict(features)
    weights = np.bincount(labels, minlength=kinds)[labels].astype(np.float64) ** -rarity
    return (weights / weights.sum()).astype(np.float32)


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
