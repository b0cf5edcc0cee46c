"""Benchmarks of sizes that take seconds in tests."""

from __future__ import annotations

import pytest

from zedo_core.bench import BenchRequest, clock
from zedo_core.bench import run as runs
from zedo_core.methods.zedo.workloads import ZedoWorkloads


def make_benchmarks_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few people, hypotheses, iterations and products, for the whole of a benchmark."""
    for name, value in {"people": 16, "hypotheses": (1, 10), "iterations": (5, 10)}.items():
        monkeypatch.setattr(BenchRequest, name, value)
    monkeypatch.setattr(runs, "_MIN_PEOPLE", 1)
    monkeypatch.setattr(ZedoWorkloads, "memory_rows", (100, 200))
    monkeypatch.setattr(clock, "_SIZE_CPU", 256)
