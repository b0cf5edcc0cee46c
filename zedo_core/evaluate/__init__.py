"""Evaluation on data sets with ground truth: `evaluate(request, out)`, then `write_report`."""

from zedo_core.evaluate.report import as_json, write_report
from zedo_core.evaluate.request import EvalRequest
from zedo_core.evaluate.run import Evaluation, evaluate
from zedo_core.evaluate.tables import Table, left_out, tables
from zedo_core.evaluate.verdict import verdict

__all__ = ["EvalRequest", "Evaluation", "Table", "as_json", "evaluate", "left_out", "tables", "verdict", "write_report"]
