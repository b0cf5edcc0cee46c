"""The report and its files, the command, and its options."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from evaluate_cases import QUICK, SHORT
from typer.testing import CliRunner

from zedo_cli.app import app
from zedo_core.evaluate import evaluate, write_report


def test_the_files_of_a_report(tmp_path: Path) -> None:
    request = replace(QUICK, every=20, ablate=("ro", "wu", "ra", "init"), gallery=2)
    found = evaluate(request, tmp_path)
    assert found is not None
    names = {path.name for path in write_report(found, tmp_path)}
    assert names == {
        *("results.json", "timings.json", "results.csv", "results.md", "gallery.html"),
        *("joints.png", "expected_error.png", "calibration.png", "hypotheses.png"),
    }
    report = json.loads((tmp_path / "results.json").read_text())
    rows = {(row["table"], row["setting"]): row for row in report["rows"]}
    assert set(rows) == {
        *(("main", "S = 1"), ("main", "S = 2")),
        *(("parts", name) for name in ("none", "RO", "RO, WU", "RO, WU, RA")),
        *(("init", name) for name in ("clusters", "random", "generated")),
    }
    assert rows["init", "clusters"]["numbers"] == rows["main", "S = 1"]["numbers"]
    assert rows["init", "generated"]["numbers"] != rows["main", "S = 1"]["numbers"]
    assert "train" in rows["init", "random"]["missing"] and "--ra-weights" in rows["parts", "RO, WU, RA"]["missing"]
    text = (tmp_path / "results.md").read_text()
    assert (
        "The paper's numbers are for Human3.6M." in text
        and "RA: not run, needs weights" in text
        and "oracle" in text
        and "78.2" in text
    )
    lines = (tmp_path / "results.csv").read_text().splitlines()
    chosen = rows["main", "S = 2"]["numbers"]["mpjpe"]["chosen"]
    assert f"main,S = 2,2,3,mpjpe,chosen,{chosen}" in lines
    assert "parts,none,1,3,mpjpe,published,75.0" in lines


def test_a_part_of_the_report_that_fails_does_not_lose_the_others(tmp_path, monkeypatch, caplog) -> None:
    found = evaluate(SHORT, tmp_path)
    assert found is not None

    def broken(*words: Any) -> Any:
        raise ValueError("a fault of a plot")

    monkeypatch.setattr("zedo_core.evaluate.plots.save_plots", broken)
    monkeypatch.setattr("zedo_core.evaluate.report.tidy", broken)
    files = write_report(replace(found, request=replace(SHORT, gallery=1)), tmp_path)
    assert {file.name for file in files} == {"results.json", "timings.json", "results.md", "gallery.html"}
    assert "plots: failed, the others are written (a fault of a plot)" in caplog.text


def run(*args: str) -> Any:
    return CliRunner().invoke(app, ["eval", *args])


def test_the_command_prints_tables_and_json(tmp_path: Path) -> None:
    result = run("--every", "20", "--hypo", "1,2", "--iterations", "3", "--out", str(tmp_path), "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == json.loads((tmp_path / "results.json").read_text())
    assert "PA-MPJPE" in result.stderr and "30 samples" in " ".join(result.stderr.split())


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--dataset", "coco"], "no data set 'coco'; expected one of h36m, 3dpw, 3dhp, ski, mocap"),
        (["--dataset", "h36m"], "give the path of your copy by --data DIR"),
        (["--protocol", "paper"], "protocol 'paper': expected one of the data sets"),
        (["--input", "detected"], "mocap has no detected 2D"),
        (["--method", "magic"], "no method 'magic'; expected one of diff3dhpe, erd, zedo"),
        (["--ablate", "ro,xx"], "no ablation 'xx'"),
        (["--preset", "x"], "no preset 'x'"),
        (["--hypo", "0"], "from 1 to 200"),
        (["--hypo", "1,x"], "expected whole numbers such as 1,10,50"),
        (["--shard", "3/2"], "expected a shard I/N"),
        (["--shard", "3"], "expected I/N such as 1/4"),
        (["--data", "/nowhere.npz"], "no such file"),
        (["--split", "moon"], "expected frames of the split 'moon'"),
    ],
)
def test_invalid_options(args: list[str], message: str, tmp_path: Path) -> None:
    result = run(*args, "--out", str(tmp_path / "out"))
    assert result.exit_code in (1, 2)
    assert message in " ".join(result.stderr.replace("│", " ").split())
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written_to(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = run("--every", "50", "--out", str(tmp_path / "file" / "out"))
    assert result.exit_code == 1 and "cannot write there" in result.stderr
