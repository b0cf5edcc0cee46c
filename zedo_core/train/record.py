"""What a training leaves behind for people: the record, the log as CSV, and the learning curves."""

from __future__ import annotations

import csv
import hashlib
import json
import platform
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from importlib.metadata import version
from pathlib import Path
from typing import Any

from zedo_core.storage.files import written_whole
from zedo_core.train.validation import TaskErrors
from zedo_core.version import __version__

RECORD_FILE, LOG_FILE, CURVES_FILE = "training.json", "training.csv", "training.png"
_PACKAGES = ("torch", "numpy", "scikit-learn")
_CODE = ("train", "nets", "diffusion")
_TASK = tuple(column.name for column in fields(TaskErrors))
_COLUMNS = ("step", "loss", "held_out_loss", *_TASK)


@dataclass(frozen=True)
class TrainProgress:
    """A row of the log: steps done, of how many, mean loss since the last row, loss of the averaged weights on
    held-out poses, and the task's errors where they were measured."""

    step: int
    steps: int
    loss: float
    validation: float
    task: TaskErrors | None = None


def to_rows(history: Sequence[TrainProgress]) -> list[list[Any]]:
    """Plain values, for the state."""
    return [[p.step, p.steps, p.loss, p.validation, list(astuple(p.task)) if p.task else None] for p in history]


def of_rows(rows: Sequence[Sequence[Any]]) -> list[TrainProgress]:
    """What `to_rows` made."""
    return [
        TrainProgress(step, steps, loss, validation, TaskErrors(*task) if task else None)
        for step, steps, loss, validation, task in rows
    ]


def write_log(out: Path, history: Sequence[TrainProgress]) -> None:
    """`training.csv`: a line per row; the task's columns are empty where it was not measured."""
    with written_whole(out / LOG_FILE) as partial, open(partial, "w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(_COLUMNS)
        for row in history:
            task = [f"{value:.3f}" for value in astuple(row.task)] if row.task else [""] * len(_TASK)
            rows.writerow([row.step, f"{row.loss:.6f}", f"{row.validation:.6f}", *task])


def draw_curves(out: Path, history: Sequence[TrainProgress]) -> None:
    """`training.png`: the losses, and the task's errors where they were measured."""
    from matplotlib.figure import Figure

    checked = [row for row in history if row.task]
    figure = Figure(figsize=(11 if checked else 6, 4.2), layout="constrained")
    axes = figure.subplots(1, 2 if checked else 1, squeeze=False)[0]
    steps = [row.step for row in history]
    axes[0].plot(steps, [row.loss for row in history], label="training", color="#888888", linewidth=1)
    axes[0].plot(steps, [row.validation for row in history], label="held out, averaged weights", color="#1f6fd0")
    axes[0].set(title="Loss (squared error of the noise)", xlabel="step", yscale="log")
    for name, label, colour, style in (
        ("mpjpe_1_mm", "MPJPE, chosen", "#e0582a", "-"),
        ("mpjpe_10_mm", "MPJPE, best of 10", "#1f6fd0", "-"),
        ("pa_mpjpe_1_mm", "PA-MPJPE, chosen", "#e0582a", "--"),
        ("pa_mpjpe_10_mm", "PA-MPJPE, best of 10", "#1f6fd0", "--"),
    ):
        if checked:
            values = [getattr(row.task, name) for row in checked]
            axes[1].plot([row.step for row in checked], values, style, marker=".", color=colour, label=label)
    if checked:
        axes[1].set(title="Held-out poses lifted under random cameras", xlabel="step", ylabel="mm", ylim=(0, None))
    for one in axes:
        one.grid(color="#dddddd", linewidth=0.6)
        one.legend()
    with written_whole(out / CURVES_FILE) as partial:
        figure.savefig(partial, dpi=130)


def write_record(out: Path, record: dict[str, Any]) -> None:
    """`training.json`."""
    with written_whole(out / RECORD_FILE) as partial:
        partial.write_text(json.dumps(record, indent=2) + "\n")


def versions() -> dict[str, str]:
    """Of zedo, Python and the packages that training uses."""
    return {
        "zedo": __version__,
        "python": platform.python_version(),
        **{name: version(name) for name in _PACKAGES},
    }


def code_sha256() -> str:
    """Of the sources that decide what training does: two versions of zedo in development may have one number."""
    digest = hashlib.sha256()
    folder = Path(__file__).parents[1]
    for path in sorted(path for name in _CODE for path in (folder / name).glob("*.py")):
        digest.update(f"{path.relative_to(folder).as_posix()}\n".encode() + path.read_bytes())
    return digest.hexdigest()
