"""Times, peaks of memory, and the rates and FLOPs to hold them against."""

from __future__ import annotations

import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from zedo_core.bench.record import Ceiling, Machine
from zedo_core.nets.fused import FusedScore
from zedo_core.nets.score_mlp import ScoreMLP
from zedo_core.nets.tabled import TabledScore

Run = Callable[[], object]
_REPEATS, _LEAST_S = 3, 1.0
# Fills the device, and fits its memory.
_SIZE_CPU, _SIZE_GPU, _SIZE_QUICK = 2048, 8192, 256


@dataclass(frozen=True)
class Timing:
    """Median and shortest time of some repeats, and the most memory that the device held meanwhile."""

    seconds: float
    shortest_s: float
    repeats: int
    peak_bytes: int | None


def timed(run: Run, device: torch.device, budget_s: float) -> Timing:
    """Run to warm up, then three times and for a second in all, or until the budget is spent."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    times = [_once(run, device)]
    if times[0] < budget_s / 2:  # else there is no time to warm up, and little need
        times.clear()
        while not (sum(times) >= budget_s or (len(times) >= _REPEATS and sum(times) >= _LEAST_S)):
            times.append(_once(run, device))
    peak = torch.cuda.max_memory_allocated(device) if device.type == "cuda" else None
    return Timing(statistics.median(times), min(times), len(times), peak)


def timed_part(
    make: Callable[[int], Run], wanted: int, device: torch.device, budget_s: float, first: int = 1
) -> tuple[Timing, int]:
    """Time as many of the `wanted` units as the budget allows, and say how many; `make(n)` is the work of n units."""
    units = min(first, wanted)
    while units < wanted:
        seconds = min(_once(make(units), device) for _ in range(2))  # one alone may have been disturbed
        fitting = int(units * budget_s / seconds)
        if fitting <= units:
            break
        previous, units = units, min(wanted, fitting, 10 * units)  # small pieces tell little of large ones
        if units < 10 * previous:
            break
    return timed(make(units), device, budget_s), units


def _once(run: Run, device: torch.device) -> float:
    _synchronise(device)
    start = time.perf_counter()
    run()
    _synchronise(device)
    return time.perf_counter() - start


def _synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def peaks(runs: Sequence[Run], device: torch.device) -> tuple[int, ...] | None:
    """Most bytes in use above those before the first run, after each one: of the GPU's memory, else of the process's.

    None where it cannot be told, such as when the process had already needed more.
    """
    _forget_peak(device)
    before, least = _in_use(device), _most_in_use(device)
    if before is None or least is None:
        return None
    found = []
    for run in runs:
        run()
        found.append((_most_in_use(device) or 0) - before)
    return tuple(found) if found[0] + before > least else None


def _forget_peak(device: torch.device) -> None:
    """Let the peak be what is in use now, where that can be done."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")  # see proc(5)


def _in_use(device: torch.device) -> int | None:
    """Bytes held now; of the process elsewhere than on Linux, the most so far has to do."""
    if device.type == "cuda":
        return torch.cuda.memory_allocated(device)
    return _linux_status("VmRSS") or _most_in_use(device)


def _most_in_use(device: torch.device) -> int | None:
    """Most bytes held so far; None on Windows, which has no such call."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    peak = _linux_status("VmHWM")
    if peak is not None:
        return peak
    try:
        import resource
    except ImportError:
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _linux_status(field: str) -> int | None:
    """Bytes of a field of this process's status, which the system gives in kB."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:")), None)


def ceilings(device: torch.device, budget_s: float, quick: bool) -> tuple[Ceiling, ...]:
    """Rates of one large product for each dtype, float32 first; the best of the repeats, for it is a ceiling."""
    kinds = ["float32", "tfloat32", "float16", "bfloat16"] if device.type == "cuda" else ["float32"]
    size = _SIZE_QUICK if quick else _SIZE_CPU if device.type == "cpu" else _SIZE_GPU
    return tuple(_ceiling(kind, size, device, budget_s) for kind in kinds)


def _ceiling(kind: str, size: int, device: torch.device, budget_s: float) -> Ceiling:
    dtype = getattr(torch, kind.replace("tfloat32", "float32"))
    a, b = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
    out = torch.empty_like(a)
    before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = kind == "tfloat32"
    try:
        seconds = timed(lambda: torch.mm(a, b, out=out), device, budget_s).shortest_s
    finally:
        torch.backends.cuda.matmul.allow_tf32 = before
    return Ceiling(dtype=kind, size=size, flops_per_s=2.0 * size**3 / seconds)


def flops_per_row(net: ScoreMLP) -> int:
    """FLOPs of one row in one call: two for each weight that meets the pose; the time is tabled, norms are left out."""
    return 2 * (sum(layer.dense.weight.numel() for layer in net.layers) + net.head.weight.numel())


def rows_through(run: Run) -> int:
    """How many rows go through score networks in a run."""
    seen: list[int] = []

    def count(module: nn.Module, inputs: tuple[Any, ...], output: object) -> None:
        if isinstance(module, (TabledScore, FusedScore)):
            seen.append(len(inputs[0]))

    hook = nn.modules.module.register_module_forward_hook(count)
    try:
        run()
    finally:
        hook.remove()
    return sum(seen)


@contextmanager
def threads_set(threads: int | None) -> Iterator[None]:
    """So many threads of the CPU for a while."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def busy() -> str | None:
    """A note when other programs use the processors; None when they do not, or nobody tells."""
    try:
        load, cores = os.getloadavg()[0], os.cpu_count() or 1
    except (AttributeError, OSError):  # not on Windows
        return None
    if load < max(1.0, cores / 2):
        return None
    return f"other programs were using the processors (load {load:.1f} on {cores} cores): the figures are rough"


def this_machine(device: torch.device) -> Machine:
    """What the rates are a property of."""
    processor = _processor()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return Machine(
        processor=processor,
        cores=cores,
        threads=torch.get_num_threads(),
        device=str(device),
        device_name=torch.cuda.get_device_name(device) if device.type == "cuda" else processor,
        torch=torch.__version__,
        python=platform.python_version(),
        system=f"{platform.system()} {platform.machine()}",
    )


def _processor() -> str:
    """Its name, which Linux tells only in a file."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())
