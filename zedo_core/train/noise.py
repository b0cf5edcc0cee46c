"""Noise like that of 2D pose detectors, for keypoints in any unit: one model for training and for evaluation.

Lengths are fractions of the longer side of the person's box. At strength 1 the errors have the quantiles measured for
a stacked hourglass on 3404 views of Human3.6M that it was not tuned to: median 0.031, 75 % 0.052, 90 % 0.089, 95 %
0.126, 99 % 0.294; they are largest at the head, ankles, knees and wrists.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from torch import Generator, Tensor

from zedo_core.errors import InputError
from zedo_core.nets.constants import constant, indices
from zedo_core.skeleton import Skeleton, conversion
from zedo_core.train.bodies import plan_of
from zedo_core.train.draws import Draws, SequenceDraws

_LEAST_SEEN = 6  # joints that always remain
_MOSTLY = 0.7  # how often the trunk, or the head, is derived in poses where the spine is
# Joints of the head, what takes their place, and the factor on its confidence, as in `conversion`.
_OF_FACE = (("neck_nose", "neck_nose", 0.5), ("head_top", "neck_nose", 0.1))
_ALL_EXCHANGED = 0.2  # how often all joints are exchanged, relative to arms or legs
# Size of the errors of each joint relative to the others, by name without the side.
_SHAPE = {
    "head_top": 1.3,
    "ankle": 1.35,
    "knee": 1.15,
    "wrist": 1.3,
    "elbow": 1.05,
    "shoulder": 0.75,
    "thorax": 0.75,
    "pelvis": 0.75,
}
# Standard deviation of a joint's place along the bone from its parent, as a fraction of the bone: other joint sets
# define these joints differently.
_DEFINITION = {"head_top": 0.25, "neck_nose": 0.3, "thorax": 0.15, "hip": 0.15, "ankle": 0.08}


@dataclass(frozen=True, kw_only=True)
class NoiseOptions:
    """Sizes and probabilities of the errors of a pose with strength 1; both are proportional to its strength."""

    strength: float = 1.0
    variation: float = 0.0  # each pose has a strength from 1 - variation to 1 + variation times that
    clean: float = 0.0  # fraction of the poses that have no errors
    offset: float = 0.022  # standard deviation of each coordinate
    offset_range: float = 0.45  # standard deviation of the logarithm of the scale of a pose's offsets
    tails: float = 0.1  # probability that a joint's offset is three times as large
    outliers: float = 0.008  # probability that a joint lies elsewhere
    limbs: float = 0.02  # probability that a limb, or a part of it with its end, lies elsewhere
    elsewhere: float = 0.18  # standard deviation of each coordinate of what lies elsewhere
    definitions: float = 1.0  # factor on the differences between definitions of the joints
    exchanged: float = 0.003  # probability that left and right arms are exchanged, or legs; all joints: a fifth of it
    derived: float = 0.0  # probability that joints of the trunk and head come from other joints, as for COCO detectors
    missing: float = 0.1  # probability that joints are missing, each with a probability of up to 0.4
    missing_limbs: float = 0.01  # probability that a limb is missing
    truncated: float = 0.03  # probability that an edge of the picture cuts off up to half of the person
    flat_confidence: float = 0.5  # fraction of the poses whose joints have confidence 1, as without a detector's own

    def __post_init__(self) -> None:
        values = vars(self)
        if not all(math.isfinite(value) and value >= 0 for value in values.values()):
            raise InputError(f"noise: expected numbers of at least 0, got {values}")
        if self.strength > 10:
            raise InputError(f"noise: expected a strength from 0 to 10, got {self.strength:g}")
        fractions = ("variation", "clean", "derived", "flat_confidence")
        if bad := [name for name in fractions if values[name] > 1]:
            raise InputError(f"noise: expected {bad[0]} from 0 to 1, got {values[bad[0]]:g}")


# For training: from exact to twice the measured errors, with more of the rare and large ones.
TRAINING = NoiseOptions(
    variation=1.0,
    clean=0.25,
    outliers=0.04,
    limbs=0.025,
    exchanged=0.05,
    derived=0.5,
    missing=0.5,
    missing_limbs=0.03,
    truncated=0.08,
)


def noisy_keypoints(
    xy: Float[ndarray, "b j 2"], options: NoiseOptions, skeleton: Skeleton, seed: int
) -> tuple[Float[ndarray, "b j 2"], Float[ndarray, "b j"]]:
    """Keypoints in pixels with noise, and confidences; the same seed gives the same noise."""
    noise = DetectorNoise(options, skeleton, torch.device("cpu"))
    found, confidence = noise(torch.from_numpy(xy.astype(np.float32)), Generator().manual_seed(seed))
    return found.numpy().astype(float), confidence.numpy().astype(float)


@dataclass(frozen=True)
class DetectorNoise:
    """The noise model for one joint set on one device."""

    options: NoiseOptions
    skeleton: Skeleton
    device: torch.device

    def __call__(
        self, xy: Float[Tensor, "b j 2"], generator: Generator
    ) -> tuple[Float[Tensor, "b j 2"], Float[Tensor, "b j"]]:
        """Keypoints as a detector would find them, and their confidences; a missing joint is at 0 with confidence 0.

        `xy` are pixels or slopes of rays, with all joints in view.
        """
        return self._found(xy, Draws(generator, self.device))

    def of_sequences(
        self, xy: Float[Tensor, "b t j 2"], step_s: Float[Tensor, " b"], generator: Generator
    ) -> tuple[Float[Tensor, "b t j 2"], Float[Tensor, "b t j"]]:
        """The same for sequences with `step_s` seconds between frames: errors last, and a detector keeps its habits.

        Each frame by itself has errors as if it were alone.
        """
        draws = SequenceDraws.from_steps(step_s, xy.shape[1], generator)
        found, confidence = self._found(xy.flatten(0, 1), draws)
        return found.view_as(xy), confidence.view(xy.shape[:3])

    def _found(self, xy: Tensor, draws: Draws) -> tuple[Float[Tensor, "b j 2"], Float[Tensor, "b j"]]:
        o, count = self.options, len(xy)
        strength = o.strength * (1 + o.variation * (2 * draws.uniform(count, held=True) - 1))
        strength = torch.where(draws.uniform(count, held=True) < o.clean, 0.0, strength)
        box = (xy.amax(1) - xy.amin(1)).amax(-1).clamp_min(1e-9)[:, None, None]
        shifted = self._exchange(self._redefine(xy, strength, draws), strength, draws)
        found = shifted + box * self._offsets(strength, draws)
        found, cut = self._truncate(found, strength, draws)
        seen = ~(cut | self._missing(strength, draws))
        seen |= seen.sum(1, keepdim=True) < min(_LEAST_SEEN, xy.shape[1])
        confidence = self._confidence((found - shifted).norm(dim=-1) / box[..., 0], draws) * seen
        found, confidence = self._derive(found, confidence, strength, draws)
        return found * (confidence > 0)[..., None], confidence

    def _redefine(self, xy: Tensor, strength: Tensor, draws: Draws) -> Float[Tensor, "b j 2"]:
        """Move joints along the bones to their parents, as another definition of the joints would."""
        parents = [max(parent, 0) for parent in self.skeleton.parents]
        share = self._by_joint(_DEFINITION, 0.05) * self.options.definitions * strength.clamp_max(1.0)[:, None]
        # Left and right are defined alike.
        normal = draws.normal(*xy.shape[:2], held=True)
        normal = normal[:, indices(plan_of(self.skeleton).length_groups, self.device)]
        return xy + (normal * share)[..., None] * (xy - xy[:, parents])

    def _exchange(self, xy: Tensor, strength: Tensor, draws: Draws) -> Float[Tensor, "b j 2"]:
        """Exchange left and right: the limbs of a girdle, or all joints."""
        every, girdles = range(len(self.skeleton)), plan_of(self.skeleton).girdles
        parts = [{*girdle.limbs[0], *girdle.limbs[1]} for girdle in girdles] + [{*every}]
        members = constant(tuple(tuple(float(j in part) for j in every) for part in parts), self.device)
        share = constant((*(1.0 for _ in girdles), _ALL_EXCHANGED), self.device)
        chosen = draws.uniform(len(xy), len(parts)) < self.options.exchanged * share * strength[:, None]
        exchanged = (chosen.float() @ members) % 2 == 1  # twice is not at all
        return torch.where(exchanged[..., None], xy[:, indices(self.skeleton.mirror, self.device)], xy)

    def _offsets(self, strength: Tensor, draws: Draws) -> Float[Tensor, "b j 2"]:
        """Errors of the joints' places: normal with heavy tails, single joints and whole limbs elsewhere."""
        o, shape = self.options, (len(strength), len(self.skeleton))
        scale = o.offset * strength * torch.exp(o.offset_range * draws.normal(len(strength), held=True))
        tails = torch.where(draws.uniform(*shape) < o.tails, 3.0, 1.0)
        scales = scale[:, None] * self._by_joint(_SHAPE, 0.9) * tails
        offsets = scales[..., None] * draws.jitter(*shape, 2)
        outliers = draws.uniform(*shape) < (o.outliers * strength)[:, None]
        offsets += o.elsewhere * outliers[..., None] * draws.normal(*shape, 2)
        for limb in plan_of(self.skeleton).limbs:
            chosen = draws.uniform(len(strength)) < o.limbs * strength
            first = draws.uniform(len(strength), 1) * len(limb)
            part = (torch.arange(len(limb), device=self.device) >= first.floor()) & chosen[:, None]
            offsets[:, indices(limb, self.device)] += o.elsewhere * part[..., None] * draws.normal(len(strength), 1, 2)
        return offsets

    def _truncate(
        self, xy: Tensor, strength: Tensor, draws: Draws
    ) -> tuple[Float[Tensor, "b j 2"], Bool[Tensor, "b j"]]:
        """Move what lies beyond an edge of the picture to that edge; and which joints are missing there instead."""
        directions = constant(((1.0, 0.0), (-1.0, 0.0), (0.0, 1.0), (0.0, -1.0)), self.device)
        side = directions[(4 * draws.uniform(len(xy), held=True)).long()]
        along = (xy * side[:, None]).sum(-1)
        low, high = along.amin(1, keepdim=True), along.amax(1, keepdim=True)
        edge = high - 0.5 * draws.uniform(len(xy), 1) * (high - low)
        chosen = draws.uniform(len(xy), 1) < (self.options.truncated * strength)[:, None]
        beyond = (along > edge) & chosen
        at_edge = xy - ((along - edge) * beyond)[..., None] * side[:, None]
        return at_edge, beyond & (draws.uniform(len(xy), 1, held=True) < 0.5)

    def _missing(self, strength: Tensor, draws: Draws) -> Bool[Tensor, "b j"]:
        """Which joints are not found: single ones, and whole limbs."""
        o, count = self.options, len(strength)
        rate = 0.4 * draws.uniform(count, held=True) * (draws.uniform(count, held=True) < o.missing * strength)
        missing = draws.uniform(count, len(self.skeleton)) < rate[:, None]
        for limb in plan_of(self.skeleton).limbs:
            missing[:, indices(limb, self.device)] |= (draws.uniform(count) < o.missing_limbs * strength)[:, None]
        return missing

    def _confidence(self, error: Float[Tensor, "b j"], draws: Draws) -> Float[Tensor, "b j"]:
        """1 for all joints of a pose, or higher where the error is small, on a scale of the pose's own."""
        highest = 0.5 + 0.5 * draws.uniform(len(error), 1, held=True)
        lowest = draws.uniform(len(error), 1, held=True)
        scale = 0.03 * 10 ** draws.uniform(len(error), 1, held=True)
        share = lowest + (1 - lowest) * torch.exp(-((error / scale) ** 2))
        own = highest * share + 0.1 * draws.normal(*error.shape)
        flat = draws.uniform(len(error), 1, held=True) < self.options.flat_confidence
        return torch.where(flat, 1.0, own.clamp(0.05, 1.0))

    def _derive(
        self, xy: Tensor, confidence: Tensor, strength: Tensor, draws: Draws
    ) -> tuple[Float[Tensor, "b j 2"], Float[Tensor, "b j"]]:
        """Replace joints that COCO does not have by what they are derived from in its place, see `conversion`.

        The spine always is, the other joints of the trunk for most, and so is the head top, whose place the eyes take.
        """
        weights, factors = _derivation(self.skeleton, self.device)
        lowest = torch.where(weights > 0, confidence[:, None], torch.inf).amin(-1)
        chosen = (draws.uniform(len(xy), 1, held=True) < self.options.derived) & (strength > 0)[:, None]
        most = draws.uniform(len(xy), 2, held=True) < _MOSTLY
        kinds = torch.stack([torch.ones_like(most[:, 0]), *most.unbind(1)], dim=1)[:, self._groups]
        replaced = chosen & kinds
        # The eyes lie between the nose and the head top.
        between = 0.3 + 0.4 * draws.uniform(len(xy), 1, 1, held=True)
        moved = torch.lerp(xy, weights @ xy, torch.where(self._is_head_top[:, None], between, 1.0))
        return torch.where(replaced[..., None], moved, xy), torch.where(replaced, factors * lowest, confidence)

    @cached_property
    def _groups(self) -> Int[Tensor, " j"]:
        """Which joints are derived together: 0 the spine, 1 the others of the trunk, 2 the head."""
        groups = {"spine": 0, "neck_nose": 2, "head_top": 2}
        return indices(tuple(groups.get(joint, 1) for joint in self.skeleton.joints), self.device)

    @cached_property
    def _is_head_top(self) -> Bool[Tensor, " j"]:
        return constant(tuple(joint == "head_top" for joint in self.skeleton.joints), self.device, torch.bool)

    def _by_joint(self, table: dict[str, float], default: float) -> Float[Tensor, " j"]:
        kinds = (joint.removeprefix("left_").removeprefix("right_") for joint in self.skeleton.joints)
        return constant(tuple(table.get(kind, default) for kind in kinds), self.device)


@lru_cache(maxsize=8)
def _derivation(skeleton: Skeleton, device: torch.device) -> tuple[Float[Tensor, "j j"], Float[Tensor, " j"]]:
    """Weights (target, source) and factors on the confidences with which the joints follow from limbs and nose."""
    names = tuple(
        joint
        for index, joint in enumerate(skeleton.joints)
        if skeleton.side(index) != "centre" or joint in ("neck_nose", "nose", "head_top")
    )
    rule = conversion(Skeleton("limbs", names, ()), skeleton)
    weights, factors = torch.eye(len(skeleton)), torch.ones(len(skeleton))
    for joint, (row, factor) in enumerate(zip(rule.weights, rule.factors, strict=True)):
        if factor > 0:
            weights[joint] = 0.0
            weights[joint, skeleton.indices(names)] = torch.tensor(row, dtype=torch.float32)
            factors[joint] = float(factor)
    for joint, source, factor in _OF_FACE:
        if joint in names and source in names:
            weights[skeleton.index(joint)] = 0.0
            weights[skeleton.index(joint), skeleton.index(source)] = 1.0
            factors[skeleton.index(joint)] = factor
    return weights.to(device), factors.to(device)
