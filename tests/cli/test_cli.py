"""Common behaviour of all commands: errors, exit codes, JSON on stdout and everything else on stderr."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

import zedo_core
from zedo_cli import _output
from zedo_cli._errors import report_errors, show_log_messages
from zedo_cli.app import app
from zedo_core.errors import CameraError, DeviceError, FormatError, HubError, InputError, WeightsError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # pyright: ignore[reportMissingImports]

COMMANDS = (
    *((), ("infer",), ("demo",), ("download",), ("eval",), ("convert",), ("bench",)),
    *(
        ("live",),
        ("view",),
        ("people",),
        ("render",),
        ("sample",),
        ("train",),
        ("train", "prior"),
        ("train", "clusters"),
    ),
)


def raising(error: BaseException) -> Callable[[], None]:
    def run() -> None:
        with report_errors():
            raise error

    return run


class TestErrors:
    @pytest.mark.parametrize(
        ("error", "code", "line"),
        [
            (InputError("expected a picture"), 2, "error: expected a picture"),
            (FormatError("damaged"), 2, "error: damaged"),
            (CameraError("no camera"), 2, "error: no camera"),
            (WeightsError("missing"), 1, "error: missing"),
            (HubError("offline"), 1, "error: offline"),
            (DeviceError("no cuda"), 1, "error: no cuda"),
            (KeyboardInterrupt(), 130, "error: interrupted"),
            (MemoryError(), 1, "error: out of memory; try a smaller batch or fewer hypotheses"),
            (PermissionError(13, "Permission denied", "/there"), 1, "error: /there: Permission denied"),
            (OSError(28, "No space left on device"), 1, "error: No space left on device"),
            (
                ValueError("two\nlines"),
                1,
                "error: unexpected ValueError: two lines (ZEDO_TRACEBACK=1 shows where; please report it)",
            ),
        ],
        ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
    )
    def test_table(self, error: BaseException, code: int, line: str, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(typer.Exit) as exit_:
            raising(error)()
        assert exit_.value.exit_code == code
        shown = capsys.readouterr()
        assert shown.err == line + "\n" and shown.out == ""

    def test_traceback_on_request(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ZEDO_TRACEBACK", "1")
        with pytest.raises(typer.Exit):
            raising(InputError("wrong"))()
        assert "Traceback" in capsys.readouterr().err

    def test_markup_is_escaped(self, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(typer.Exit):
            raising(InputError("clip[1].mp4: [red] is a folder"))()
        assert capsys.readouterr().err == "error: clip[1].mp4: [red] is a folder\n"

    def test_usage_errors_are_exit_code_2(self) -> None:
        assert CliRunner().invoke(app, ["train", "clusters", "--nothing"]).exit_code == 2

    def test_a_closed_pipe_is_silent(self) -> None:
        """`zedo ... --json | head -0`: the pipe is closed before the report is written."""
        read, write = os.pipe()
        os.close(read)
        command = [sys.executable, "-m", "zedo_cli.app", "download", "--list", "--json"]
        done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True)
        os.close(write)
        assert done.stderr == ""

    def test_log_messages_are_shown(self, capsys: pytest.CaptureFixture[str]) -> None:
        import logging

        with show_log_messages():
            logging.getLogger("zedo_core.source").warning("%s: left out", "a.txt")
            logging.getLogger("zedo_core.source").info("not this")
        assert capsys.readouterr().err == "warning: a.txt: left out\n"


PROGRAM = """
import signal, sys
from importlib import import_module

class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name == "{module}":
            signal.raise_signal(signal.SIGINT)

def run():
    sys.argv[1:] = ["infer", "nowhere.json"]
    sys.exit(getattr(import_module("{script}"), "{function}")())

{how}
"""
WHILE_LOADING = """
assert "{module}" not in sys.modules
sys.meta_path.insert(0, Interrupt())
run()
"""
WHILE_PARSING = """
import typer.core
typer.core.TyperGroup.make_context = lambda *words, **options: signal.raise_signal(signal.SIGINT)
run()
"""
IGNORED = """
signal.signal(signal.SIGINT, signal.SIG_IGN)
sys.meta_path.insert(0, Interrupt())
run()
"""


class TestEarlyInterrupt:
    """Ctrl-C while the modules of the commands are loaded, in a process started like the installed script."""

    @staticmethod
    def run(how: str, module: str = "typer") -> tuple[int, str, str]:
        project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
        script, _, function = project["scripts"]["zedo"].partition(":")
        how = how.format(module=module)
        program = PROGRAM.format(module=module, script=script, function=function, how=how)
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
        return done.returncode, done.stdout, done.stderr

    @pytest.mark.parametrize("module", ["typer", "rich", "zedo_cli.app", "zedo_cli.infer", "zedo_core.pipeline.run"])
    def test_during_imports(self, module: str) -> None:
        assert self.run(WHILE_LOADING, module) == (130, "", "error: interrupted\n")

    def test_during_parsing(self) -> None:
        assert self.run(WHILE_PARSING) == (130, "", "error: interrupted\n")

    def test_it_stays_ignored_if_it_was(self) -> None:
        code, _, stderr = self.run(IGNORED)
        assert code == 2 and "nowhere.json: no such file" in stderr

    def test_the_module_runs_like_the_script(self) -> None:
        done = subprocess.run([sys.executable, "-m", "zedo_cli", "--version"], capture_output=True, text=True)
        assert (done.returncode, done.stdout, done.stderr) == (0, f"zedo {zedo_core.__version__}\n", "")


@dataclass(frozen=True)
class _Report:
    path: Path
    error: float


class TestOutput:
    def test_json_is_strict(self, capsys: pytest.CaptureFixture[str]) -> None:
        report = {
            "nan": float("nan"),
            "array": np.array([1.5, np.inf], np.float32),
            "number": np.int64(3),
            "report": _Report(Path("a"), 0.5),
            "pair": (1, "ä"),
        }
        _output.print_json(report)
        assert json.loads(capsys.readouterr().out) == {
            "nan": None,
            "array": [1.5, None],
            "number": 3,
            "report": {"path": "a", "error": 0.5},
            "pair": [1, "ä"],
        }

    def test_quiet_hides_notes_but_not_errors(self, capsys: pytest.CaptureFixture[str]) -> None:
        _output.set_quiet(True)
        try:
            _output.console.print("a note")
            _output.alert("error", "an error")
        finally:
            _output.set_quiet(False)
        assert capsys.readouterr().err == "error: an error\n"

    def test_bars_are_silent_without_a_terminal(self, capsys: pytest.CaptureFixture[str]) -> None:
        with _output.progress() as bars:
            bars.advance(bars.add_task("work", total=2))
        assert capsys.readouterr() == ("", "")


class TestApp:
    @pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
    def test_every_command_has_help(self, command: tuple[str, ...]) -> None:
        result = CliRunner().invoke(app, [*command, "--help"])
        assert result.exit_code == 0 and "Usage:" in result.stdout

    def test_version(self) -> None:
        done = CliRunner().invoke(app, ["--version"])
        assert (done.exit_code, done.stdout, done.stderr) == (0, f"zedo {zedo_core.__version__}\n", "")
