"""Set-up of all tests: shapes are checked at run time, without network access, in temporary folders."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import jaxtyping
import pytest
import torch

# Set before the modules that read them are imported.
_home = tempfile.TemporaryDirectory(prefix="zedo-tests-")
os.environ |= {
    "HF_ENDPOINT": "http://127.0.0.1:9",  # a closed port
    "ZEDO_HOME": _home.name,
    "YOLO_CONFIG_DIR": str(Path(_home.name) / "ultralytics"),
    "MPLBACKEND": "agg",
    "MPLCONFIGDIR": str(Path(_home.name) / "matplotlib"),
}

# Background jobs of a shell ignore Ctrl-C, and so would the processes that the tests interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)

if not torch.cuda.is_available():
    collect_ignore = ["gpu"]

jaxtyping.install_import_hook("zedo_core", "typecheck.checked")


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """Small networks are slower with more threads, much slower if cores are shared."""
    torch.set_num_threads(1)


@pytest.fixture
def undecorated() -> Iterator[None]:
    """Disable the shape checks of the tests, which would precede the error messages of the library."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real inputs that are not part of the project, given by ZEDO_SHARED."""
    folder = os.environ.get("ZEDO_SHARED")
    if not folder or not Path(folder).is_dir():
        pytest.skip("ZEDO_SHARED is not set to the folder of real inputs")
    return Path(folder)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """List skipped tests under CI, where they count as failed."""
    if os.environ.get("CI") == "true":
        for report in terminalreporter.stats.get("skipped", []):
            terminalreporter.write_line(f"skipped under CI: {report.nodeid}: {report.longrepr[-1]}", red=True)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail the session under CI if tests were skipped."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") == "true" and reporter is not None and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
