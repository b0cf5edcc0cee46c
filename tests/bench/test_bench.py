"""The benchmark: timing with a fake clock, peak memory, and the command end to end."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from bench_cases import make_benchmarks_small
from typer.testing import CliRunner

from zedo_cli.app import app
from zedo_core.bench import BenchRequest, Target
from zedo_core.bench.clock import cpu_threads, time_run, time_units
from zedo_core.errors import InputError

CPU = torch.device("cpu")


class Clock:
    """A clock that only advances when work is done."""

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


class TestClock:
    def test_short_work_is_repeated_for_a_second(self, clock: Clock) -> None:
        timing = time_run(clock.work(0.25), CPU, 10.0)
        assert (timing.seconds, timing.repeats, clock.runs) == (0.25, 4, 5)

    def test_three_repeats_of_longer_work(self, clock: Clock) -> None:
        assert time_run(clock.work(2.0), CPU, 10.0).repeats == 3

    def test_the_budget_limits_the_repeats(self, clock: Clock) -> None:
        assert time_run(clock.work(2.0), CPU, 4.5).repeats == 3 and time_run(clock.work(2.0), CPU, 3.0).repeats == 1

    def test_the_median_ignores_an_outlier(self, clock: Clock) -> None:
        times = iter([9.0, 1.0, 30.0, 2.0])
        timing = time_run(lambda: clock.work(next(times))(), CPU, 100.0)
        assert (timing.seconds, timing.shortest_s) == (2.0, 1.0)

    def test_the_affordable_part_is_timed(self, clock: Clock) -> None:
        timing, units = time_units(lambda n: clock.work(0.125 * n), 1000, CPU, 5.0)
        assert units == 40 and timing.seconds == 5.0
        assert time_units(lambda n: clock.work(0.125 * n), 10, CPU, 5.0)[1] == 10

    def test_a_constant_cost_does_not_mislead(self, clock: Clock) -> None:
        """On a GPU one row takes as long as a thousand."""
        assert time_units(lambda n: clock.work(0.5), 1000, CPU, 5.0)[1] == 1000

    def test_a_disturbed_first_run_is_repeated(self, clock: Clock) -> None:
        disturbed = iter([40.0])
        timing, units = time_units(lambda n: lambda: clock.work(0.125 * n + next(disturbed, 0.0))(), 40, CPU, 5.0)
        assert units == 40 and timing.seconds == 5.0

    def test_at_least_one_unit_is_timed(self, clock: Clock) -> None:
        timing, units = time_units(lambda n: clock.work(100.0 * n), 1000, CPU, 5.0)
        assert (timing.seconds, timing.repeats, units) == (100.0, 1, 1)


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="only Linux can reset the peak")
def test_peak_memory_of_runs() -> None:
    """Temporary arrays of 64 and 256 MB; the allocator may add some. In a process that has needed no more before."""
    code = """
        import numpy as np
        import torch
        from zedo_core.bench.clock import peak_memory
        runs = [lambda: np.ones(8_000_000).sum(), lambda: np.ones(32_000_000).sum()]
        print(*peak_memory(runs, torch.device("cpu")))
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True)
    found = tuple(map(int, done.stdout.split()))
    assert found == pytest.approx((64e6, 256e6), abs=16e6)


def test_the_number_of_threads_is_restored() -> None:
    before = torch.get_num_threads()
    with cpu_threads(before + 1):
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before


@pytest.mark.parametrize(
    ("value", "at_most", "reached"),
    [(1.9, False, True), (1.7, False, False), (1.7, True, True), (1.9, True, False), (None, True, None)],
)
def test_whether_targets_are_reached(value: float | None, at_most: bool, reached: bool | None) -> None:
    assert Target(name="", unit="x", limit=1.8, at_most=at_most, value=value).reached is reached


@pytest.mark.parametrize(
    "wrong", [{"rows": (0,)}, {"rows": ()}, {"rows": (10**7 + 1,)}, {"seconds": float("nan")}, {"threads": 0}]
)
def test_invalid_requests(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="expected"):
        BenchRequest(**wrong)


def run(*args: str) -> Any:
    return CliRunner().invoke(app, ["bench", *args])


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    out = tmp_path_factory.mktemp("bench")
    words = ("--seconds", "0.05", "--rows", "2,1", "--device", "cpu", "--threads", "1", "--json", "--out", str(out))
    with pytest.MonkeyPatch.context() as monkeypatch:
        make_benchmarks_small(monkeypatch)
        return run(*words), out


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    out = tmp_path_factory.mktemp("quick")
    return run("--quick", "--method", "erd", "--device", "cpu", "--json", "--out", str(out)), out


def test_a_quick_run_tells_the_rates_alone(quick: tuple[Any, Path]) -> None:
    """Every person is timed, none is scaled up; the sentence is that of the numbers."""
    result, out = quick
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert {path.name for path in out.iterdir()} == {"bench.json", "bench.md"}
    assert [(m["group"], m["rows"], m["hypotheses"], m["scaled_by"]) for m in report["measurements"]] == [
        ("picture", 1, 10, 1.0),
        ("rates", 100, 10, 1.0),
    ]
    picture, rates = report["measurements"]
    assert rates["poses_per_s"] == pytest.approx(100 / rates["seconds"])
    assert report["summary"] in " ".join(result.stderr.split())
    assert report["summary"].startswith(f"erd, S = 10: lifts {rates['poses_per_s']:.3g} poses/s")
    assert f"one picture takes {picture['seconds']:.2g} s" in report["summary"]
    assert not {"Targets", "of ceiling", "timed"} & {*result.stderr.split()}


def test_the_files_of_the_command(finished: tuple[Any, Path]) -> None:
    result, out = finished
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == json.loads((out / "bench.json").read_text())
    assert {path.name for path in out.iterdir()} == {"bench.json", "bench.md", "bench.png"}
    assert (out / "bench.png").read_bytes().startswith(b"\x89PNG")
    text = (out / "bench.md").read_text()
    for words in ("Targets", "Comparison", "our loop to the plain one, wide, S = 1", "Cost by number of people"):
        assert words in text
    assert "Comparison" in result.stderr and "None" not in result.stderr + text


def test_the_numbers_of_a_report_are_consistent(finished: tuple[Any, Path]) -> None:
    report = json.loads((finished[1] / "bench.json").read_text())
    found = report["measurements"]
    assert {m["group"] for m in found} == {"comparison", "rates", "picture", "rows", "iterations"}
    ceiling = report["ceilings"][0]
    assert ceiling["dtype"] == "float32" and report["machine"]["threads"] == 1
    for m in found:
        assert m["seconds"] > 0 and m["scaled_by"] >= 1
        assert m["poses_per_s"] == pytest.approx(m["rows"] / m["seconds"])
        if m["ceiling_share"] is not None:
            assert m["ceiling_share"] == pytest.approx(m["flops"] / m["seconds"] / ceiling["flops_per_s"])

    def seconds(what: str, network: str, group: str = "comparison", hypotheses: int = 1) -> float:
        key = (group, what, network, hypotheses)
        return next(m["seconds"] for m in found if (m["group"], m["what"], m["network"], m["hypotheses"]) == key)

    for network in ("packaged", "wide"):
        total = seconds("plain loop", network) + seconds("Adam steps", "")
        assert seconds("plain reference", network) == pytest.approx(total)
    ratios = {entry["name"]: entry["ratio"] for entry in report["ratios"]}
    assert ratios["our loop to the plain one, wide, S = 1"] == pytest.approx(
        seconds("plain loop", "wide") / seconds("our loop", "wide")
    )
    assert all((t["reached"] is None) == t["name"].startswith("GPU") for t in report["targets"] if t["unit"] == "x")
    values = [t["value"] for t in report["targets"] if "against the plain reference" in t["name"]]
    reference = seconds("plain reference", "wide")
    assert values == pytest.approx([S * reference / seconds("default preset", "wide", "rates", S) for S in (1, 10)])


def test_the_curve_has_the_requested_rows(finished: tuple[Any, Path]) -> None:
    """Or there is a note, on a machine that is too slow for them."""
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
def test_invalid_options(args: list[str], code: int, message: str, tmp_path: Path) -> None:
    result = run("--quick", *args, "--out", str(tmp_path / "out"))
    assert result.exit_code == code
    assert message in " ".join(result.stderr.replace("│", " ").split())


def test_a_folder_that_cannot_be_written_to_is_refused_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = run("--out", str(tmp_path / "file" / "out"))
    assert result.exit_code == 1 and "cannot write there" in result.stderr
