"""Feet that stand and the floors that they stand on, found in one fit of the motions of a clip and held in the next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from zedo_core.motions.body import Body
from zedo_core.motions.contact import ANKLES, contacts
from zedo_core.motions.fit import Floor, Observations, Terms, fit_motion

_ROUNDS, _STEPS = 2, 2  # fits with the contacts of the one before, and steps of each
_TILT = np.tan(np.radians(3.0))  # error of the upward direction that is estimated from people
_HEIGHT_M = 0.05  # of ankles of standing feet above the floor
_UNKNOWN_M = 10.0  # heights of floors
_INDEPENDENT = 15  # errors of standing feet last for about as many rows
_ITERATIONS = 10


@dataclass(frozen=True)
class Motion:
    """One motion of one person: its rows, what is known of them, and the joints so far."""

    rows: Int[ndarray, " t"]
    body: Body
    seen: Observations
    joints: Float[ndarray, "t j 3"]
    contact: Bool[ndarray, "t 2"]


def on_the_ground(motions: Sequence[Motion], up: Float[ndarray, "3"], terms: Terms) -> list[Motion]:
    """The motions fitted again with the feet that stand in the fit before.

    Floors are parallel for those who meet; each has its own height, since people may stand on things, and their sizes
    are not known exactly. After a cut the floor may be another. `up` is the upward direction in camera axes, which the
    feet correct.
    """
    return [one for group in _together(motions) for one in _on_floors(group, up, terms)]


def _together(motions: Sequence[Motion]) -> list[list[Motion]]:
    """Motions that overlap in time, or are linked by others that do."""
    groups: list[list[Motion]] = []
    end_s = -np.inf
    for one in sorted(motions, key=lambda motion: motion.seen.times_s[0]):
        if one.seen.times_s[0] > end_s:
            groups.append([])
        groups[-1].append(one)
        end_s = max(end_s, one.seen.times_s[-1])
    return groups


def _on_floors(found: list[Motion], up: Float[ndarray, "3"], terms: Terms) -> list[Motion]:
    for _ in range(_ROUNDS):
        found = [replace(one, contact=contacts(one.joints, one.seen.times_s, up, one.body.skeleton)) for one in found]
        floors = find_floors([_standing(one) for one in found], up)
        found = [_fit_again(one, terms, floor) for one, floor in zip(found, floors, strict=True)]
    return found


def _standing(one: Motion) -> Float[ndarray, "n 3"]:
    """The ankles of standing feet."""
    return one.joints[:, one.body.skeleton.indices(ANKLES)][one.contact]


def find_floors(people: Sequence[Float[ndarray, "_ 3"]], up: Float[ndarray, "3"]) -> list[Floor | None]:
    """The parallel planes through the ankles of each one's standing feet, in metres; None for those without any.

    Least squares with Cauchy's weights; the tilt against `up` has a Gaussian prior.
    """
    stand = [len(ankles) > 0 for ankles in people]
    if not any(stand):
        return [None] * len(people)
    across = np.linalg.svd(up[None])[2][1:]  # two directions along the floor
    middles = [np.median(ankles, axis=0) if len(ankles) else np.zeros(3) for ankles in people]
    off = np.concatenate([ankles - middle for ankles, middle in zip(people, middles, strict=True)])
    owner = np.repeat(np.arange(len(people)), [len(ankles) for ankles in people])
    columns = np.concatenate([off @ across.T, np.eye(len(people))[owner]], axis=1)
    plane, prior = np.zeros(columns.shape[1]), np.eye(columns.shape[1]) / _UNKNOWN_M**2
    prior[0, 0] = prior[1, 1] = 1 / _TILT**2
    for _ in range(_ITERATIONS):
        weight = 1 / (_HEIGHT_M**2 + (off @ up - columns @ plane) ** 2)
        weighted = columns.T * weight / _INDEPENDENT
        plane = np.linalg.solve(weighted @ columns + prior, weighted @ (off @ up))
    normal = up - plane[:2] @ across
    length = np.linalg.norm(normal)
    heights_m = [(normal @ middle + above) / length for middle, above in zip(middles, plane[2:], strict=True)]
    return [Floor(normal / length, float(h)) if some else None for h, some in zip(heights_m, stand, strict=True)]


def _fit_again(one: Motion, terms: Terms, floor: Floor | None) -> Motion:
    standing = np.zeros(one.joints.shape[:2])
    standing[:, one.body.skeleton.indices(ANKLES)] = one.contact
    seen = replace(one.seen, start=one.joints, standing=standing)
    return replace(one, joints=fit_motion(seen, one.body, replace(terms, steps=_STEPS), floor))
