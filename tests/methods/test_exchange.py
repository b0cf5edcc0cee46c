"""Exchanges of left and right limbs, and the choice among them."""

from __future__ import annotations

import torch
from train_cases import own_file

from zedo_core.methods.exchange import best_exchange, exchanges, number_of
from zedo_core.methods.observations import Observations
from zedo_core.skeleton import H36M17
from zedo_core.skeleton.files import load_skeleton


def observed(rows: int, joints: int = 17) -> Observations:
    generator = torch.Generator().manual_seed(0)
    slopes = torch.randn(rows, joints, 2, generator=generator)
    return Observations(slopes, torch.rand(rows, joints, generator=generator), torch.ones(rows, 2))


def limbs(*parts: str) -> list[int]:
    return [j for j, name in enumerate(H36M17.joints) if name.removeprefix("left_").removeprefix("right_") in parts]


def test_all_exchanges_of_a_row() -> None:
    """None, one girdle, the other, both; each exchanges the limbs with all their joints and confidences."""
    people = observed(2)
    every = exchanges(people, H36M17)
    assert len(every) == 2 * number_of(H36M17) == 8
    arms, legs = limbs("shoulder", "elbow", "wrist"), limbs("hip", "knee", "ankle")
    mirror = torch.tensor(H36M17.mirror)
    found = set()
    for row in range(4):
        changed = (every.slopes[row] != people.slopes[0]).any(-1).nonzero().flatten().tolist()
        found.add(tuple(changed))
        for joint in changed:
            assert torch.equal(every.slopes[row, joint], people.slopes[0, mirror[joint]])
            assert every.confidence[row, joint] == people.confidence[0, mirror[joint]]
    assert found == {(), tuple(sorted(arms)), tuple(sorted(legs)), tuple(sorted(arms + legs))}


def test_the_odds_are_against_exchanges() -> None:
    """An exchange has to be more plausible by the log odds, twice for both pairs."""
    people = observed(3)
    every = exchanges(people, H36M17)
    plausible = torch.tensor([[0.0, 2.9, 0.0, 5.9], [0.0, 3.1, 0.0, 6.0], [0.0, 0.0, 0.0, 6.1]])
    best = best_exchange(every, plausible, 3.0, H36M17)
    for row, exchange in enumerate((0, 1, 3)):
        assert torch.equal(best.slopes[row], every.slopes[4 * row + exchange])


def test_a_joint_set_with_other_limbs(tmp_path) -> None:  # type: ignore[no-untyped-def]
    skeleton = load_skeleton(own_file(tmp_path))
    assert len(exchanges(observed(2, len(skeleton)), skeleton)) == 2 * number_of(skeleton)
