"""How fast the lifting is on this machine, beside a plain implementation of the paper."""

from zedo_core.bench.record import Bench, BenchRequest, Machine, Measurement, Memory, Target
from zedo_core.bench.report import Table, as_json, prepare, tables, write_report
from zedo_core.bench.run import bench

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
    "tables",
    "write_report",
]
