"""What is asked of a benchmark and what it finds; times in seconds, memory in bytes."""

from __future__ import annotations

import math
from dataclasses import dataclass

from zedo_core.errors import InputError
from zedo_core.methods.zedo import ZedoOptions, preset

_MOST_ROWS = 10**7


@dataclass(frozen=True, kw_only=True)
class BenchRequest:
    """What to measure. InputError when a number is out of range."""

    device: str = "auto"
    threads: int | None = None  # of the CPU; None leaves them as they are
    rows: tuple[int, ...] = (1, 100, 1000, 10_000, 100_000)  # of the cost curve; those that take too long are left out
    seconds: float = 5.0  # budget of one measurement; what takes longer is measured in part and scaled
    quick: bool = False  # a few seconds in all; the figures mean little

    def __post_init__(self) -> None:
        if not self.rows or not all(1 <= rows <= _MOST_ROWS for rows in self.rows):
            raise InputError(f"expected numbers of rows from 1 to {_MOST_ROWS}, got {list(self.rows)}")
        if not (math.isfinite(self.seconds) and self.seconds > 0):
            raise InputError(f"expected a budget above 0 seconds, got {self.seconds}")
        if self.threads is not None and not 1 <= self.threads <= 1024:
            raise InputError(f"expected 1 to 1024 threads, got {self.threads}")

    @property
    def budget_s(self) -> float:
        """Seconds for one measurement."""
        return min(self.seconds, 0.05) if self.quick else self.seconds

    @property
    def people(self) -> int:
        """People of the comparison and of the rates."""
        return 16 if self.quick else 886

    @property
    def hypotheses(self) -> tuple[int, ...]:
        """Hypotheses of the rates."""
        return (1, 10) if self.quick else (1, 10, 50)

    @property
    def iterations(self) -> tuple[int, ...]:
        """Network calls of the cost curve."""
        return (5, 10) if self.quick else (10, 20, 50, 100, 200, 500)

    @property
    def reference(self) -> ZedoOptions:
        """The paper's settings, with which the plain implementation runs."""
        return preset("reference")


@dataclass(frozen=True, kw_only=True)
class Machine:
    """Where it ran."""

    processor: str
    cores: int  # that this process may use
    threads: int  # that torch uses
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
class Measurement:
    """One piece of work and its median time; `scaled_by` is above 1 where a part was timed and scaled up."""

    group: str  # the question that it answers: comparison, rates, picture, rows or iterations
    what: str  # plain loop, our loop, Adam steps, plain reference, or default preset
    network: str  # packaged, or wide (the paper's size, random weights); empty where none takes part
    rows: int  # people
    hypotheses: int
    iterations: int  # network calls for one hypothesis, or Adam steps
    seconds: float
    scaled_by: float
    repeats: int
    flops: float  # of the products with the network's weights, all that has to be done
    ceiling_share: float | None  # of the rate of one product with `products`; None where no network takes part
    peak_bytes: int | None  # on the device; None where it is not known
    products: str = "float32"  # in what the network multiplies

    @property
    def frames_per_s(self) -> float:
        """People lifted in a second, with all their hypotheses."""
        return self.rows / self.seconds


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Peak memory with one hypothesis, on the device, above what was in use before; and what a million people take."""

    peak_bytes: int  # of the default preset, which works in chunks of people
    rows: tuple[int, int]  # people of the two runs, quicker settings, that tell how it grows with their number
    bytes_per_person: float
    result_bytes: int  # a million people's results
    million_bytes: int  # what a million people take beyond the results, estimated


@dataclass(frozen=True, kw_only=True)
class Target:
    """A figure that we set ourselves; `value` and `reached` are None where this run cannot tell."""

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
class Bench:
    """Everything that was measured."""

    request: BenchRequest
    machine: Machine
    ceilings: tuple[Ceiling, ...]
    measurements: tuple[Measurement, ...]
    memory: Memory | None
    targets: tuple[Target, ...]
    notes: tuple[str, ...]

    def find(self, group: str, what: str, network: str, hypotheses: int) -> Measurement | None:
        """The first measurement of that kind."""
        wanted = (group, what, network, hypotheses)
        found = (m for m in self.measurements if (m.group, m.what, m.network, m.hypotheses) == wanted)
        return next(found, None)
