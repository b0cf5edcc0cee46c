"""Ctrl-C before a command runs: one line and out, while modules load and nothing is to be cleaned up.

An exception would do for neither: within an import it may be lost, and click answers it without a word. Imports
little, since what is pressed before this module is there ends in the interpreter's own traceback.
"""

import os
import signal


def leave_at_once() -> None:
    """From now on Ctrl-C ends the process; where it is ignored, as under nohup, it stays so."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _leave)


def raise_again() -> None:
    """From now on Ctrl-C is a KeyboardInterrupt again, for those who clean up and say so."""
    if signal.getsignal(signal.SIGINT) is _leave:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _leave(number: int, frame: object) -> None:
    try:
        os.write(2, b"error: interrupted\n")
    finally:  # with stderr closed, too
        os._exit(130)
