"""The error against the number of regressors, as a figure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from zedo_core.storage.files import atomic_write

FIGURE_FILE = "descent.png"
_LABELS = {"mpjpe_mm": "exact keypoints", "mpjpe_noisy_mm": "detector noise"}


def draw_descent(out: Path, training: Sequence[dict[str, float]], held_out: Sequence[dict[str, float]]) -> None:
    """Write `descent.png` into `out`: MPJPE in millimetres of the poses P_0 to P_K, on poses of both kinds."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    axes = figure.add_subplot(title="Residual descent", xlabel="regressors K", ylabel="MPJPE, mm")
    for rows, kind, style in ((training, "training", "--"), (held_out, "held out", "-")):
        for (name, label), color in zip(_LABELS.items(), ("#1f6fd0", "#e0582a"), strict=True):
            values = [row[name] for row in rows]
            axes.plot(range(len(values)), values, style, marker=".", color=color, label=f"{kind}, {label}")
    axes.grid(color="#dddddd", linewidth=0.6)
    axes.legend()
    with atomic_write(out / FIGURE_FILE) as partial:
        figure.savefig(partial, dpi=130)
