"""The benchmark: a fair plain twin, exact counts, a clock that is told the time, and the command end to end."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode
from typer.testing import CliRunner
from zedo_cases import J, people, scene, tiny_lifter, tiny_prior

from zedo_cli.app import app
from zedo_core.bench import BenchRequest, Target, work
from zedo_core.bench.clock import flops_per_row, peaks, rows_through, threads_set, timed, timed_part
from zedo_core.bench.plain import plain_loop, translation_by_inverse
from zedo_core.bench.work import People, Scene, our_loop
from zedo_core.errors import InputError
from zedo_core.lifting import load_lifter
from zedo_core.methods.zedo import preset
from zedo_core.methods.zedo.observations import Observations
from zedo_core.methods.zedo.plausibility import _DRAWS

CPU = torch.device("cpu")
REFERENCE = replace(preset("reference"), iterations=50, adam_steps=20)


class Clock:
    """A clock that only moves when work is done."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.runs = 0.0, 0
        monkeypatch.setattr("time.perf_counter", lambda: self.now)

    def work(self, seconds: float) -> Callable[[], None]:
        def run() -> None:
            self.now += seconds
            self.runs += 1

        return run


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def test_the_plain_loop_and_ours_end_at_the_same_poses() -> None:
    """float32 drifts by 0.03 mm in 50 iterations; one more warm-up iteration makes 2 mm, a step 1 % longer 1 mm."""
    lifter = load_lifter(device="cpu")
    some = People.sample().cycled(40)
    confidence = np.random.default_rng(0).uniform(0.3, 1.0, some.confidence.shape).astype(np.float32)
    start = Scene.start(lifter, replace(some, confidence=confidence), 2, REFERENCE)
    ours, T = our_loop(lifter, start, REFERENCE)
    plain, T_plain = plain_loop(lifter.prior, start.observed, start.pose, start.T, REFERENCE)
    assert ours.shape == plain.shape == (40, 2, J, 3)
    assert (ours - plain).abs().max() < 2e-4
    assert (T - T_plain).norm(dim=-1).div(T.norm(dim=-1)).max() < 1e-3
    assert (ours - start.pose).norm(dim=-1).mean() > 0.05


def test_the_inverse_finds_the_translation() -> None:
    pose, T, slopes, confidence = scene(0, 8)
    found = translation_by_inverse(pose, Observations(slopes, confidence, torch.ones(8, 2, dtype=pose.dtype)))
    torch.testing.assert_close(found, T, rtol=1e-8, atol=1e-8)


def test_our_loop_in_batches_is_our_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    options = replace(REFERENCE, iterations=3, adam_steps=2)
    lifter = tiny_lifter()
    start = Scene.start(lifter, People(*(array.astype(np.float32) for array in people(7))), 2, options)
    whole = our_loop(lifter, start, options)
    monkeypatch.setattr(work, "ROWS_CPU", 6)  # 3 people
    for part, expected in zip(our_loop(lifter, start, options), whole, strict=True):
        torch.testing.assert_close(part, expected)


def test_people_come_again_and_again() -> None:
    sample = People.sample()
    many = sample.cycled(886)
    assert len(many.xy) == len(many.confidence) == len(many.K) == 886
    np.testing.assert_array_equal(many.xy[600:], sample.xy[:286])
    assert len(sample.cycled(1).xy) == 1


def test_flops_are_those_of_the_products() -> None:
    """By hand, and by the counter of torch."""
    net = tiny_prior().net
    assert flops_per_row(net) == 2 * (51 * 64 + 64 * 64 + 64 * 64 + 64 * 51)
    rows = net.time_rows(torch.tensor([0.05]))
    with FlopCounterMode(display=False) as counter:
        net(torch.zeros(3, J, 3), rows)
    assert counter.get_total_flops() == 3 * flops_per_row(net)


def test_rows_through_the_network_are_counted() -> None:
    """4 iterations and the draws for judging, of 3 candidates or 5 hypotheses."""
    lifter = tiny_lifter()
    assert rows_through(lambda: lifter.lift_rows(*people(2), 1)) == 2 * 3 * (4 + _DRAWS)
    assert rows_through(lambda: lifter.lift_rows(*people(2), 5)) == 2 * 5 * (4 + _DRAWS)


class TestClock:
    def test_quick_work_is_repeated_for_a_second(self, clock: Clock) -> None:
        timing = timed(clock.work(0.25), CPU, 10.0)
        assert (timing.seconds, timing.repeats, clock.runs) == (0.25, 4, 5)

    def test_three_repeats_of_longer_work(self, clock: Clock) -> None:
        assert timed(clock.work(2.0), CPU, 10.0).repeats == 3

    def test_the_budget_ends_it(self, clock: Clock) -> None:
        assert timed(clock.work(2.0), CPU, 4.5).repeats == 3 and timed(clock.work(2.0), CPU, 3.0).repeats == 1

    def test_the_median_ignores_an_outlier(self, clock: Clock) -> None:
        times = iter([9.0, 1.0, 30.0, 2.0])
        timing = timed(lambda: clock.work(next(times))(), CPU, 100.0)
        assert (timing.seconds, timing.shortest_s) == (2.0, 1.0)

    def test_a_part_that_fits_is_timed(self, clock: Clock) -> None:
        timing, units = timed_part(lambda n: clock.work(0.125 * n), 1000, CPU, 5.0)
        assert units == 40 and timing.seconds == 5.0
        assert timed_part(lambda n: clock.work(0.125 * n), 10, CPU, 5.0)[1] == 10

    def test_a_start_that_takes_long_does_not_deceive(self, clock: Clock) -> None:
        """As on a GPU, where one row takes as long as a thousand."""
        assert timed_part(lambda n: clock.work(0.5), 1000, CPU, 5.0)[1] == 1000

    def test_a_disturbed_start_is_tried_again(self, clock: Clock) -> None:
        disturbed = iter([40.0])
        timing, units = timed_part(lambda n: lambda: clock.work(0.125 * n + next(disturbed, 0.0))(), 40, CPU, 5.0)
        assert units == 40 and timing.seconds == 5.0

    def test_one_unit_is_the_least(self, clock: Clock) -> None:
        timing, units = timed_part(lambda n: clock.work(100.0 * n), 1000, CPU, 5.0)
        assert (timing.seconds, timing.repeats, units) == (100.0, 1, 1)


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="only Linux forgets a peak")
def test_the_peak_of_memory_is_that_of_the_runs() -> None:
    """Arrays of 64 and 256 MB that are gone at the end; the allocator may add some of its own."""
    found = peaks([lambda: np.ones(8_000_000).sum(), lambda: np.ones(32_000_000).sum()], CPU)
    assert found is not None
    assert found == pytest.approx((64e6, 256e6), abs=16e6)


def test_threads_are_set_back() -> None:
    before = torch.get_num_threads()
    with threads_set(before + 1):
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before


@pytest.mark.parametrize(
    ("value", "at_most", "reached"),
    [(1.9, False, True), (1.7, False, False), (1.7, True, True), (1.9, True, False), (None, True, None)],
)
def test_targets_are_judged(value: float | None, at_most: bool, reached: bool | None) -> None:
    assert Target(name="", unit="x", limit=1.8, at_most=at_most, value=value).reached is reached


@pytest.mark.parametrize(
    "wrong", [{"rows": (0,)}, {"rows": ()}, {"rows": (10**7 + 1,)}, {"seconds": float("nan")}, {"threads": 0}]
)
def test_requests_that_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="expected"):
        BenchRequest(**wrong)


def run(*args: str) -> Any:
    return CliRunner().invoke(app, ["bench", *args])


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    out = tmp_path_factory.mktemp("bench")
    return run("--quick", "--rows", "2,1", "--device", "cpu", "--threads", "1", "--json", "--out", str(out)), out


def test_the_command_writes_all_that_it_says(finished: tuple[Any, Path]) -> None:
    result, out = finished
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == json.loads((out / "bench.json").read_text())
    assert {path.name for path in out.iterdir()} == {"bench.json", "bench.md", "bench.png"}
    assert (out / "bench.png").read_bytes().startswith(b"\x89PNG")
    text = (out / "bench.md").read_text()
    for words in ("Targets", "Side by side", "our loop to the plain one, wide, S = 1", "Cost by number of people"):
        assert words in text
    assert "Side by side" in result.stderr and "None" not in result.stderr + text


def test_the_numbers_of_a_report_agree(finished: tuple[Any, Path]) -> None:
    report = json.loads((finished[1] / "bench.json").read_text())
    found = report["measurements"]
    assert {m["group"] for m in found} == {"comparison", "rates", "picture", "rows", "iterations"}
    ceiling = report["ceilings"][0]
    assert ceiling["dtype"] == "float32" and report["machine"]["threads"] == 1
    for m in found:
        assert m["seconds"] > 0 and m["scaled_by"] >= 1
        assert m["frames_per_s"] == pytest.approx(m["rows"] / m["seconds"])
        if m["ceiling_share"] is not None:
            assert m["ceiling_share"] == pytest.approx(m["flops"] / m["seconds"] / ceiling["flops_per_s"])

    def seconds(what: str, network: str, group: str = "comparison", hypotheses: int = 1) -> float:
        wanted = (group, what, network, hypotheses)
        return next(m["seconds"] for m in found if (m["group"], m["what"], m["network"], m["hypotheses"]) == wanted)

    for network in ("packaged", "wide"):
        whole = seconds("plain loop", network) + seconds("Adam steps", "")
        assert seconds("plain reference", network) == pytest.approx(whole)
    ratios = {entry["name"]: entry["ratio"] for entry in report["ratios"]}
    assert ratios["our loop to the plain one, wide, S = 1"] == pytest.approx(
        seconds("plain loop", "wide") / seconds("our loop", "wide")
    )
    assert all((t["reached"] is None) == t["name"].startswith("GPU") for t in report["targets"] if t["unit"] == "x")
    judged = [t["value"] for t in report["targets"] if "against the plain reference" in t["name"]]
    reference = seconds("plain reference", "wide")
    assert judged == pytest.approx([S * reference / seconds("default preset", "wide", "rates", S) for S in (1, 10)])


def test_the_curve_has_the_rows_asked_for(finished: tuple[Any, Path]) -> None:
    """Or a note, on a machine that is too slow for them."""
    report = json.loads((finished[1] / "bench.json").read_text())
    for what in ("default preset", "our loop", "plain loop"):
        rows = [m["rows"] for m in report["measurements"] if m["group"] == "rows" and m["what"] == what]
        assert rows == [1, 2] or any(what in note for note in report["notes"])


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (["--rows", "0"], 2, "expected numbers of rows from 1 to 10000000, got [0]"),
        (["--rows", "1,x"], 2, "expected whole numbers such as 1,100,1000, got '1,x'"),
        (["--rows", ""], 2, "expected whole numbers"),
        (["--seconds", "0"], 2, "expected a budget above 0 seconds"),
        (["--threads", "0"], 2, "expected 1 to 1024 threads, got 0"),
        (["--device", "moon"], 1, "device 'moon' is not available"),
    ],
)
def test_what_is_refused(args: list[str], code: int, message: str, tmp_path: Path) -> None:
    result = run("--quick", *args, "--out", str(tmp_path / "out"))
    assert result.exit_code == code
    assert message in " ".join(result.stderr.replace("│", " ").split())


def test_a_folder_that_cannot_be_written_to_is_refused_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = run("--out", str(tmp_path / "file" / "out"))
    assert result.exit_code == 1 and "cannot write there" in result.stderr
