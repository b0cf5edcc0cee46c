"""Writing an evaluation: JSON, CSV, Markdown, plots and the gallery."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

from zedo_core.evaluate.cases import select_cases
from zedo_core.evaluate.gallery import write_gallery
from zedo_core.evaluate.plots import save_plots
from zedo_core.evaluate.run import Evaluation
from zedo_core.evaluate.tables import markdown, tables
from zedo_core.skeleton import H36M17
from zedo_core.storage.files import atomic_write

_FIELDS: list[str] = ["table", "setting", "hypotheses", "network_calls", "metric", "kind", "value"]


def write_report(evaluation: Evaluation, out: Path) -> tuple[Path, ...]:
    """Write `results.json`, `timings.json`, `results.csv`, `results.md`, plots and, if requested, `gallery.html`.

    `results.json` is the same for every run of a request on one machine.
    """
    files = (out / "results.json", out / "timings.json", out / "results.csv", out / "results.md")
    _write_json(as_json(evaluation), files[0])
    _write_json(timings(evaluation), files[1])
    with atomic_write(files[2]) as partial, open(partial, "w", newline="") as file:
        writer = csv.DictWriter(file, _FIELDS)
        writer.writeheader()
        writer.writerows(tidy(evaluation))
    with atomic_write(files[3]) as partial:
        partial.write_text("\n".join(markdown(table) for table in tables(evaluation)))
    files += save_plots(evaluation, out)
    if evaluation.request.gallery:
        page = out / "gallery.html"
        title = f"{evaluation.samples.name}: worst, median and best cases"
        write_gallery(select_cases(evaluation), H36M17, page, title=title)
        files += (page,)
    return files


def as_json(evaluation: Evaluation) -> dict[str, Any]:
    """Everything except timings, as JSON values."""
    samples = evaluation.samples
    rows = [
        {
            "table": row.variant.table,
            "setting": row.variant.name,
            "hypotheses": row.variant.hypotheses,
            "weights": row.variant.weights,
            **row.variant.settings,
            "missing": row.variant.missing or None,
            "published": row.variant.published or None,
            "numbers": row.numbers,
        }
        for row in evaluation.rows
    ]
    return {
        **evaluation.identity,
        "dataset": {
            "name": samples.name,
            "samples": len(samples),
            "left_out": samples.left_out,
            "sequences": len(set(samples.sequence.tolist())),
            "joints": list(samples.evaluated),
        },
        "units": "mm; percent (pck, auc); pixels (reprojection); mm per frame (velocity, acceleration)",
        "oracle": "the best hypothesis of each sample against the ground truth; `chosen` does not know it",
        "rows": rows,
    }


def timings(evaluation: Evaluation) -> list[dict[str, Any]]:
    """Seconds of lifting for every row."""
    return [
        {
            "table": row.variant.table,
            "setting": row.variant.name,
            "hypotheses": row.variant.hypotheses,
            "samples": len(evaluation.samples),
            "seconds": row.seconds,
        }
        for row in evaluation.rows
    ]


def tidy(evaluation: Evaluation) -> list[dict[str, Any]]:
    """Tidy data: one value per line."""
    lines = []
    for row in evaluation.rows:
        head = {
            "table": row.variant.table,
            "setting": row.variant.name,
            "hypotheses": row.variant.hypotheses,
            "network_calls": row.variant.calls,
        }
        for metric, kind, value in _flat(row.numbers or {}):
            lines.append({**head, "metric": metric, "kind": kind, "value": value})
        for metric, value in row.variant.published.items():
            lines.append({**head, "metric": metric, "kind": "published", "value": value})
    return lines


def _flat(numbers: dict[str, Any], prefix: str = "") -> list[tuple[str, str, Any]]:
    flat = []
    for name, value in numbers.items():
        if isinstance(value, dict):
            flat += _flat(value, f"{prefix}{name}/")
        elif isinstance(value, list):
            flat += [
                (prefix.rstrip("/"), f"{name}_{end}", part) for end, part in zip(("low", "high"), value, strict=True)
            ]
        else:
            flat.append((prefix.rstrip("/") or name, name if prefix else "chosen", value))
    return flat


def _write_json(content: Any, path: Path) -> None:
    with atomic_write(path) as partial:
        partial.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n")
