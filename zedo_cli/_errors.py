"""Errors as one line on stderr and an exit code.

0 success, 1 failure, 2 unusable input, 130 interrupted. With ZEDO_TRACEBACK=1 in the environment the traceback is
shown as well.
"""

from __future__ import annotations

import logging
import os
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import typer

from zedo_cli._output import alert
from zedo_core.errors import InputError, ZedoError

_OUT_OF_MEMORY = "out of memory; try a smaller batch or fewer hypotheses"


def _os_error(error: BaseException) -> str:
    assert isinstance(error, OSError)
    reason = error.strerror or str(error) or type(error).__name__
    return f"{error.filename}: {reason}" if error.filename else reason


def _unexpected(error: BaseException) -> str:
    if type(error).__name__ == "OutOfMemoryError":  # torch's; by name, so that torch need not be imported
        return _OUT_OF_MEMORY
    detail = " ".join(str(error).split())
    return f"unexpected {type(error).__name__}: {detail} (ZEDO_TRACEBACK=1 shows where; please report it)"


# Exit code and text by class; the first match applies.
_TABLE: tuple[tuple[type[BaseException], int, Callable[[BaseException], str]], ...] = (
    (InputError, 2, str),
    (ZedoError, 1, str),
    (KeyboardInterrupt, 130, lambda _: "interrupted"),
    (MemoryError, 1, lambda _: _OUT_OF_MEMORY),
    (OSError, 1, _os_error),
    (Exception, 1, _unexpected),
)


@contextmanager
def report_errors() -> Iterator[None]:
    """Turn exceptions into a line and `typer.Exit`; usage errors and closed pipes are left to typer."""
    try:
        yield
    except (typer.Exit, typer.Abort, BrokenPipeError):
        raise
    except (Exception, KeyboardInterrupt) as error:
        if hasattr(error, "format_message"):  # a usage error, which typer shows with the command's usage
            raise
        if os.environ.get("ZEDO_TRACEBACK") == "1":
            traceback.print_exc()
        code, text = next((code, text) for kind, code, text in _TABLE if isinstance(error, kind))
        alert("error", text(error))
        raise typer.Exit(code) from None


@contextmanager
def show_log_messages() -> Iterator[None]:
    """Show warnings and errors that zedo_core logs, in the style of errors."""
    logger, handler = logging.getLogger("zedo_core"), _AlertHandler(logging.WARNING)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


class _AlertHandler(logging.Handler):
    """Passes log records to `alert`."""

    def emit(self, record: logging.LogRecord) -> None:
        alert(record.levelname.lower(), record.getMessage())
