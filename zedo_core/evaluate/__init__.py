"""Evaluation on data sets with known 3D: `evaluate(request, out)`, then `write_report`."""

from zedo_core.evaluate.report import as_json, write_report
from zedo_core.evaluate.request import ABLATIONS, METHODS, EvalRequest
from zedo_core.evaluate.run import Evaluation, evaluate
from zedo_core.evaluate.tables import Table, tables

__all__ = [
    "ABLATIONS",
    "METHODS",
    "EvalRequest",
    "Evaluation",
    "Table",
    "as_json",
    "evaluate",
    "tables",
    "write_report",
]
