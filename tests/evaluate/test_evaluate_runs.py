"""Runs that are killed, shared, repeated or damaged, and variants that fail."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from evaluate_cases import QUICK, SHORT
from typer.testing import CliRunner

from zedo_cli.app import app
from zedo_core.data import Samples
from zedo_core.errors import InputError
from zedo_core.evaluate import as_json, evaluate, write_report
from zedo_core.types import Lifted

COMMAND = [sys.executable, "-c", "from zedo_cli.app import main; main()", "eval"]
OPTIONS = ["--every", "2", "--hypo", "1,2", "--iterations", "3", "--quiet"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an uninterrupted run of QUICK."""
    out = tmp_path_factory.mktemp("eval")
    found = evaluate(QUICK, out)
    assert found is not None
    write_report(found, out)
    return out


def test_a_killed_run_resumes_to_the_same_result(tmp_path: Path, finished: Path) -> None:
    out = tmp_path / "killed"
    process = subprocess.Popen([*COMMAND, *OPTIONS, "--out", str(out)], stderr=subprocess.DEVNULL)
    limit_s = time.monotonic() + 300
    while not any(out.glob("chunks/*/[0-9]*.npz")) and process.poll() is None and time.monotonic() < limit_s:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    chunks = list(out.glob("chunks/*/[0-9]*.npz"))
    assert process.returncode == -signal.SIGKILL and 0 < len(chunks) < 6 and not (out / "results.json").exists()
    before = {path: path.stat().st_mtime_ns for path in chunks}
    resumed = CliRunner().invoke(app, ["eval", *OPTIONS, "--out", str(out), "--resume"])
    assert resumed.exit_code == 0, resumed.stderr
    assert (out / "results.json").read_bytes() == (finished / "results.json").read_bytes()
    assert all(path.stat().st_mtime_ns == mtime for path, mtime in before.items())


def test_shards_share_a_folder(tmp_path: Path, finished: Path) -> None:
    assert evaluate(QUICK, tmp_path, shard=(1, 2)) is None
    found = evaluate(QUICK, tmp_path, shard=(2, 2))
    assert found is not None
    assert json.loads(json.dumps(as_json(found))) == json.loads((finished / "results.json").read_text())


def test_a_folder_with_a_run_is_not_overwritten(tmp_path: Path, finished: Path) -> None:
    finished = shutil.copytree(finished, tmp_path / "eval")
    with pytest.raises(InputError, match="--resume"):
        evaluate(QUICK, finished)
    with pytest.raises(InputError, match=r"another evaluation \(noise_px, samples_sha256 differ\)"):
        evaluate(replace(QUICK, noise_px=2.0), finished, resume=True)
    (finished / "request.json").write_text("[]")
    with pytest.raises(InputError, match="cannot be read"):
        evaluate(QUICK, finished, resume=True)


def test_a_damaged_chunk_is_refused_by_name(tmp_path: Path) -> None:
    request = replace(QUICK, every=20, hypotheses=(1,))
    evaluate(request, tmp_path)
    chunk = next(tmp_path.glob("chunks/*/*.npz"))
    chunk.write_bytes(chunk.read_bytes()[:1000])
    with pytest.raises(InputError, match=f"{chunk.name}: the file is damaged"):
        evaluate(request, tmp_path, resume=True)


@pytest.fixture
def fragile(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Lifting that fails, or gives NaN for some samples, where a test says so."""
    import zedo_core.evaluate.run as run

    behaviour: dict[str, Any] = {}
    original = run.lift_samples

    def lift(lifter: Any, part: Samples, hypotheses: int, seed: int) -> Lifted:
        if hypotheses == behaviour.get("fails"):
            raise ValueError("a fault of a method")
        lifted = original(lifter, part, hypotheses, seed)
        if hypotheses != behaviour.get("nan"):
            return lifted
        joints = lifted.joints.copy()
        joints[: behaviour.get("count", len(joints))] = np.nan
        return replace(lifted, joints=joints)

    monkeypatch.setattr(run, "lift_samples", lift)
    return behaviour


@pytest.mark.parametrize("fault", ["fails", "nan"])
def test_a_variant_that_fails_does_not_lose_the_others(tmp_path, fragile, fault) -> None:
    whole = evaluate(SHORT, tmp_path / "whole")
    fragile[fault] = 2
    found = evaluate(SHORT, tmp_path / "out")
    assert found is not None and whole is not None
    assert found.rows[0].numbers == whole.rows[0].numbers
    assert found.rows[1].numbers is None and found.rows[1].variant.missing
    files = write_report(found, tmp_path / "out")
    assert {file.name for file in files} >= {"results.json", "results.csv", "results.md"}
    why = "failed: a fault of a method" if fault == "fails" else "no result is finite"
    assert f"not run, {why}" in (tmp_path / "out" / "results.md").read_text()
    fragile.clear()
    if fault == "fails":  # a later run goes on where it failed
        mended = evaluate(SHORT, tmp_path / "out", resume=True)
        assert mended is not None and mended.rows[1].numbers == whole.rows[1].numbers


def test_when_all_variants_fail_the_first_error_is_raised(tmp_path, fragile) -> None:
    fragile["fails"] = 1
    with pytest.raises(ValueError, match="a fault of a method"):
        evaluate(replace(SHORT, hypotheses=(1,)), tmp_path / "out")


def test_results_that_are_not_finite_are_counted_and_left_out_of_all_variants(tmp_path, fragile) -> None:
    fragile |= {"nan": 2, "count": 4}
    found = evaluate(SHORT, tmp_path / "out")
    assert found is not None and found.samples.failed == 4
    assert [(row.numbers or {})["samples"] for row in found.rows] == [len(found.samples)] * 2
    text = json.dumps(as_json(found), allow_nan=False)
    assert '"failed": 4' in text
