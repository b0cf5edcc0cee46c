"""Kills, full disks and missing permissions leave no incomplete files, and a rerun completes. More: kills.py."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from kills import DEMO, commands, final_files, is_complete, try_kills

INFER = ("infer", str(DEMO), "--hypo", "2", "--iterations", "1")


def _zedo(*args: str, max_file: int | None = None) -> subprocess.CompletedProcess[str]:
    def limit_files() -> None:
        if max_file is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (max_file, max_file))

    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "zedo_cli", *args]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=300, check=False, env=env, preexec_fn=limit_files
    )


@pytest.mark.parametrize("name", ["infer", "download"])
def test_kills_leave_no_incomplete_files(name: str, tmp_path: Path) -> None:
    with commands(tmp_path) as known:
        (tmp_path / name).mkdir()
        score = try_kills(known[name], 3, 1, tmp_path / name)
    assert score.kills + score.finished == 3
    assert score.reruns == 1


def test_a_full_disk_gives_one_line_and_no_incomplete_files(tmp_path: Path) -> None:
    done = _zedo(*INFER, "--out", str(tmp_path / "out"), max_file=20_000)
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1].startswith("error: ")
    assert "Traceback" not in done.stderr
    assert all(is_complete(path) for path in final_files(tmp_path / "out").values())
