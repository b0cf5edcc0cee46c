"""The run itself: what is measured, in which order, and with how much of the budget."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial

import torch

from zedo_core.bench.clock import (
    Run,
    Timing,
    busy,
    ceilings,
    flops_per_row,
    peaks,
    rows_through,
    this_machine,
    threads_set,
    timed_part,
)
from zedo_core.bench.plain import plain_loop
from zedo_core.bench.record import Bench, BenchRequest, Ceiling, Measurement, Memory
from zedo_core.bench.targets import targets
from zedo_core.bench.work import PACKAGED, People, Scene, lifters, our_loop
from zedo_core.lifting import find_device
from zedo_core.methods.zedo import ZedoLifter
from zedo_core.methods.zedo.ipo import descend

Progress = Callable[[int, int, str], None]
_FEWEST = 5  # iterations: the first fifth has no translation, as in a whole run
_FEWEST_PEOPLE = 10  # one alone takes almost as long as some
_PATIENCE = 5  # budgets for a point of the cost curve, which is not scaled
_MILLION = 10**6


def bench(request: BenchRequest, on_progress: Progress = lambda done, total, name: None) -> Bench:
    """Measure this machine; `on_progress` gets the steps done, their number and the name of the next one.

    InputError or DeviceError when the request cannot be met.
    """
    device = find_device(request.device)
    note = busy()
    with threads_set(request.threads):
        bencher = _Bencher(request, device, lifters(device), People.sample(), notes=[note] if note else [])
        steps = bencher.steps()
        for done, (name, step) in enumerate(steps):
            on_progress(done, len(steps), name)
            bencher.measurements.extend(step())
        on_progress(len(steps), len(steps), "done")
        return bencher.finished()


@dataclass
class _Bencher:
    """What the steps share, and what they have found so far."""

    request: BenchRequest
    device: torch.device
    lifters: dict[str, ZedoLifter]
    people: People
    measurements: list[Measurement] = field(default_factory=list)
    ceilings: tuple[Ceiling, ...] = ()
    memory: Memory | None = None
    notes: list[str] = field(default_factory=list)

    def steps(self) -> list[tuple[str, Callable[[], Iterator[Measurement]]]]:
        """Names and work. Memory comes first: the system tells the peak of the process's whole life."""
        request = self.request
        compared = sorted({1, 1 if self.device.type == "cpu" else max(request.hypotheses)})
        return [
            ("memory", self._memory),
            ("matrix product", self._ceilings),
            *((f"one picture, S = {S}", partial(self._picture, S)) for S in request.hypotheses[:2]),
            *((f"loops, {name}, S = {S}", partial(self._loops, name, S)) for name in self.lifters for S in compared),
            ("Adam", self._adam),
            *(
                (f"rates, {name}, S = {S}", partial(self._rates, name, S))
                for name in self.lifters
                for S in request.hypotheses
            ),
            *(
                (f"{what} by rows", partial(self._by_rows, what))
                for what in ("default preset", "our loop", "plain loop")
            ),
            *((f"{n} iterations", partial(self._by_iterations, n)) for n in request.iterations),
        ]

    def finished(self) -> Bench:
        """All that was found, with the targets judged."""
        found = Bench(
            request=self.request,
            machine=this_machine(self.device),
            ceilings=self.ceilings,
            measurements=tuple(self.measurements),
            memory=self.memory,
            targets=(),
            notes=tuple(self.notes),
        )
        return replace(found, targets=targets(found))

    def _memory(self) -> Iterator[Measurement]:
        """The peak of one chunk, and the growth with many; how many iterations there are is no matter."""
        lifter = self.lifters[PACKAGED]
        default = replace(lifter, options=replace(lifter.options, iterations=1))
        few = replace(default.options, headings=1, tilts_deg=(0.0,), shapes=1, candidates=1)
        sizes = (100, 200) if self.request.quick else (5_000, 50_000)
        least = _lift(default, self.people, 1, 1)()
        runs = [_lift(replace(lifter, options=few), self.people, 1, rows) for rows in sizes]
        found = peaks([*runs, _lift(default, self.people, 1, 50)], self.device)
        if found is None:
            self.notes.append("memory: not known; the process had needed more before, or the system does not tell")
            return iter(())
        per_person = (found[1] - found[0]) / (sizes[1] - sizes[0])
        result = sum(array.nbytes for array in vars(least).values())
        beyond = max(0.0, per_person - (result if self.device.type == "cpu" else 0))  # results are on the host
        self.memory = Memory(
            peak_bytes=found[2],
            rows=sizes,
            bytes_per_person=per_person,
            result_bytes=result * _MILLION,
            million_bytes=found[2] + int(beyond * _MILLION),
        )
        return iter(())

    def _ceilings(self) -> Iterator[Measurement]:
        self.ceilings = ceilings(self.device, self.request.budget_s, self.request.quick)
        return iter(())

    def _picture(self, hypotheses: int) -> Iterator[Measurement]:
        yield self._lifting("picture", PACKAGED, 1, hypotheses)

    def _loops(self, network: str, hypotheses: int) -> Iterator[Measurement]:
        """The plain loop and ours, with the paper's settings."""
        scene = self._scene(network, self.request.people, hypotheses)
        for what in ("plain loop", "our loop"):
            yield self._loop("comparison", what, network, scene)

    def _adam(self) -> Iterator[Measurement]:
        """The paper's initial pose optimiser, which no network takes part in; both networks' references count it."""
        options, lifter = self.request.reference, self.lifters[PACKAGED]
        scene = self._scene(PACKAGED, self.request.people, 1)

        def make(steps: int) -> Run:
            return partial(
                descend, scene.observed, scene.pose[:, 0], lifter.skeleton, replace(options, adam_steps=steps)
            )

        timing, steps = timed_part(make, options.adam_steps, self.device, self.request.budget_s)
        size = (len(scene.pose), 1, options.adam_steps)
        adam = self._entry("comparison", "Adam steps", "", size, timing, steps / options.adam_steps, 0.0)
        yield adam
        for loop in [m for m in self.measurements if m.what == "plain loop"]:
            seconds = loop.seconds + loop.hypotheses * adam.seconds
            yield replace(loop, what="plain reference", seconds=seconds, ceiling_share=None)

    def _rates(self, network: str, hypotheses: int) -> Iterator[Measurement]:
        yield self._lifting("rates", network, self.request.people, hypotheses)

    def _by_rows(self, what: str) -> Iterator[Measurement]:
        """One hypothesis for more and more people, until it takes too long."""
        per_row = 0.0  # seconds for each person, of the least that can be timed
        for rows in sorted(set(self.request.rows)):
            if per_row * rows > _PATIENCE * max(1.0, self.request.budget_s):
                self.notes.append(f"{what}: left out from {rows} people on, which take about {per_row * rows:.2g} s")
                break
            if what == "default preset":
                found = self._lifting("rows", PACKAGED, rows, 1, whole=True)
                per_row = found.seconds / rows
            else:
                found = self._loop("rows", what, PACKAGED, self._scene(PACKAGED, rows, 1))
                per_row = found.seconds * _FEWEST / found.iterations / rows
            yield found

    def _by_iterations(self, iterations: int) -> Iterator[Measurement]:
        yield self._lifting("iterations", PACKAGED, min(100, self.request.people), 1, iterations=iterations)

    def _scene(self, network: str, rows: int, hypotheses: int) -> Scene:
        options = replace(self.request.reference, adam_steps=0)
        return Scene.start(self.lifters[network], self.people.cycled(rows), hypotheses, options)

    def _loop(self, group: str, what: str, network: str, scene: Scene) -> Measurement:
        """A loop of the paper's 1000 iterations, or of as many as the budget allows, scaled up."""
        lifter, options = self.lifters[network], self.request.reference
        people, hypotheses = scene.pose.shape[:2]

        def make(iterations: int) -> Run:
            fewer = replace(options, iterations=iterations)
            if what == "our loop":
                return partial(our_loop, lifter, scene, fewer)
            return partial(plain_loop, lifter.prior, scene.observed, scene.pose, scene.T, fewer)

        timing, done = timed_part(make, options.iterations, self.device, self.request.budget_s, _FEWEST)
        size = (people, hypotheses, options.iterations)
        flops = float(people * hypotheses * options.iterations * flops_per_row(lifter.prior.net))
        products = "float32" if what == "plain loop" else lifter.products
        return self._entry(group, what, network, size, timing, done / options.iterations, flops, products)

    def _lifting(
        self, group: str, network: str, rows: int, hypotheses: int, iterations: int | None = None, whole: bool = False
    ) -> Measurement:
        """The default preset for so many people, or for as many as the budget allows, scaled up unless `whole`."""
        lifter = self.lifters[network]
        if iterations is not None:
            lifter = replace(lifter, options=lifter.options.with_iterations(iterations))
        calls = rows_through(_lift(lifter, self.people, hypotheses, 1))
        make = partial(_lift, lifter, self.people, hypotheses)
        first = rows if whole else 1 if self.request.quick else _FEWEST_PEOPLE
        timing, done = timed_part(make, rows, self.device, self.request.budget_s, first)
        size = (rows, hypotheses, lifter.options.iterations)
        flops = float(rows * calls * flops_per_row(lifter.prior.net))
        return self._entry(group, "default preset", network, size, timing, done / rows, flops, lifter.products)

    def _ceiling_of(self, products: str) -> float:
        return next(c.flops_per_s for c in self.ceilings if c.dtype == products)

    def _entry(
        self,
        group: str,
        what: str,
        network: str,
        size: tuple[int, int, int],
        timing: Timing,
        part: float,
        flops: float,
        products: str = "float32",
    ) -> Measurement:
        """A measurement of which a part was timed; `size` is people, hypotheses and iterations."""
        rows, hypotheses, iterations = size
        seconds = timing.seconds / part
        return Measurement(
            group=group,
            what=what,
            network=network,
            rows=rows,
            hypotheses=hypotheses,
            iterations=iterations,
            seconds=seconds,
            scaled_by=1 / part,
            repeats=timing.repeats,
            flops=flops,
            ceiling_share=flops / seconds / self._ceiling_of(products) if flops else None,
            peak_bytes=timing.peak_bytes,
            products=products,
        )


def _lift(lifter: ZedoLifter, people: People, hypotheses: int, rows: int) -> Run:
    some = people.cycled(rows)
    return partial(lifter.lift_rows, some.xy, some.confidence, some.K, hypotheses)
