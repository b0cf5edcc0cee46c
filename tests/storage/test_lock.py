"""One run at a time in a folder; what dead runs left is no hindrance."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from zedo_core.errors import OutputError
from zedo_core.storage.lock import NAME, locked


def test_it_is_gone_afterwards(tmp_path: Path) -> None:
    with locked(tmp_path):
        assert json.loads((tmp_path / NAME).read_text())["pid"] == os.getpid()
    assert not list(tmp_path.iterdir())
    with pytest.raises(ZeroDivisionError), locked(tmp_path):
        raise ZeroDivisionError
    assert not list(tmp_path.iterdir())


def test_a_second_run_is_refused(tmp_path: Path) -> None:
    with locked(tmp_path):
        with pytest.raises(OutputError, match=rf"process {os.getpid()}\) writes there; .*another --out") as caught:
            locked(tmp_path).__enter__()
        assert "\n" not in str(caught.value)
        assert (tmp_path / NAME).exists()  # it is still the first one's


def test_a_run_that_is_alive_in_another_process(tmp_path: Path) -> None:
    code = "import sys; from pathlib import Path; from zedo_core.storage.lock import locked\n"
    code += "with locked(Path(sys.argv[1])):\n"
    code += "    print('held', flush=True); sys.stdin.read()"
    other = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdout is not None and other.stdout.readline() == "held\n"
    with pytest.raises(OutputError, match=f"process {other.pid}"), locked(tmp_path):
        pass
    other.kill()
    other.communicate()
    assert (tmp_path / NAME).exists()  # it had no time to tidy up
    with locked(tmp_path):
        pass
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "left",
    [
        "",
        "{",
        "[1]",
        json.dumps({"pid": 2**22 + 1, "started": 0.0, "host": socket.gethostname()}),
        json.dumps({"pid": os.getpid(), "started": 1.0, "host": socket.gethostname()}),  # its number is another's now
    ],
    ids=["empty", "cut", "other", "dead", "number used again"],
)
def test_what_dead_runs_left(tmp_path: Path, left: str) -> None:
    (tmp_path / NAME).write_text(left)
    with locked(tmp_path):
        assert json.loads((tmp_path / NAME).read_text())["started"] == psutil.Process().create_time()


def test_another_machine_cannot_be_asked(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text(json.dumps({"pid": 1, "started": 0.0, "host": "elsewhere"}))
    with pytest.raises(OutputError, match=r"process 1 on elsewhere.*remove .*\.zedo\.lock"), locked(tmp_path):
        pass
