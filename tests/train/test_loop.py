"""The training loop with another task than a pose prior: a line through points."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from train_cases import CPU

from zedo_core.errors import WeightsError
from zedo_core.train.loop import Run
from zedo_core.train.options import LoopOptions
from zedo_core.train.ranks import Ranks
from zedo_core.train.record import TrainProgress, draw_curves
from zedo_core.train.task import Task
from zedo_core.train.training import train

OPTIONS = LoopOptions(batch=8, steps=40, warmup=4, learning_rate=0.3, ema=0.5, check_every=20)


class Line:
    """y = 3 x - 1, from points."""

    errors: ClassVar[Mapping[str, str]] = {"slope_off": "slope"}
    errors_title: ClassVar[str] = "How far off"

    def __init__(self, device: torch.device, data: str = "points") -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.net = torch.nn.Linear(1, 1).to(device)
        self.objective = SquaredError(self.net)
        self.identity: dict[str, str | None] = {"data": data}

    def batch(self, generator: torch.Generator) -> tuple[torch.Tensor, ...]:
        x = torch.rand(OPTIONS.batch, 1, generator=generator)
        return x, 3 * x - 1

    @torch.no_grad()
    def held_out_loss(self, net: torch.nn.Linear) -> float:
        return float(SquaredError(net)(torch.ones(1, 1), torch.full((1, 1), 2.0)))

    @torch.no_grad()
    def measure(self, net: torch.nn.Linear) -> dict[str, float]:
        return {"slope_off": abs(float(net.weight) - 3)}

    @torch.no_grad()
    def save(self, net: torch.nn.Linear, out: Path) -> None:
        (out / "line.json").write_text(json.dumps([float(net.weight), float(net.bias)]))

    def record(self) -> dict[str, Any]:
        return {"points": "any"}


class SquaredError(torch.nn.Module):
    def __init__(self, net: torch.nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return (self.net(x) - y).square().mean()


def test_it_learns_and_writes_a_record(tmp_path: Path) -> None:
    assert isinstance(Line(CPU), Task)
    record = train(Line, tmp_path, OPTIONS, device=CPU)
    slope, shift = json.loads((tmp_path / "line.json").read_text())
    assert abs(slope - 3) < 0.5 and abs(shift + 1) < 0.5
    assert record["points"] == "any" and record["options"]["steps"] == 40
    assert json.loads((tmp_path / "training.json").read_text()) == json.loads(json.dumps(record))
    rows = list(csv.DictReader((tmp_path / "training.csv").read_text().splitlines()))
    assert [row["step"] for row in rows] == ["20", "40"]
    assert float(rows[1]["slope_off"]) == pytest.approx(record["result"]["task"]["slope_off"], abs=1e-3)
    assert (tmp_path / "training.png").stat().st_size > 1000


def test_a_resumed_run_equals_an_uninterrupted_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    train(Line, whole, OPTIONS, device=CPU)
    advance = Run.advance

    def interrupted(run: Run) -> None:
        if run.step == 25:
            raise KeyboardInterrupt
        advance(run)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Run, "advance", interrupted)
        train(Line, broken, OPTIONS, device=CPU, save_every_s=0.0)
    assert train(Line, broken, OPTIONS, device=CPU, resume=True)["resumed"] == 1
    for name in ("line.json", "training.csv"):
        assert (whole / name).read_bytes() == (broken / name).read_bytes()
    with pytest.raises(WeightsError, match="other data"):
        train(lambda device: Line(device, "others"), broken, OPTIONS, device=CPU, resume=True)


def test_statistics_of_normalisation_are_averaged_as_the_weights_are() -> None:
    """Those of the last step's weights would not fit the averaged weights."""
    line = Line(CPU)
    line.net = torch.nn.Sequential(line.net, torch.nn.BatchNorm1d(1))  # type: ignore[assignment]
    line.objective = SquaredError(line.net)
    run = Run.start(line, OPTIONS, Ranks())
    expected, mean = None, torch.zeros(1)
    for _ in range(6):
        run.advance()
        mean = run.task.net.get_buffer("1.running_mean").clone()
        expected = mean if expected is None else torch.lerp(expected, mean, 1 - OPTIONS.ema)
    averaged = run.averaged.get_buffer("1.running_mean")
    torch.testing.assert_close(averaged, expected)
    assert (averaged - mean).abs() > 1e-3


@pytest.mark.filterwarnings("error")
def test_curves_of_losses_below_zero(tmp_path: Path) -> None:
    """Log likelihoods have no logarithm."""
    draw_curves(tmp_path, [TrainProgress(step, 2, -0.1 * step, -0.2) for step in (1, 2)], {}, "")
    assert (tmp_path / "training.png").stat().st_size > 1000
