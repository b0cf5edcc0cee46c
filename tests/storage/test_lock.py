"""Only one run at a time in a folder; the lock file of a killed run does not block the next."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from zedo_core.errors import OutputError
from zedo_core.storage.lock import NAME, locked


def test_the_lock_file_is_removed_afterwards(tmp_path: Path) -> None:
    with locked(tmp_path):
        assert (tmp_path / NAME).is_file()
    assert not list(tmp_path.iterdir())
    with pytest.raises(ZeroDivisionError), locked(tmp_path):
        raise ZeroDivisionError
    assert not list(tmp_path.iterdir())


def test_a_second_run_is_refused(tmp_path: Path) -> None:
    with locked(tmp_path):
        with pytest.raises(OutputError, match=r"another run of zedo is writing there; wait .*another --out") as caught:
            locked(tmp_path).__enter__()
        assert "\n" not in str(caught.value)
        assert (tmp_path / NAME).exists()  # still that of the first run


def test_a_run_in_another_process_is_respected_until_it_ends(tmp_path: Path) -> None:
    code = "import sys; from pathlib import Path; from zedo_core.storage.lock import locked\n"
    code += "with locked(Path(sys.argv[1])):\n"
    code += "    print('held', flush=True); sys.stdin.read()"
    other = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdout is not None and other.stdout.readline() == "held\n"
    with pytest.raises(OutputError, match="another run of zedo"), locked(tmp_path):
        pass
    other.kill()
    other.communicate()
    assert (tmp_path / NAME).exists()  # it could not clean up
    with locked(tmp_path):
        pass
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("content", ["", "{", '{"pid": 1, "started": 0.0, "host": "elsewhere"}'])
def test_a_stale_lock_file_is_ignored(tmp_path: Path, content: str) -> None:
    (tmp_path / NAME).write_text(content)
    with locked(tmp_path):
        pass
    assert not list(tmp_path.iterdir())


def test_a_symbolic_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / NAME).symlink_to(tmp_path / "mine")
    with pytest.raises(OutputError, match="cannot write there"), locked(tmp_path / "out"):
        pass
    assert (tmp_path / "mine").read_text() == "mine"


def test_a_file_in_place_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write there"), locked(tmp_path / "file"):
        pass
