"""What went wrong becomes one line on stderr and an exit code.

0 all went well, 1 it could not be done, 2 what was given cannot be used, 130 interrupted. With
ZEDO_TRACEBACK=1 in the environment the traceback is shown above the line.
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
    if type(error).__name__ == "OutOfMemoryError":  # torch's, told by its name so that torch need not be imported
        return _OUT_OF_MEMORY
    detail = " ".join(str(error).split())
    return f"unexpected {type(error).__name__}: {detail} (ZEDO_TRACEBACK=1 shows where; please report it)"


# The first class that fits says the exit code and the text.
_TABLE: tuple[tuple[type[BaseException], int, Callable[[BaseException], str]], ...] = (
    (InputError, 2, str),
    (ZedoError, 1, str),
    (KeyboardInterrupt, 130, lambda _: "interrupted"),
    (MemoryError, 1, lambda _: _OUT_OF_MEMORY),
    (OSError, 1, _os_error),
    (Exception, 1, _unexpected),
)


@contextmanager
def errors_reported() -> Iterator[None]:
    """Turn an exception into its line and `typer.Exit`; usage errors and closed pipes stay with typer."""
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
def messages_shown() -> Iterator[None]:
    """Show what zedo_core logs, from warnings up, in the style of the errors."""
    logger, handler = logging.getLogger("zedo_core"), _AlertHandler(logging.WARNING)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


class _AlertHandler(logging.Handler):
    """Hands log records to `alert`."""

    def emit(self, record: logging.LogRecord) -> None:
        alert(record.levelname.lower(), record.getMessage())
