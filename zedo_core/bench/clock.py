"""Measuring times, peak memory, and the machine's rates to compare with."""

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

import torch

from zedo_core.methods.benchmark import Ceiling, Machine, Run

_REPEATS, _MIN_S = 3, 1.0
# Edge lengths of matrices that use the whole device and fit its memory.
_SIZE_CPU, _SIZE_GPU = 2048, 8192


@dataclass(frozen=True)
class Timing:
    """Median and shortest time of several repeats, and the device's peak memory during them."""

    seconds: float
    shortest_s: float
    repeats: int
    peak_bytes: int | None


def time_run(run: Run, device: torch.device, budget_s: float) -> Timing:
    """Run once to warm up, then at least three times and for a second in total, or until the budget is spent."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    times = [_time_once(run, device)]
    if times[0] < budget_s / 2:  # for longer runs there is no time to warm up, and little need
        times.clear()
        while not (sum(times) >= budget_s or (len(times) >= _REPEATS and sum(times) >= _MIN_S)):
            times.append(_time_once(run, device))
    peak = torch.cuda.max_memory_allocated(device) if device.type == "cuda" else None
    return Timing(statistics.median(times), min(times), len(times), peak)


def time_units(
    make: Callable[[int], Run], total: int, device: torch.device, budget_s: float, first: int = 1
) -> tuple[Timing, int]:
    """Time as many of `total` units as the budget allows, and return their number; `make(n)` returns a run of n units.

    The number grows from `first` by at most a factor of 10, since small runs predict large ones poorly.
    """
    units = min(first, total)
    while units < total:
        seconds = min(_time_once(make(units), device) for _ in range(2))  # the minimum, as one may be disturbed
        affordable = int(units * budget_s / seconds)
        if affordable <= units:
            break
        previous, units = units, min(total, affordable, 10 * units)
        if units < 10 * previous:
            break
    return time_run(make(units), device, budget_s), units


def _time_once(run: Run, device: torch.device) -> float:
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


def peak_memory(runs: Sequence[Run], device: torch.device) -> tuple[int, ...] | None:
    """Peak memory after each run in bytes, above that in use before the first: of the GPU, or else of the process.

    None when it cannot be determined, such as when the process had needed more before.
    """
    _reset_peak(device)
    before, earlier_peak = _in_use(device), _peak_in_use(device)
    if before is None or earlier_peak is None:
        return None
    peaks = []
    for run in runs:
        run()
        peaks.append((_peak_in_use(device) or 0) - before)
    return tuple(peaks) if peaks[0] + before > earlier_peak else None


def _reset_peak(device: torch.device) -> None:
    """Reset the peak to the memory in use now, if the system supports it."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")  # see proc(5)


def _in_use(device: torch.device) -> int | None:
    """Bytes in use now; for the process, outside Linux, the peak so far."""
    if device.type == "cuda":
        return torch.cuda.memory_allocated(device)
    return _linux_status("VmRSS") or _peak_in_use(device)


def _peak_in_use(device: torch.device) -> int | None:
    """Peak in bytes so far; None on Windows, which has no such call."""
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
    """A field of this process's status in bytes; the system reports kB."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:")), None)


def ceilings(device: torch.device, budget_s: float) -> tuple[Ceiling, ...]:
    """Rates of a large matrix product for each dtype, float32 first; the best of the repeats, as it is a ceiling."""
    kinds = ["float32", "tfloat32", "float16", "bfloat16"] if device.type == "cuda" else ["float32"]
    size = _SIZE_CPU if device.type == "cpu" else _SIZE_GPU
    return tuple(_ceiling(kind, size, device, budget_s) for kind in kinds)


def _ceiling(kind: str, size: int, device: torch.device, budget_s: float) -> Ceiling:
    dtype = getattr(torch, kind.replace("tfloat32", "float32"))
    a, b = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
    out = torch.empty_like(a)
    before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = kind == "tfloat32"
    try:
        seconds = time_run(lambda: torch.mm(a, b, out=out), device, budget_s).shortest_s
    finally:
        torch.backends.cuda.matmul.allow_tf32 = before
    return Ceiling(dtype=kind, size=size, flops_per_s=2.0 * size**3 / seconds)


@contextmanager
def cpu_threads(threads: int | None) -> Iterator[None]:
    """Use this number of CPU threads within the block."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def load_note() -> str | None:
    """A note when other programs use the processors; None when they do not, or the load is unknown."""
    try:
        load, cores = os.getloadavg()[0], os.cpu_count() or 1
    except (AttributeError, OSError):  # not on Windows
        return None
    if load < max(1.0, cores / 2):
        return None
    return f"other programs were using the processors (load {load:.1f} on {cores} cores): the figures are inaccurate"


def this_machine(device: torch.device) -> Machine:
    """The machine and software that the rates depend on."""
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
    """Name of the processor, which Linux reports only in a file."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())
