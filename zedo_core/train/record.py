"""The files of a training run for people: the record, the log as CSV, and the learning curves."""

from __future__ import annotations

import csv
import hashlib
import inspect
import json
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from zedo_core.data.mixture import Mixture
from zedo_core.storage.files import atomic_write
from zedo_core.version import __version__

RECORD_FILE, LOG_FILE, CURVES_FILE = "training.json", "training.csv", "training.png"
_PACKAGES = ("torch", "numpy", "scikit-learn")
_CODE = ("train", "nets", "diffusion")


@dataclass(frozen=True)
class TrainProgress:
    """A row of the log: steps done, their total, mean loss since the last row, loss of the averaged weights on
    held-out data, and the task's errors if they were measured."""

    step: int
    steps: int
    loss: float
    validation: float
    task: dict[str, float] | None = None


def write_log(out: Path, history: Sequence[TrainProgress], errors: Iterable[str]) -> None:
    """Write `training.csv`; the columns of the task's errors are empty where they were not measured."""
    names = list(errors)
    with atomic_write(out / LOG_FILE) as partial, open(partial, "w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["step", "loss", "held_out_loss", *names])
        for row in history:
            measured = [f"{row.task[name]:.3f}" if row.task and name in row.task else "" for name in names]
            rows.writerow([row.step, f"{row.loss:.6f}", f"{row.validation:.6f}", *measured])


def draw_curves(out: Path, history: Sequence[TrainProgress], errors: Mapping[str, str], title: str) -> None:
    """Write `training.png`: the losses, and the measured errors of the task with their labels."""
    from matplotlib.figure import Figure

    checked = [(row.step, row.task) for row in history if row.task]
    figure = Figure(figsize=(11 if checked else 6, 4.2), layout="constrained")
    axes = figure.subplots(1, 2 if checked else 1, squeeze=False)[0]
    steps = [row.step for row in history]
    axes[0].plot(steps, [row.loss for row in history], label="training", color="#888888", linewidth=1)
    axes[0].plot(steps, [row.validation for row in history], label="held out, averaged weights", color="#1f6fd0")
    positive = min(min(row.loss, row.validation) for row in history) > 0  # a log likelihood may not be
    axes[0].set(title="Loss", xlabel="step", yscale="log" if positive else "linear")
    if checked:
        for name, label in errors.items():
            rows = [(step, task[name]) for step, task in checked if name in task]
            if rows:
                axes[1].plot([step for step, _ in rows], [value for _, value in rows], ".-", label=label)
        axes[1].set(title=title, xlabel="step", ylim=(0, None))
    for one in axes:
        one.grid(color="#dddddd", linewidth=0.6)
        one.legend()
    with atomic_write(out / CURVES_FILE) as partial:
        figure.savefig(partial, dpi=130)


def write_record(out: Path, record: dict[str, Any]) -> None:
    """Write `training.json`."""
    with atomic_write(out / RECORD_FILE) as partial:
        partial.write_text(json.dumps(record, indent=2) + "\n")


def versions() -> dict[str, str]:
    """Versions of zedo, Python and the packages that training uses."""
    return {
        "zedo": __version__,
        "python": platform.python_version(),
        **{name: version(name) for name in _PACKAGES},
    }


def code_sha256(task: type) -> str:
    """SHA-256 of the sources that determine training, since versions in development may share a version number."""
    digest = hashlib.sha256()
    package = Path(__file__).parents[1]
    folders = [*(package / name for name in _CODE), Path(inspect.getfile(task)).parent]
    for path in sorted(path for folder in folders for path in folder.glob("*.py")):
        digest.update(f"{path.parent.name}/{path.name}\n".encode() + path.read_bytes())
    return digest.hexdigest()


def data_record(training: Mixture, held_out: Mixture, sha256: str, sources: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What the record says of the data; `sha256` is that of both parts together."""
    return {
        "sha256": sha256,
        "frames": len(training),
        "held_out_frames": len(held_out),
        "sequences": len(training.motions.names),
        "sources": list(sources),
    }
