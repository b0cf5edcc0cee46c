"""`zedo train prior --from`: training from given weights, with their sizes and joints."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from train_cases import CPU, TINY, synthetic_mixture, synthetic_motions

from zedo_core.data.mixture import Mixture
from zedo_core.diffusion.sde import SubVP
from zedo_core.errors import InputError, WeightsError
from zedo_core.methods.zedo.prior import Prior, load_prior
from zedo_core.methods.zedo.score_matching import score_matching_loss
from zedo_core.methods.zedo.training import PriorTask, TrainOptions, train_prior
from zedo_core.skeleton import LSP14

ONE_STEP = dataclasses.replace(TINY, steps=1, warmup=0, learning_rate=1e-6)


@pytest.fixture
def start(tmp_path: Path) -> Prior:
    train_prior(synthetic_mixture(), tmp_path / "start", dataclasses.replace(TINY, seed=1), device=CPU)
    return load_prior(tmp_path / "start")


def distance(first: Prior, second: Prior) -> float:
    """The largest difference of their weights."""
    pairs = zip(first.net.state_dict().values(), second.net.state_dict().values(), strict=True)
    return max(float((one - two).abs().max()) for one, two in pairs)


class TestStart:
    def test_training_starts_from_the_weights(self, start: Prior, tmp_path: Path) -> None:
        """After a small step the weights are close to them; otherwise they are not."""
        record = train_prior(synthetic_mixture(), tmp_path / "on", ONE_STEP, device=CPU, start=start)
        assert record["start"] == {"name": "start", "sha256": start.sha256}
        assert distance(load_prior(tmp_path / "on"), start) < 1e-3  # half precision
        assert train_prior(synthetic_mixture(), tmp_path / "new", ONE_STEP, device=CPU)["start"] is None
        assert distance(load_prior(tmp_path / "new"), start) > 1e-2

    @pytest.mark.parametrize("changed", [{"width": 96}, {"blocks": 2}, {"time_width": 16}])
    def test_other_sizes_are_refused(self, start: Prior, tmp_path: Path, changed: dict[str, int]) -> None:
        (name,) = changed
        with pytest.raises(InputError, match=rf"^start: expected a {name} of {getattr(TINY, name)} as in these"):
            train_prior(
                synthetic_mixture(), tmp_path / "a", dataclasses.replace(TINY, **changed), device=CPU, start=start
            )
        assert not (tmp_path / "a").exists()

    def test_other_joints_are_refused(self, start: Prior, tmp_path: Path) -> None:
        mixture = Mixture.from_parts([synthetic_motions().to_skeleton(LSP14)])
        with pytest.raises(InputError, match="expected data in its joints h36m-17, got lsp-14"):
            train_prior(mixture, tmp_path / "a", TINY, device=CPU, start=start)

    def test_resuming_needs_the_same_start(self, start: Prior, tmp_path: Path) -> None:
        train_prior(synthetic_mixture(), tmp_path / "a", TINY, device=CPU, start=start)
        train_prior(synthetic_mixture(), tmp_path / "a", TINY, device=CPU, start=start, resume=True)
        with pytest.raises(WeightsError, match="other starting weights"):
            train_prior(synthetic_mixture(), tmp_path / "a", TINY, device=CPU, resume=True)


class TestTimes:
    def test_times_shared_by_consecutive_poses(self) -> None:
        """The loss equals that with a time for each pose, even if the last time has fewer poses."""
        net, generator = (
            PriorTask.from_mixture(synthetic_mixture(), TINY, CPU).net.eval(),
            torch.Generator().manual_seed(0),
        )
        poses, noise = (torch.randn(10, 17, 3, generator=generator) for _ in range(2))
        few = torch.tensor([0.05, 0.2, 0.7])
        each = few.repeat_interleave(4)[:10]
        with torch.no_grad():
            one, other = (float(score_matching_loss(net, SubVP(), poses, t, noise)) for t in (few, each))
        assert one == pytest.approx(other, rel=1e-6)

    @pytest.mark.parametrize("batch", [1, 3, 4, 10])
    def test_batch_sizes_not_divisible_by_four(self, tmp_path: Path, batch: int) -> None:
        options: TrainOptions = dataclasses.replace(TINY, batch=batch, steps=2)
        assert train_prior(synthetic_mixture(), tmp_path, options, device=CPU)["result"]["loss"] > 0
