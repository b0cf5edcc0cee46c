"""A command that training stops at a step as if it was killed: STEP (-1 for never), then the words of the command."""

from __future__ import annotations

import sys

from zedo_cli.app import app
from zedo_core.train.loop import Run

_advance = Run.advance


def _stopping(run: Run) -> None:
    if run.step == int(sys.argv[1]):
        raise SystemExit(3)
    _advance(run)


if __name__ == "__main__":
    Run.advance = _stopping  # type: ignore[method-assign]
    app(sys.argv[2:])
