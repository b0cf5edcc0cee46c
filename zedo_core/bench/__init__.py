"""Benchmark of a method's lifting on this machine, with the method's own comparisons."""

from zedo_core.bench.report import Table, as_json, prepare, summary, tables, write_report
from zedo_core.bench.run import bench
from zedo_core.methods.benchmark import Bench, BenchRequest, Machine, Measurement, Memory, Target

__all__ = [
    "Bench",
    "BenchRequest",
    "Machine",
    "Measurement",
    "Memory",
    "Table",
    "Target",
    "as_json",
    "bench",
    "prepare",
    "summary",
    "tables",
    "write_report",
]
