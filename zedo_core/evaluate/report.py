"""Writing an evaluation: JSON, CSV, Markdown, plots and the gallery."""

from __future__ import annotations

import csv
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from zedo_core.evaluate.cases import select_cases
from zedo_core.evaluate.gallery import write_gallery
from zedo_core.evaluate.run import Evaluation
from zedo_core.evaluate.tables import markdown, tables
from zedo_core.evaluate.verdict import verdict
from zedo_core.skeleton import H36M17
from zedo_core.storage.files import atomic_write

_log = logging.getLogger(__name__)

_FIELDS: list[str] = ["table", "setting", "hypotheses", "network_calls", "metric", "kind", "value"]


def write_report(evaluation: Evaluation, out: str | Path) -> tuple[Path, ...]:
    """Write `results.json`, `timings.json`, `results.csv`, `results.md`, plots and, if requested, `gallery.html`.

    `results.json` is the same for every run of a request on one machine. If one of them fails, the others are written
    all the same, and a warning says so; OutputError when none can be written.
    """
    folder = Path(out)
    stages: list[tuple[str, Callable[[], tuple[Path, ...]]]] = [
        ("results.json", lambda: _write_json(as_json(evaluation), folder / "results.json")),
        ("timings.json", lambda: _write_json(timings(evaluation), folder / "timings.json")),
        ("results.csv", lambda: _write_csv(tidy(evaluation), folder / "results.csv")),
        ("results.md", lambda: _write_tables(evaluation, folder / "results.md")),
        ("plots", lambda: _save_plots(evaluation, folder)),
    ]
    if evaluation.request.gallery:
        stages.append(("gallery.html", lambda: _write_cases(evaluation, folder / "gallery.html")))
    files: tuple[Path, ...] = ()
    failures = []
    for name, write in stages:
        try:
            files += write()
        except Exception as error:  # a fault in one is no reason to lose the others
            failures.append(error)
            _log.debug("%s: failed", name, exc_info=True)
            _log.warning("%s: failed, the others are written (%s)", name, " ".join(str(error).split()))
    if not files:
        raise failures[0]
    return files


def _save_plots(evaluation: Evaluation, out: Path) -> tuple[Path, ...]:
    from zedo_core.evaluate.plots import save_plots  # imports matplotlib

    return save_plots(evaluation, out)


def _write_csv(lines: list[dict[str, Any]], path: Path) -> tuple[Path, ...]:
    with atomic_write(path) as partial, open(partial, "w", newline="") as file:
        writer = csv.DictWriter(file, _FIELDS)
        writer.writeheader()
        writer.writerows(lines)
    return (path,)


def _write_tables(evaluation: Evaluation, path: Path) -> tuple[Path, ...]:
    with atomic_write(path) as partial:
        lines = "".join(f"* {line}\n" for line in verdict(evaluation))
        partial.write_text(lines + "\n" + "\n".join(markdown(table) for table in tables(evaluation)))
    return (path,)


def _write_cases(evaluation: Evaluation, path: Path) -> tuple[Path, ...]:
    title = f"{evaluation.samples.name}: worst, median and best cases"
    write_gallery(select_cases(evaluation), H36M17, path, title=title)
    return (path,)


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
        "verdict": verdict(evaluation),
        "dataset": {
            "name": samples.name,
            "samples": len(samples),
            "left_out": samples.left_out,
            "undetected": samples.undetected,
            "failed": samples.failed,
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


def _write_json(content: Any, path: Path) -> tuple[Path, ...]:
    with atomic_write(path) as partial:
        partial.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n")
    return (path,)
