"""Left and right that a detector exchanges for some frames, found by continuity and mended in the keypoints.

Arms, legs and the head of a track are each exchanged or not in every frame. The states s_t minimise

    sum_t [ sum_j w_tj min(|x_tj - y_tj|, CAP) + SWITCH [s_t != s_t-1] + RARE s_t ],

with x the joints after the exchange, y where constant velocity in the two frames before predicts them, both over the
person's size, and w the product of the confidences: a shortest path over pairs of states (Viterbi 1967). Limbs that
cross keep their velocity, so that crossing is no exchange. Exchanges that last are left alone by the cost per frame.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from zedo_core.motions.timeline import motions
from zedo_core.skeleton import Skeleton
from zedo_core.types import Keypoints

_CAP = 0.15
_SWITCH = 0.25
_RARE = 0.01
_LONGEST_GAP_S = 0.2  # over which velocity tells something
_PARTS = {
    "arms": ("shoulder", "elbow", "wrist", "hand", "thumb", "index", "pinky"),
    "legs": ("hip", "knee", "ankle", "heel", "toe", "foot"),
    "head": ("eye", "ear", "mouth"),
}


def mend_sides(keypoints: Keypoints) -> tuple[Keypoints, Bool[ndarray, " n"]]:
    """The keypoints with left and right as most of each track has them, and the rows in which something was exchanged.

    Ids must follow people from frame to frame. Joints of no known part stay as they are.
    """
    xy, confidence, mirror = keypoints.xy.copy(), keypoints.confidence.copy(), np.array(keypoints.skeleton.mirror)
    mended = np.zeros(len(keypoints), bool)
    for rows, times_s in motions(keypoints, longest_gap_s=_LONGEST_GAP_S):
        size = _size_px(keypoints.xy[rows], keypoints.confidence[rows])
        if len(rows) < 3 or not size > 0:
            continue
        for part in _parts(keypoints.skeleton):
            exchanged = rows[_exchanged(keypoints.xy[rows] / size, keypoints.confidence[rows], times_s, part, mirror)]
            xy[exchanged[:, None], part] = keypoints.xy[exchanged[:, None], mirror[part]]
            confidence[exchanged[:, None], part] = keypoints.confidence[exchanged[:, None], mirror[part]]
            mended[exchanged] = True
    return replace(keypoints, xy=xy, confidence=confidence), mended


def _parts(skeleton: Skeleton) -> list[Int[ndarray, " k"]]:
    """The joints of arms, legs and head that have a left and a right."""
    sided = [i for i in range(len(skeleton)) if skeleton.side(i) != "centre"]
    parts = [[i for i in sided if any(word in skeleton.joints[i] for word in words)] for words in _PARTS.values()]
    return [np.array(part) for part in parts if part]


def _size_px(xy: Float[ndarray, "t j 2"], confidence: Float[ndarray, "t j"]) -> float:
    """Median over frames of the longer side of the box around the joints that were seen."""
    seen = confidence[..., None] > 0
    box = np.max(xy, axis=1, where=seen, initial=-np.inf) - np.min(xy, axis=1, where=seen, initial=np.inf)
    return float(np.median(box.max(-1)))


def _exchanged(
    xy: Float[ndarray, "t j 2"],
    confidence: Float[ndarray, "t j"],
    times_s: Float[ndarray, " t"],
    part: Int[ndarray, " k"],
    mirror: Int[ndarray, " j"],
) -> Bool[ndarray, " t"]:
    """In which frames the joints of a part have the wrong side."""
    both = np.stack([xy[:, part], xy[:, mirror[part]]], axis=1)  # t s k 2
    weight = np.stack([confidence[:, part], confidence[:, mirror[part]]], axis=1)
    ratio = (np.diff(times_s)[1:] / np.diff(times_s)[:-1])[:, None, None, None, None]
    before, last = both[:-2, :, None], both[1:-1, None]
    predicted = last + ratio * (last - before)  # t-2, state before, state last, k, 2
    off = np.linalg.norm(both[2:, None, None] - predicted[:, :, :, None], axis=-1)  # and the state now
    w = weight[:-2, :, None, None] * weight[1:-1, None, :, None] * weight[2:, None, None]
    cost = (w * np.minimum(off, _CAP)).sum(-1)
    state = np.arange(2)
    cost += _SWITCH * (state[:, None] != state) + _RARE * state
    return _cheapest_states(cost)


def _cheapest_states(cost: Float[ndarray, "s 2 2 2"]) -> Bool[ndarray, " t"]:
    """The states of all frames by the costs of three in a row."""
    total = np.array([[0.0, _SWITCH + _RARE], [_SWITCH + _RARE, 2 * _RARE]])
    choices = []
    for step in cost:
        sums = total[:, :, None] + step
        choices.append(sums.argmin(0))
        total = sums.min(0)
    last, now = np.unravel_index(int(total.argmin()), (2, 2))
    states = [now, last]
    for choice in reversed(choices):
        states.append(choice[states[-1], states[-2]])
    return np.array(states[::-1], bool)
