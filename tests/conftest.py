"""What all tests share: shapes are checked at run time, nothing is fetched, nothing is left behind."""

from __future__ import annotations

import os
import signal
import tempfile
from pathlib import Path

import pytest
import torch
from jaxtyping import install_import_hook

# Set before those who read them are imported.
_home = tempfile.TemporaryDirectory(prefix="zedo-tests-")
os.environ |= {
    "HF_ENDPOINT": "http://127.0.0.1:9",  # where nobody answers
    "ZEDO_HOME": _home.name,
    "YOLO_CONFIG_DIR": str(Path(_home.name) / "ultralytics"),
    "MPLBACKEND": "agg",
    "MPLCONFIGDIR": str(Path(_home.name) / "matplotlib"),
}

# A shell's background job ignores Ctrl-C, and so would the processes that the tests interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)

if not torch.cuda.is_available():
    collect_ignore = ["gpu"]

install_import_hook("zedo_core", "typecheck.checked")


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """Small nets are slower with more threads, far slower where the cores are shared."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real inputs that are not part of the project, named by ZEDO_SHARED."""
    folder = os.environ.get("ZEDO_SHARED")
    if not folder or not Path(folder).is_dir():
        pytest.skip("ZEDO_SHARED names no folder with the real inputs")
    return Path(folder)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Under CI a skipped test is a failed one; say which."""
    if os.environ.get("CI") == "true":
        for report in terminalreporter.stats.get("skipped", []):
            terminalreporter.write_line(f"skipped under CI: {report.nodeid}: {report.longrepr[-1]}", red=True)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """See `pytest_terminal_summary`."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") == "true" and reporter is not None and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
