"""Which joint set a number of joints is, and which of several orders with the same number."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from zedo_core.errors import FormatError
from zedo_core.skeleton import BLAZEPOSE33, BODY25, BODY25B, COCO17, COCO18, COCO23, H36M17, HALPE26, Skeleton

# Joint sets by the number of joints in a file, the usual one first. Larger files begin with the body.
BY_COUNT: dict[int, tuple[Skeleton, ...]] = {
    17: (COCO17, H36M17),
    18: (COCO18, COCO17),  # COCO-17 with a neck at the end
    23: (COCO23,),
    25: (BODY25, BODY25B),
    26: (HALPE26,),
    33: (BLAZEPOSE33,),
    133: (COCO17,),  # COCO-WholeBody: feet, face and hands follow
    136: (HALPE26,),  # Halpe: face and hands follow
}
_CLEARLY = 0.75  # how much shorter the bones of another order are, to be believed

_log = logging.getLogger(__name__)


def choose_order(people: Float[ndarray, "n k 3"], where: str) -> Skeleton:
    """The joint set of people with k joints, of several orders the one with the shorter bones; FormatError if unknown.

    An order other than the usual one is said in a warning.
    """
    choices = BY_COUNT.get(people.shape[1])
    if choices is None:
        known = ", ".join(str(count) for count in BY_COUNT)
        raise FormatError(
            f"{where}: expected {known} joints, found {people.shape[1]}; give their joint set by --skeleton NAME|FILE"
        )
    usual, *others = choices
    for other in others:
        if bone_length(people, other) < _CLEARLY * bone_length(people, usual):
            _log.warning(
                "%s: by the lengths of the bones, its %d joints are not those of %s but of %s; else give --skeleton",
                where, people.shape[1], usual.name, other.name,
            )  # fmt: skip
            return other
    return usual


def bone_length(people: Float[ndarray, "n k 3"], skeleton: Skeleton) -> float:
    """Mean length in pixels of the bones with both ends seen, if the joints were in the order of `skeleton`."""
    children, parents = (list(ends) for ends in zip(*skeleton.edges, strict=True))
    seen = (people[:, children, 2] > 0) & (people[:, parents, 2] > 0)
    length = np.linalg.norm(people[:, children, :2] - people[:, parents, :2], axis=-1)
    return float(length[seen].mean()) if seen.any() else 0.0


def body_of(count: int, choices: Sequence[Skeleton]) -> Skeleton | None:
    """The set among `choices` that `count` joints are or begin with; None when there is none."""
    sizes = {133: 17, 136: 26}
    return next((skeleton for skeleton in choices if len(skeleton) == sizes.get(count, count)), None)
