"""Plots of an evaluation as PNG."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy import ndarray

from zedo_core.data import Samples
from zedo_core.evaluate.run import Evaluation, Row
from zedo_core.skeleton import H36M17
from zedo_core.storage.files import atomic_write

_BLUE, _ORANGE, _GREY = "#1f6fd0", "#e0582a", "#888888"
_BINS = 10


def save_plots(evaluation: Evaluation, out: Path) -> tuple[Path, ...]:
    """Write the plots for which there are rows, and return their paths."""
    rows = {
        table: [row for row in evaluation.rows if row.variant.table == table and row.numbers]
        for table in ("main", "hypo", "iterations")
    }
    last = rows["main"][-1]
    measured = evaluation.measured[last.key]
    figures = {"joints.png": _joints(rows["main"])}
    if "score" in measured:
        figures["expected_error.png"] = _expected_error(measured, last.variant.name)
    if "spread" in measured:
        figures["calibration.png"] = _calibration(measured, evaluation.samples, last.variant.name)
    by_hypotheses = sorted({row.variant.hypotheses: row for row in [*rows["hypo"], *rows["main"]]}.items())
    if len(by_hypotheses) > 1:
        figures["hypotheses.png"] = _hypotheses([row for _, row in by_hypotheses])
    if rows["iterations"]:
        figures["iterations.png"] = _iterations(rows["iterations"])
    paths = []
    for name, figure in figures.items():
        paths.append(out / name)
        with atomic_write(paths[-1]) as partial:
            figure.savefig(partial, dpi=130)
    return tuple(paths)


def binned(
    x: Float[ndarray, " n"], y: Float[ndarray, " n"], bins: int = _BINS
) -> tuple[Float[ndarray, " b"], Float[ndarray, " b"]]:
    """Means of x and root mean squares of y in bins of x with equal numbers of samples."""
    order = np.argsort(x, kind="stable")
    parts = [part for part in np.array_split(order, bins) if len(part)]
    means, rms = [x[part].mean() for part in parts], [np.sqrt(np.square(y[part]).mean()) for part in parts]
    return np.array(means), np.array(rms)


def _axes(title: str, x: str, y: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(6.4, 4.4), layout="constrained")
    axes = figure.add_subplot(title=title, xlabel=x, ylabel=y)
    axes.grid(color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    return figure, axes


def _joints(rows: list[Row]) -> Figure:
    figure, axes = _axes("Error of each joint (chosen hypothesis)", "mm", "")
    joints = list((rows[0].numbers or {})["joints"])
    height = 0.8 / len(rows)
    for i, row in enumerate(rows):
        values = [(row.numbers or {})["joints"][joint] for joint in joints]
        axes.barh(np.arange(len(joints)) + (i - (len(rows) - 1) / 2) * height, values, height, label=row.variant.name)
    axes.set_yticks(np.arange(len(joints)), [joint.replace("_", " ") for joint in joints])
    axes.invert_yaxis()
    axes.legend()
    return figure


def _expected_error(measured: dict[str, ndarray], name: str) -> Figure:
    """The error that the method expects against the true error: does it detect failures?"""
    expected, error = -1000.0 * measured["score"][:, 0], 1000.0 * measured["mpjpe"][:, 0]
    correlation = _rank_correlation(expected, error)
    title = f"Expected and true error, {name} (rank correlation {correlation:.2f})"
    figure, axes = _axes(title, "expected error, mm", "MPJPE of the chosen hypothesis, mm")
    axes.scatter(expected, error, s=6, color=_BLUE, alpha=0.35, linewidths=0)
    axes.plot(*binned(expected, error), color=_ORANGE, marker="o", label=f"RMS in {_BINS} equal parts")
    axes.legend()
    return figure


def _calibration(measured: dict[str, ndarray], samples: Samples, name: str) -> Figure:
    """The spread of joints against their error; a calibrated spread lies on the diagonal."""
    known = [joint for joint in H36M17.indices(samples.evaluated) if H36M17.parents[joint] >= 0]
    spread, error = 1000.0 * measured["spread"][:, known].ravel(), 1000.0 * measured["joint"][:, known].ravel()
    figure, axes = _axes(f"Calibration of the spread, {name}", "spread of a joint, mm", "error of the joint (RMS), mm")
    x, y = binned(spread, error, 2 * _BINS)
    top = 1.05 * max(x.max(), y.max())
    axes.plot((0, top), (0, top), color=_GREY, linestyle="--", label="calibrated")
    axes.plot(x, y, color=_BLUE, marker="o", label=f"{2 * _BINS} equal parts of all joints")
    axes.legend()
    return figure


def _hypotheses(rows: list[Row]) -> Figure:
    figure, axes = _axes("Error against the number of hypotheses", "hypotheses S", "MPJPE, mm")
    counts = [row.variant.hypotheses for row in rows]
    for kind, colour, label in (
        ("mean", _GREY, "mean of S"),
        ("chosen", _BLUE, "chosen without ground truth"),
        ("oracle", _ORANGE, "best of S (oracle)"),
    ):
        axes.plot(counts, [(row.numbers or {})["mpjpe"][kind] for row in rows], marker="o", color=colour, label=label)
    axes.set_xscale("log")
    axes.set_xticks(counts, [str(count) for count in counts])
    axes.minorticks_off()
    axes.legend()
    return figure


def _iterations(rows: list[Row]) -> Figure:
    """Figure 5 of the paper: error and time against network calls."""
    figure, axes = _axes("Error and time against network calls", "network calls", "MPJPE of the chosen hypothesis, mm")
    calls = [row.variant.calls or 0 for row in rows]
    (line,) = axes.plot(calls, [(row.numbers or {})["mpjpe"]["chosen"] for row in rows], marker="o", color=_BLUE)
    axes.set_xscale("log")
    axes.set_xticks(calls, [str(count) for count in calls])
    axes.minorticks_off()
    right = axes.twinx()
    milliseconds = [1000 * (row.seconds or 0.0) / (row.numbers or {})["samples"] for row in rows]
    (other,) = right.plot(calls, milliseconds, marker="s", color=_ORANGE)
    right.set(ylabel="lifting, ms per person", yscale="log")
    axes.legend([line, other], ["MPJPE", "time"])
    return figure


def _rank_correlation(x: Float[ndarray, " n"], y: Float[ndarray, " n"]) -> float:
    """Spearman's rank correlation; 0 if either is constant."""
    ranks = np.stack([np.argsort(np.argsort(values)).astype(float) for values in (x, y)])
    return float(np.corrcoef(ranks)[0, 1]) if len(x) > 2 and x.std() > 0 and y.std() > 0 else 0.0
