"""One body per track: bone lengths that all frames share.

Lengths are relative to the size of each pose (the sum of its bones), since size and distance cannot be told apart in
one view. Over the rows of a track the logarithm of each relative length is a weighted median, with weights 1 / e^2 by
the expected errors e of its two joints. Left and right share one length. The estimates are then drawn towards the
proportions of adults by a Gaussian prior, in which the rows of a track count by how many of them are independent.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from zedo_core.metrics import bone_lengths
from zedo_core.skeleton import H36M17, Skeleton

# Lengths in metres of the bones that end in these joints: a neutral adult of 1.74 m (Drillis and Contini 1966, with the
# trunk divided as Human3.6M does).
_ADULT_M = {
    "hip": 0.13,
    "knee": 0.44,
    "ankle": 0.43,
    "spine": 0.24,
    "thorax": 0.25,
    "neck_nose": 0.12,
    "head_top": 0.115,
    "shoulder": 0.15,
    "elbow": 0.28,
    "wrist": 0.25,
}
_PROPORTION_SD = 0.08  # of the logarithm of a relative length among adults, and of what joint sets mean by a joint
_LENGTH_ERROR = 0.25  # of the logarithm of a relative length in one pose
_INDEPENDENT_ROWS = 5.0  # errors last for about as many rows
_MIN_SPREAD_M = 0.01
# Share of adults in the size. Poses tell nothing of it (correlation 0.1 on motion capture), and means over what may be
# are too small.
_PRIOR_SIZE = 0.5


@dataclass(frozen=True)
class Body:
    """Bones of fixed lengths in metres, in the order of `skeleton.edges`."""

    skeleton: Skeleton
    lengths_m: Float[ndarray, " e"]

    @cached_property
    def chain(self) -> Float[ndarray, "j e"]:
        """1 for the bones that lie between the root and each joint, 0 for the others."""
        bone = {child: i for i, (child, _) in enumerate(self.skeleton.edges)}
        chain = np.zeros((len(self.skeleton), len(bone)))
        for joint in range(len(self.skeleton)):
            end = joint
            while end in bone:
                chain[joint, bone[end]], end = 1.0, self.skeleton.parents[end]
        return chain

    def directions(self, joints: Float[ndarray, "*b j 3"]) -> Float[ndarray, "*b e 3"]:
        """Unit directions of the bones, from parent to child."""
        ends, starts = (list(ids) for ids in zip(*self.skeleton.edges, strict=True))
        bones = joints[..., ends, :] - joints[..., starts, :]
        return bones / np.maximum(np.linalg.norm(bones, axis=-1, keepdims=True), 1e-9)

    def relative(self, directions: Float[ndarray, "*b e 3"]) -> Float[ndarray, "*b j 3"]:
        """The joints relative to the root."""
        return self.chain @ (self.lengths_m[:, None] * directions)


def body_of(joints: Float[ndarray, "n j 3"], spread: Float[ndarray, "n j"], skeleton: Skeleton) -> Body | None:
    """The body of one person from all its poses, see `body_lengths`; None when no pose is complete."""
    lengths_m = body_lengths(joints, spread, skeleton)
    return Body(skeleton, lengths_m) if np.isfinite(lengths_m).all() else None


def body_lengths(
    joints: Float[ndarray, "n j 3"], spread: Float[ndarray, "n j"], skeleton: Skeleton
) -> Float[ndarray, " e"]:
    """The lengths in metres of the bones of one person, in the order of `skeleton.edges`, from all its poses.

    `joints` in metres, `spread` the expected error of each joint in metres; rows with unknown joints (NaN) do not
    count. The total lies between the median of the poses and that of adults. NaN when no row is complete.
    """
    lengths = bone_lengths(joints.astype(float), skeleton.edges)
    rows = np.isfinite(lengths).all(-1) & (lengths > 0).all(-1)
    if not rows.any():
        return np.full(len(skeleton.edges), np.nan)
    lengths = lengths[rows]
    size_m = float(np.median(lengths.sum(-1)))
    ends, starts = (list(ids) for ids in zip(*skeleton.edges, strict=True))
    error_m = np.nan_to_num(spread[rows].astype(float), nan=_MIN_SPREAD_M)
    weights = 1 / (_MIN_SPREAD_M**2 + error_m[:, ends] ** 2 + error_m[:, starts] ** 2)
    relative = np.log(lengths / lengths.sum(-1, keepdims=True))
    observed = _symmetric(_weighted_median(relative, weights), skeleton)
    count = len(relative) / _INDEPENDENT_ROWS
    trust = count / (count + (_LENGTH_ERROR / _PROPORTION_SD) ** 2)
    prior = _prior(skeleton)
    if prior is None:
        return np.exp(observed) * (size_m / np.exp(observed).sum())
    mean = trust * observed + (1 - trust) * (prior - np.log(np.exp(prior).sum()))
    size_m = size_m ** (1 - _PRIOR_SIZE) * np.exp(prior).sum() ** _PRIOR_SIZE
    return np.exp(mean) * (size_m / np.exp(mean).sum())


def _prior(skeleton: Skeleton) -> Float[ndarray, " e"] | None:
    """Logarithms of the lengths of adults; None for joint sets of which nothing is known."""
    if skeleton.joints != H36M17.joints:
        return None
    lengths = np.array([_ADULT_M[child.removeprefix("left_").removeprefix("right_")] for child, _ in skeleton.bones])
    return np.log(lengths)


def _symmetric(values: Float[ndarray, " e"], skeleton: Skeleton) -> Float[ndarray, " e"]:
    """Left and right bones with their mean value."""
    place = {edge: i for i, edge in enumerate(skeleton.edges)}
    other = np.arange(len(values))
    for left, right in skeleton.bone_pairs:
        if right in place:
            other[[place[left], place[right]]] = place[right], place[left]
    return (values + values[other]) / 2


def _weighted_median(values: Float[ndarray, "n e"], weights: Float[ndarray, "n e"]) -> Float[ndarray, " e"]:
    order = np.argsort(values, axis=0)
    totals = np.cumsum(np.take_along_axis(weights, order, 0), axis=0)
    middle = (totals >= totals[-1] / 2).argmax(0)
    return np.take_along_axis(values, order, 0)[middle, np.arange(values.shape[1])]
