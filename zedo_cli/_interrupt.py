"""Ctrl-C before a command runs, while modules are loaded: one line and exit, as there is nothing to clean up.

An exception would not do: within an import it may be swallowed, and click handles it silently. This module imports
little, since Ctrl-C before it is loaded ends in the interpreter's own traceback.
"""

import os
import signal


def exit_on_interrupt() -> None:
    """From now on Ctrl-C ends the process, unless it is ignored, as under nohup."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _exit)


def raise_on_interrupt() -> None:
    """From now on Ctrl-C raises KeyboardInterrupt again, so that commands can clean up."""
    if signal.getsignal(signal.SIGINT) is _exit:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _exit(number: int, frame: object) -> None:
    try:
        os.write(2, b"error: interrupted\n")
    finally:  # even if stderr is closed
        os._exit(130)
