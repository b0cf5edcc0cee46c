"""Running a benchmark: the measurements, their order, and their budgets."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import torch

from zedo_core.bench.clock import ceilings, cpu_threads, load_note, peak_memory, this_machine, time_units
from zedo_core.data.mocap_clips import CAMERA, sample_keypoints
from zedo_core.methods import Lifter, get_method
from zedo_core.methods.benchmark import (
    PACKAGED,
    Bench,
    BenchRequest,
    Ceiling,
    Measurement,
    Memory,
    Run,
    Work,
    Workloads,
)
from zedo_core.nets.device import find_device

DEFAULT = "default preset"

Progress = Callable[[int, int, str], None]
Step = Callable[[], Iterable[Measurement]]
_MIN_PEOPLE = 10  # lifting a single person takes almost as long as lifting several
_CURVE_BUDGETS = 5  # limit for a point of the cost curve, which is not scaled up, in budgets
_MILLION = 10**6


def bench(request: BenchRequest, on_progress: Progress = lambda done, total, name: None) -> Bench:
    """Run a benchmark; `on_progress` receives the steps done, their total and the name of the next one.

    InputError or DeviceError when the request cannot be met.
    """
    method, device = get_method(request.method), find_device(request.device)
    note = load_note()
    with cpu_threads(request.threads):
        workloads = method.workloads(method.load(method.weights, str(device)), request)
        runner = _Runner(request, device, workloads, notes=[note] if note else [])
        steps = runner.steps()
        for done, (name, step) in enumerate(steps):
            on_progress(done, len(steps), name)
            runner.measurements.extend(step())
        on_progress(len(steps), len(steps), "done")
        return runner.result()


@dataclass
class _Runner:
    """The steps of a benchmark, and their results so far."""

    request: BenchRequest
    device: torch.device
    workloads: Workloads
    measurements: list[Measurement] = field(default_factory=list)
    ceilings: tuple[Ceiling, ...] = ()
    memory: Memory | None = None
    notes: list[str] = field(default_factory=list)

    def steps(self) -> list[tuple[str, Step]]:
        """Steps by name. Memory comes first, since the system reports the peak of the process's whole lifetime."""
        if self.request.quick:
            return self._quick_steps()
        request, lifters = self.request, self.workloads.lifters
        curves = {DEFAULT: self._lifting_of_size, **self.workloads.curves()}
        return [
            ("memory", self._memory),
            ("matrix product", self._ceilings),
            *(
                (f"one picture, S = {S}", partial(self._lifting, "picture", PACKAGED, 1, S))
                for S in request.hypotheses[:2]
            ),
            *((name, partial(self._measure_all, works)) for name, works in self.workloads.comparisons()),
            *(
                (f"rates, {name}, S = {S}", partial(self._lifting, "rates", name, request.people, S))
                for name in lifters
                for S in request.hypotheses
            ),
            *((f"{what} by rows", partial(self._by_rows, what, work)) for what, work in curves.items()),
            *((f"{n} iterations", partial(self._by_iterations, n)) for n in request.iterations),
        ]

    def _quick_steps(self) -> list[tuple[str, Step]]:
        """The rates of the default preset alone; the first lifting, which is slower, is not timed."""

        def warm_up() -> Iterable[Measurement]:
            _lift(self.workloads.lifter, 1, 1)()
            return ()

        groups = {"picture": 1, "rates": self.request.people}
        return [
            ("warming up", warm_up),
            *(
                (f"{rows} people, S = {S}", partial(self._lifting, group, PACKAGED, rows, S))
                for S in self.request.hypotheses
                for group, rows in groups.items()
            ),
        ]

    def result(self) -> Bench:
        """All results, with derived ones."""
        quick = self.request.quick
        result = Bench(
            request=self.request,
            machine=this_machine(self.device),
            ceilings=self.ceilings,
            measurements=(*self.measurements, *(() if quick else self.workloads.derived(self.measurements))),
            memory=self.memory,
            remarks={} if quick else dict(self.workloads.remarks),
            notes=tuple(self.notes),
        )
        if quick:
            return result
        ratios, targets = tuple(self.workloads.ratios(result)), tuple(self.workloads.targets(result))
        return replace(result, ratios=ratios, targets=targets)

    def _memory(self) -> Iterable[Measurement]:
        """Measure the peak of one batch, and the growth with the number of people."""
        same_peak, same_growth = self.workloads.memory_lifters
        sizes = self.workloads.memory_rows
        lifted = _lift(same_peak, 1, 1)()
        runs = [*(_lift(same_growth, 1, rows) for rows in sizes), _lift(same_peak, 1, 50)]
        peaks = peak_memory(runs, self.device)
        if peaks is None:
            self.notes.append("memory: unknown; the process had needed more before, or the system does not report it")
            return ()
        per_person = (peaks[1] - peaks[0]) / (sizes[1] - sizes[0])
        result = sum(array.nbytes for array in vars(lifted).values() if array is not None)
        beyond = max(0.0, per_person - (result if self.device.type == "cpu" else 0))  # results are on the host
        self.memory = Memory(
            peak_bytes=peaks[2],
            rows=sizes,
            bytes_per_person=per_person,
            result_bytes=result * _MILLION,
            million_bytes=peaks[2] + int(beyond * _MILLION),
        )
        return ()

    def _ceilings(self) -> Iterable[Measurement]:
        self.ceilings = ceilings(self.device, self.request.budget_s)
        return ()

    def _measure_all(self, works: Callable[[], Iterable[Work]]) -> Iterable[Measurement]:
        return map(self._measure, works())

    def _lifting(self, group: str, network: str, rows: int, hypotheses: int) -> Iterable[Measurement]:
        """Measure the default preset for `rows` people, or for as many as the budget allows, scaled up."""
        yield self._measure(self._work(self.workloads.lifters[network], group, network, rows, hypotheses))

    def _by_iterations(self, iterations: int) -> Iterable[Measurement]:
        method = get_method(self.request.method)
        lifter = method.load(method.weights, str(self.device), iterations=iterations)
        rows = min(100, self.request.people)
        yield self._measure(replace(self._work(lifter, "iterations", PACKAGED, rows, 1), iterations=iterations))

    def _by_rows(self, what: str, work_of: Callable[[int], Work]) -> Iterable[Measurement]:
        """Measure one hypothesis for increasing numbers of people, until it takes too long."""
        per_row = 0.0  # seconds per person of the smallest part that can be timed
        for rows in sorted(set(self.request.rows)):
            if per_row * rows > _CURVE_BUDGETS * max(1.0, self.request.budget_s):
                self.notes.append(f"{what}: skipped from {rows} people on, which take about {per_row * rows:.2g} s")
                break
            work = work_of(rows)
            measurement = self._measure(work)
            per_row = measurement.seconds * work.least / work.units / rows
            yield measurement

    def _lifting_of_size(self, rows: int) -> Work:
        return replace(self._work(self.workloads.lifter, "rows", PACKAGED, rows, 1), least=rows)

    def _work(self, lifter: Lifter, group: str, network: str, rows: int, hypotheses: int) -> Work:
        return Work(
            group=group,
            what=DEFAULT,
            network=network,
            rows=rows,
            hypotheses=hypotheses,
            iterations=lifter.settings.get("iterations", 0),
            units=rows,
            make=partial(_lift, lifter, hypotheses),
            least=rows if self.request.quick else min(rows, _MIN_PEOPLE),
            flops=0.0 if self.request.quick else rows * self.workloads.flops(lifter, hypotheses),
            products=self.workloads.products(lifter),
        )

    def _measure(self, work: Work) -> Measurement:
        """Time the work, or a part of it if all of it would take too long."""
        timing, done = time_units(work.make, work.units, self.device, self.request.budget_s, work.least)
        seconds = timing.seconds * work.units / done
        ceiling = next((c.flops_per_s for c in self.ceilings if c.dtype == work.products), None)
        fields: dict[str, Any] = {
            name: getattr(work, name)
            for name in ("group", "what", "network", "rows", "hypotheses", "iterations", "flops", "products")
        }
        return Measurement(
            **fields,
            seconds=seconds,
            scaled_by=work.units / done,
            repeats=timing.repeats,
            ceiling_share=work.flops / seconds / ceiling if work.flops and ceiling else None,
            peak_bytes=timing.peak_bytes,
        )


def _lift(lifter: Lifter, hypotheses: int, rows: int) -> Run:
    return partial(lifter.lift, sample_keypoints(rows), (CAMERA,), hypotheses)
