"""Exchanged sides: detectors sometimes take the left arm for the right one, or the legs; which exchange fits best."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from itertools import product

import torch
from jaxtyping import Float, Int
from torch import Tensor

from zedo_core.methods.observations import Observations
from zedo_core.skeleton import Skeleton
from zedo_core.train.bodies import plan_of


def exchanges(observed: Observations, skeleton: Skeleton) -> Observations:
    """Each row as it is, and with the limbs of one or more girdles exchanged, consecutively: see `number_of`."""
    joints, _ = _exchanges(skeleton, observed.slopes.device)
    every = observed.repeat(len(joints))
    index = joints.repeat(len(observed), 1)
    slopes = every.slopes.gather(1, index[..., None].expand(-1, -1, 2))
    return replace(every, slopes=slopes, confidence=every.confidence.gather(1, index))


def best_exchange(
    every: Observations, plausible: Float[Tensor, "b n"], log_odds: float, skeleton: Skeleton
) -> Observations:
    """The most plausible of the `exchanges` of each row; `log_odds` is against each pair of limbs being exchanged."""
    _, counts = _exchanges(skeleton, plausible.device)
    best = (plausible - log_odds * counts).argmax(1)
    rows = best + torch.arange(len(best), device=best.device) * plausible.shape[1]
    return Observations(every.slopes[rows], every.confidence[rows], every.focal_px[rows])


def number_of(skeleton: Skeleton) -> int:
    """Number of `exchanges` of a row: without any, arms, legs, both."""
    return 2 ** len(plan_of(skeleton).girdles)


@lru_cache(maxsize=8)
def _exchanges(skeleton: Skeleton, device: torch.device) -> tuple[Int[Tensor, "n j"], Int[Tensor, " n"]]:
    """The joint that takes each joint's place, and the number of exchanged pairs of limbs."""
    girdles = plan_of(skeleton).girdles
    rows, counts = [], []
    for chosen in product((False, True), repeat=len(girdles)):
        joints = {j for girdle, on in zip(girdles, chosen, strict=True) if on for limb in girdle.limbs for j in limb}
        rows.append([skeleton.mirror[j] if j in joints else j for j in range(len(skeleton))])
        counts.append(sum(chosen))
    return torch.tensor(rows, device=device), torch.tensor(counts, device=device)
