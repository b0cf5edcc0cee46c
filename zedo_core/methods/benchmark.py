"""A benchmark's request, what a method adds to it, and its results; times in seconds, memory in bytes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from zedo_core.errors import InputError
from zedo_core.methods import DEFAULT_METHOD
from zedo_core.methods.protocol import Lifter

PACKAGED = "packaged"  # name of the network of a method's default lifter
_MAX_ROWS = 10**7

Run = Callable[[], object]


@dataclass(frozen=True, kw_only=True)
class BenchRequest:
    """What to measure. InputError when a number is out of range."""

    method: str = DEFAULT_METHOD
    device: str = "auto"
    threads: int | None = None  # CPU threads; None leaves the number unchanged
    rows: tuple[int, ...] = (1, 100, 1000, 10_000, 100_000)  # of the cost curve; sizes that take too long are skipped
    seconds: float = 5.0  # budget of one measurement; longer work is timed in part and scaled up
    quick: bool = False  # only the rates of the default preset, each timed once: a few seconds in total

    def __post_init__(self) -> None:
        if not self.rows or not all(1 <= rows <= _MAX_ROWS for rows in self.rows):
            raise InputError(f"expected numbers of rows from 1 to {_MAX_ROWS}, got {list(self.rows)}")
        if not (math.isfinite(self.seconds) and self.seconds > 0):
            raise InputError(f"expected a budget above 0 seconds, got {self.seconds}")
        if self.threads is not None and not 1 <= self.threads <= 1024:
            raise InputError(f"expected 1 to 1024 threads, got {self.threads}")

    @property
    def budget_s(self) -> float:
        """Time budget of one measurement in seconds."""
        return 0.0 if self.quick else self.seconds

    @property
    def people(self) -> int:
        """Number of people in the comparison and the rates."""
        return 100 if self.quick else 886

    @property
    def hypotheses(self) -> tuple[int, ...]:
        """Numbers of hypotheses for the rates."""
        return (10,) if self.quick else (1, 10, 50)

    @property
    def iterations(self) -> tuple[int, ...]:
        """Numbers of network calls for the cost curve."""
        return (10, 20, 50, 100, 200, 500)


@dataclass(frozen=True, kw_only=True)
class Work:
    """Something to be timed: `make(n)` returns a run of n of its `units`, which are people or iterations.

    When all units would take too long, a part of them is timed and scaled up; at least `least` units are
    representative of the whole.
    """

    group: str  # table it belongs to: comparison, rates, picture, rows or iterations
    what: str  # such as `default preset`
    network: str  # `packaged` or another; empty when no network is involved
    rows: int  # people
    hypotheses: int
    iterations: int  # network calls per hypothesis, or steps of an optimiser
    units: int
    make: Callable[[int], Run]
    least: int = 1
    flops: float = 0.0  # of all products with the network's weights; 0 if unknown
    products: str = "float32"  # precision of the network's matrix products


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """One piece of work and its median time; `scaled_by` is above 1 when a part was timed and scaled up."""

    group: str
    what: str
    network: str
    rows: int
    hypotheses: int
    iterations: int
    seconds: float
    scaled_by: float
    repeats: int
    flops: float
    ceiling_share: float | None  # share of the rate of one product in `products`; None if the FLOPs are unknown
    peak_bytes: int | None  # on the device; None if unknown
    products: str = "float32"

    @property
    def poses_per_s(self) -> float:
        """Poses per second, each a person in a frame with all hypotheses, as the report of `infer` counts them."""
        return self.rows / self.seconds


@dataclass(frozen=True, kw_only=True)
class Machine:
    """The machine that the benchmark ran on."""

    processor: str
    cores: int  # available to this process
    threads: int  # used by torch
    device: str
    device_name: str
    torch: str
    python: str
    system: str


@dataclass(frozen=True, kw_only=True)
class Ceiling:
    """Rate of one large square matrix product."""

    dtype: str
    size: int
    flops_per_s: float


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Peak memory on the device with one hypothesis, above what was in use before, and that of a million people."""

    peak_bytes: int  # of the default preset
    rows: tuple[int, int]  # people in the two runs from which the growth is estimated
    bytes_per_person: float
    result_bytes: int  # results of a million people
    million_bytes: int  # estimate for a million people, without the results


@dataclass(frozen=True, kw_only=True)
class Target:
    """A target that the project set itself; `value` and `reached` are None when this run cannot tell."""

    name: str
    unit: str
    limit: float
    at_most: bool
    value: float | None
    note: str = ""

    @property
    def reached(self) -> bool | None:
        """Whether the value is on the right side of the limit."""
        if self.value is None:
            return None
        return self.value <= self.limit if self.at_most else self.value >= self.limit


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """A comparison of two measurements."""

    name: str
    slow: Measurement
    fast: Measurement

    @property
    def ratio(self) -> float:
        """Speed-up of `fast` over `slow`."""
        return self.slow.seconds / self.fast.seconds


@dataclass(frozen=True, kw_only=True)
class Bench:
    """Everything that was measured."""

    request: BenchRequest
    machine: Machine
    ceilings: tuple[Ceiling, ...]
    measurements: tuple[Measurement, ...]
    memory: Memory | None
    ratios: tuple[Ratio, ...] = ()
    targets: tuple[Target, ...] = ()
    remarks: dict[str, str] = field(default_factory=dict)  # shown in the machine's table, by subject
    notes: tuple[str, ...] = ()

    def find(self, group: str, what: str, network: str, hypotheses: int) -> Measurement | None:
        """The first measurement that matches."""
        wanted = (group, what, network, hypotheses)
        found = (m for m in self.measurements if (m.group, m.what, m.network, m.hypotheses) == wanted)
        return next(found, None)


class Workloads:
    """What a method adds to a benchmark: by default only its lifter; a method with more to measure overrides this."""

    # Numbers of people between which the growth of memory is measured; the smaller one fills a batch.
    memory_rows: ClassVar[tuple[int, int]] = (100, 1000)
    remarks: ClassVar[Mapping[str, str]] = {}

    def __init__(self, lifter: Lifter, request: BenchRequest) -> None:
        self.lifter, self.request = lifter, request

    @property
    def lifters(self) -> Mapping[str, Lifter]:
        """Lifters whose rates are measured, by the name of their network; the default one first."""
        return {PACKAGED: self.lifter}

    @property
    def memory_lifters(self) -> tuple[Lifter, Lifter]:
        """Two faster lifters: one with the default one's peak memory, one with its growth per additional person."""
        return self.lifter, self.lifter

    def flops(self, lifter: Lifter, hypotheses: int) -> float:
        """FLOPs of the products with the network's weights for one person; 0 if unknown."""
        return 0.0

    def products(self, lifter: Lifter) -> str:
        """Precision of the network's matrix products."""
        return "float32"

    def comparisons(self) -> Sequence[tuple[str, Callable[[], Iterable[Work]]]]:
        """Named steps and their work, in addition to the default lifter's."""
        return ()

    def derived(self, measurements: Sequence[Measurement]) -> Iterable[Measurement]:
        """Measurements derived from those of the comparisons."""
        return ()

    def curves(self) -> Mapping[str, Callable[[int], Work]]:
        """Further work to time for growing numbers of people, by name."""
        return {}

    def ratios(self, bench: Bench) -> Sequence[Ratio]:
        """Comparisons to report."""
        return ()

    def targets(self, bench: Bench) -> Sequence[Target]:
        """Targets to report; those for another kind of device have no value."""
        return ()
