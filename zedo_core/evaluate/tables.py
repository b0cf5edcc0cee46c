"""Tables of an evaluation, shown in the terminal and written as Markdown."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from zedo_core.evaluate.request import HYPOTHESES
from zedo_core.evaluate.run import Evaluation, Row
from zedo_core.methods import get_method

_MAX_ACTIONS = 40


@dataclass(frozen=True)
class Table:
    """A title, column headers, rows of cells, and notes."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()


def tables(evaluation: Evaluation) -> list[Table]:
    """All tables of an evaluation, the most important first."""
    by_table: dict[str, list[Row]] = {}
    for row in evaluation.rows:
        by_table.setdefault(row.variant.table, []).append(row)
    titles = get_method(evaluation.request.method).titles
    every = by_table.pop("main")
    main = [row for row in every if row.numbers is not None]
    notes = tuple(f"{row.variant.name}: not run, {row.variant.missing}." for row in every if row.numbers is None)
    if not main:
        return [Table("Errors", ("",), (), notes), *_ablations(by_table, titles, evaluation)]
    result = [replace(_errors(main, evaluation), notes=(*left_out(evaluation), *notes)), _other_metrics(main)]
    result += _ablations(by_table, titles, evaluation)
    result.append(_joints(main))
    if 1 < len((main[-1].numbers or {})["actions"]) <= _MAX_ACTIONS:
        result.append(_actions(main[-1]))
    return result


def _ablations(by_table: dict[str, list[Row]], titles: Mapping[str, str], evaluation: Evaluation) -> list[Table]:
    other = {HYPOTHESES: "Ablation: number of hypotheses"}
    return [
        _ablation(titles.get(name, other.get(name, f"Ablation: {name}")), rows, evaluation.request.dataset)
        for name, rows in by_table.items()
    ]


def left_out(evaluation: Evaluation) -> tuple[str, ...]:
    """Notes on the samples that no mean contains."""
    samples = evaluation.samples
    counts = {
        "values missing or not finite": samples.left_out,
        "no detection": samples.undetected,
        "no finite result": samples.failed,
    }
    return tuple(f"{count} samples were left out of all means: {why}." for why, count in counts.items() if count)


def markdown(table: Table) -> str:
    """A table as Markdown."""
    lines = [f"### {table.title}", "", _line(table.header), _line(["---"] * len(table.header))]
    return "\n".join([*lines, *(_line(row) for row in table.rows), "", *(f"{note}\n" for note in table.notes)])


def _line(cells: Any) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _errors(rows: list[Row], evaluation: Evaluation) -> Table:
    """Errors of the chosen hypothesis, of all hypotheses, and of the best one by ground truth."""
    header = ["", "S", "chosen", "95 %", "mean", "median", "oracle", "paper"]
    lines = []
    for metric, label in (
        ("mpjpe", "MPJPE"),
        ("pa_mpjpe", "PA-MPJPE"),
        ("mpjpe_14", "MPJPE J=14"),
        ("pa_mpjpe_14", "PA-MPJPE J=14"),
        ("official", "MPJPE official"),
        ("pa_official", "PA official"),
        ("pck", "PCK@150, %"),
        ("auc", "AUC, %"),
    ):
        for row in rows:
            assert row.numbers is not None
            n = row.numbers[metric]
            low, high = n["chosen_interval"]
            values = [_text(n[kind]) for kind in ("chosen", "mean", "median", "oracle")]
            paper = _text(row.variant.published.get(metric))
            lines.append((label, str(row.variant.hypotheses), values[0], f"{low:.1f}-{high:.1f}", *values[1:], paper))
    samples = evaluation.samples
    title = (
        f"{samples.name}, {evaluation.request.split}: {len(samples)} samples, {len(set(samples.sequence.tolist()))} "
        f"sequences, {evaluation.request.input} 2D, mm. Oracle: best of S by ground truth, as in papers"
    )
    return Table(title, tuple(header), tuple(lines))


def _other_metrics(rows: list[Row]) -> Table:
    labels = {
        "position": "root position, mm",
        "reprojection": "reprojection, px",
        "velocity": "velocity (MPJVE), mm/frame",
        "acceleration": "acceleration, mm/frame²",
        "bones": "bone lengths, mm",
        "symmetry": "left/right bone lengths, mm",
    }
    cell: dict[str, Callable[[Row], str]] = {
        label: (lambda row, name=name: _text((row.numbers or {}).get(name))) for name, label in labels.items()
    }
    cell["action mean MPJPE, mm"] = lambda row: _text((row.numbers or {})["action_mean"]["mpjpe"]["chosen"])
    cell["action mean PA-MPJPE, mm"] = lambda row: _text((row.numbers or {})["action_mean"]["pa_mpjpe"]["chosen"])
    cell["lifting, ms per person"] = lambda row: _milliseconds(row)
    lines = tuple((label, *(value(row) for row in rows)) for label, value in cell.items())
    return Table("Chosen hypothesis", ("", *(row.variant.name for row in rows)), lines)


def _ablation(title: str, rows: list[Row], dataset: str) -> Table:
    header = ("", "MPJPE", "oracle", "PA", "oracle", "paper", "paper PA", "ms")
    lines = []
    for row in rows:
        published = [_text(row.variant.published.get(metric)) for metric in ("mpjpe", "pa_mpjpe")]
        if row.numbers is None:
            lines.append((row.variant.name, *["-"] * 4, *published, "-"))
            continue
        ours = [_text(row.numbers[metric][kind]) for metric in ("mpjpe", "pa_mpjpe") for kind in ("chosen", "oracle")]
        lines.append((row.variant.name, *ours, *published, _milliseconds(row)))
    notes = ["Errors of the chosen hypothesis and the best one (oracle) in mm; lifting in ms per person."]
    if dataset != "h36m" and any(row.variant.published for row in rows):
        notes.append("The paper's numbers are for Human3.6M.")
    notes += [f"{row.variant.name}: not run, {row.variant.missing}." for row in rows if row.variant.missing]
    return Table(title, header, tuple(lines), tuple(notes))


def _joints(rows: list[Row]) -> Table:
    joints = (rows[0].numbers or {})["joints"]
    lines = tuple((joint, *(_text((row.numbers or {})["joints"][joint]) for row in rows)) for joint in joints)
    return Table("Error of each joint of the chosen hypothesis, mm", ("", *(row.variant.name for row in rows)), lines)


def _actions(row: Row) -> Table:
    header = ("", "samples", "MPJPE", "oracle", "PA", "oracle", "paper")
    numbers, metrics = row.numbers or {}, ("mpjpe", "pa_mpjpe")
    lines = [
        (
            action,
            str(n["samples"]),
            *(_text(n[metric][kind]) for metric in metrics for kind in ("chosen", "oracle")),
            "",
        )
        for action, n in numbers["actions"].items()
    ]
    means = [_text(numbers["action_mean"][metric][kind]) for metric in metrics for kind in ("chosen", "oracle")]
    lines.append(("mean of the actions", str(numbers["samples"]), *means, _text(row.variant.published.get("mpjpe"))))
    return Table(f"Error of each action, {row.variant.name}, mm", header, tuple(lines))


def _milliseconds(row: Row) -> str:
    people = (row.numbers or {})["samples"]
    return "-" if row.seconds is None else f"{1000 * row.seconds / people:.1f}"


def _text(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"
