"""An evaluation on disk: JSON, CSV, Markdown, plots and the page of cases."""

from __future__ import annotations

import csv
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from zedo_core.evaluate.cases import cases_of
from zedo_core.evaluate.gallery import write_gallery
from zedo_core.evaluate.plots import save_plots
from zedo_core.evaluate.run import Evaluation
from zedo_core.evaluate.tables import markdown, tables
from zedo_core.skeleton import H36M17
from zedo_core.storage.files import written_whole

_FIELDS: list[str] = ["table", "setting", "hypotheses", "network_calls", "metric", "kind", "value"]


def write_report(evaluation: Evaluation, out: Path) -> tuple[Path, ...]:
    """Write `results.json`, `timings.json`, `results.csv`, `results.md`, plots and, if asked for, `gallery.html`.

    `results.json` holds nothing that differs between two runs of the same request on one machine.
    """
    files = (out / "results.json", out / "timings.json", out / "results.csv", out / "results.md")
    _write_json(as_json(evaluation), files[0])
    _write_json(timings(evaluation), files[1])
    with written_whole(files[2]) as partial, open(partial, "w", newline="") as file:
        writer = csv.DictWriter(file, _FIELDS)
        writer.writeheader()
        writer.writerows(tidy(evaluation))
    with written_whole(files[3]) as partial:
        partial.write_text("\n".join(markdown(table) for table in tables(evaluation)))
    files += save_plots(evaluation, out)
    if evaluation.request.gallery:
        page = out / "gallery.html"
        title = f"{evaluation.samples.name}: worst, median and best cases"
        write_gallery(cases_of(evaluation), H36M17, page, title=title)
        files += (page,)
    return files


def as_json(evaluation: Evaluation) -> dict[str, Any]:
    """Everything but the time it took, as JSON can hold it."""
    samples = evaluation.samples
    rows = [
        {
            "table": row.setting.table,
            "setting": row.setting.name,
            "hypotheses": row.setting.hypotheses,
            "start": row.setting.start,
            "weights": row.setting.weights,
            "options": asdict(row.setting.options),
            "missing": row.setting.missing or None,
            "published": row.setting.published or None,
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
    """Seconds of lifting of every row."""
    return [
        {
            "table": row.setting.table,
            "setting": row.setting.name,
            "hypotheses": row.setting.hypotheses,
            "samples": len(evaluation.samples),
            "seconds": row.seconds,
        }
        for row in evaluation.rows
    ]


def tidy(evaluation: Evaluation) -> list[dict[str, Any]]:
    """One value a line."""
    lines = []
    for row in evaluation.rows:
        head = {
            "table": row.setting.table,
            "setting": row.setting.name,
            "hypotheses": row.setting.hypotheses,
            "network_calls": row.setting.options.iterations,
        }
        for metric, kind, value in _flat(row.numbers or {}):
            lines.append({**head, "metric": metric, "kind": kind, "value": value})
        for metric, value in row.setting.published.items():
            lines.append({**head, "metric": metric, "kind": "published", "value": value})
    return lines


def _flat(numbers: dict[str, Any], prefix: str = "") -> list[tuple[str, str, Any]]:
    found = []
    for name, value in numbers.items():
        if isinstance(value, dict):
            found += _flat(value, f"{prefix}{name}/")
        elif isinstance(value, list):
            found += [
                (prefix.rstrip("/"), f"{name}_{end}", part) for end, part in zip(("low", "high"), value, strict=True)
            ]
        else:
            found.append((prefix.rstrip("/") or name, name if prefix else "chosen", value))
    return found


def _write_json(content: Any, path: Path) -> None:
    with written_whole(path) as partial:
        partial.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n")
